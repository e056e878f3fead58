"""The table of routes: each has an access class, and nothing is served without one."""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, TypeAlias

from fastapi import Depends, FastAPI
from fastapi.routing import iter_route_contexts
from starlette.responses import Response

from signalfleet.web.accountable import accountable
from signalfleet.web.guards import (
    forged_request_guard,
    operator_guard,
    same_origin_guard,
    signed_in_guard,
)
from signalfleet.web.limits import LimitClass, Limits

SAFE_METHODS: Final = frozenset({"GET"})


class Access(StrEnum):
    """Who may call a route. OWNER: the object must be the session's user's, else 404.

    FROM_ANYWHERE: other programs may send it too; what is in its address is the proof.
    """

    PUBLIC = "public"
    FROM_ANYWHERE = "from_anywhere"
    SIGNED_IN = "signed_in"
    OWNER = "owner"
    OPERATOR = "operator"


_ANY_ORIGIN: Final = frozenset({Access.OPERATOR, Access.FROM_ANYWHERE})
Endpoint: TypeAlias = Callable[..., Awaitable[Response]]
_GUARDS: Final[dict[Access, tuple[Callable[..., object], ...]]] = {
    Access.PUBLIC: (),
    Access.FROM_ANYWHERE: (),
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
    audit: str = ""
    """The word in the user's audit trail; without one the method and the path stand there."""
    limit: LimitClass = LimitClass.WRITE

    @property
    def is_owners(self) -> bool:
        return self.access is Access.OWNER

    @property
    def is_signed_write(self) -> bool:
        """Tell whether this changes something for a signed-in user."""
        return self.method not in SAFE_METHODS and signed_in_guard in _GUARDS[self.access]

    @property
    def audit_word(self) -> str:
        return self.audit or f"{self.method} {self.path}"

    @property
    def guards(self) -> tuple[Callable[..., object], ...]:
        guards = _GUARDS[self.access]
        if self.method in SAFE_METHODS or self.access in _ANY_ORIGIN:
            return guards
        if signed_in_guard in guards:
            return (*guards, forged_request_guard)
        return (*guards, same_origin_guard)


class RouteTable:
    """Routes of one module, filled by its decorators."""

    def __init__(self) -> None:
        self.routes: list[WebRoute] = []

    def route(
        self,
        method: str,
        path: str,
        access: Access,
        *,
        audit: str = "",
        limit: LimitClass | None = None,
    ) -> Callable[[Endpoint], Endpoint]:
        def keep(endpoint: Endpoint) -> Endpoint:
            self.routes.append(
                WebRoute(
                    method=method,
                    path=path,
                    access=access,
                    endpoint=endpoint,
                    audit=audit,
                    limit=limit or usual_limit(method, access),
                )
            )
            return endpoint

        return keep


def usual_limit(method: str, access: Access) -> LimitClass:
    """Return the limit class of a route that names none; nothing is served without one."""
    if access is Access.OPERATOR:
        return LimitClass.UNLIMITED
    return LimitClass.PAGE if method in SAFE_METHODS else LimitClass.WRITE


class UnclassedRouteError(RuntimeError):
    """A route was registered past the table, so nobody decided who may call it."""


def register(
    app: FastAPI, tables: Iterable[RouteTable], limits: Limits | None = None
) -> tuple[WebRoute, ...]:
    """Add the tables' routes with the guards of their classes; return all of them."""
    routes = tuple(route for table in tables for route in table.routes)
    for route in routes:
        app.router.add_api_route(
            route.path,
            route.endpoint,
            methods=[route.method],
            dependencies=[Depends(guard) for guard in _all_guards(route, limits)],
            response_model=None,
            include_in_schema=False,
            route_class_override=accountable(route),
        )
    return routes


def _all_guards(route: WebRoute, limits: Limits | None) -> tuple[Callable[..., object], ...]:
    """Who it is comes first, then how often, then whether the request is a page's own."""
    is_signed = signed_in_guard in _GUARDS[route.access]
    limit = None if limits is None else limits.guard(route.limit, is_signed=is_signed)
    if limit is None:
        return route.guards
    known = len(_GUARDS[route.access])
    return (*route.guards[:known], limit, *route.guards[known:])


def require_classes(app: FastAPI, routes: Iterable[WebRoute]) -> None:
    """Raise UnclassedRouteError if the app serves anything that is not in the table."""
    known = {(route.method, route.path) for route in routes}
    for context in iter_route_contexts(app.routes):
        path = getattr(context, "path", None)
        for method in getattr(context, "methods", None) or {"any method of"}:
            if (method, path) not in known:
                raise UnclassedRouteError(f"{method} {path} has no access class; use RouteTable")
