"""The table of routes: each has an access class, and nothing is served without one."""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, TypeAlias

from fastapi import Depends, FastAPI
from fastapi.routing import iter_route_contexts
from starlette.responses import Response

from signalfleet.web.guards import (
    forged_request_guard,
    operator_guard,
    same_origin_guard,
    signed_in_guard,
)

SAFE_METHODS: Final = frozenset({"GET"})


class Access(StrEnum):
    """Who may call a route. OWNER: the object must be the session's user's, else 404."""

    PUBLIC = "public"
    SIGNED_IN = "signed_in"
    OWNER = "owner"
    OPERATOR = "operator"


Endpoint: TypeAlias = Callable[..., Awaitable[Response]]
_GUARDS: Final[dict[Access, tuple[Callable[..., object], ...]]] = {
    Access.PUBLIC: (),
    Access.SIGNED_IN: (signed_in_guard,),
    Access.OWNER: (signed_in_guard,),
    Access.OPERATOR: (operator_guard,),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class WebRoute:
    method: str
    path: str
    access: Access
    endpoint: Endpoint

    @property
    def guards(self) -> tuple[Callable[..., object], ...]:
        guards = _GUARDS[self.access]
        if self.method in SAFE_METHODS or self.access is Access.OPERATOR:
            return guards
        if signed_in_guard in guards:
            return (*guards, forged_request_guard)
        return (*guards, same_origin_guard)


class RouteTable:
    """Routes of one module, filled by its decorators."""

    def __init__(self) -> None:
        self.routes: list[WebRoute] = []

    def route(self, method: str, path: str, access: Access) -> Callable[[Endpoint], Endpoint]:
        def keep(endpoint: Endpoint) -> Endpoint:
            self.routes.append(WebRoute(method=method, path=path, access=access, endpoint=endpoint))
            return endpoint

        return keep


class UnclassedRouteError(RuntimeError):
    """A route was registered past the table, so nobody decided who may call it."""


def register(app: FastAPI, tables: Iterable[RouteTable]) -> tuple[WebRoute, ...]:
    """Add the tables' routes with the guards of their classes; return all of them."""
    routes = tuple(route for table in tables for route in table.routes)
    for route in routes:
        app.add_api_route(
            route.path,
            route.endpoint,
            methods=[route.method],
            dependencies=[Depends(guard) for guard in route.guards],
            response_model=None,
            include_in_schema=False,
        )
    return routes


def require_classes(app: FastAPI, routes: Iterable[WebRoute]) -> None:
    """Raise UnclassedRouteError if the app serves anything that is not in the table."""
    known = {(route.method, route.path) for route in routes}
    for context in iter_route_contexts(app.routes):
        path = getattr(context, "path", None)
        for method in getattr(context, "methods", None) or {"any method of"}:
            if (method, path) not in known:
                raise UnclassedRouteError(f"{method} {path} has no access class; use RouteTable")
