"""The OpenAPI document of everything that a site serves, pages too."""

import copy
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute, iter_route_contexts


def document_of(app: FastAPI) -> dict[str, Any]:
    shown = []
    for context in iter_route_contexts(app.routes):
        route = context.original_route
        if isinstance(route, APIRoute):
            one = copy.copy(route)
            one.include_in_schema = True
            shown.append(one)
    return get_openapi(title="SignalFleet", version="0", routes=shown)


def operations_of(document: dict[str, Any]) -> dict[str, list[str]]:
    """Return the names of path and query parameters by method and path."""
    return {
        f"{method.upper()} {path}": [one["name"] for one in operation.get("parameters", ())]
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }
