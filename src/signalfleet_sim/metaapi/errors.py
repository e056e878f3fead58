"""Answers that are no result: MetaApi's error bodies, with the status each of them has."""

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from aiohttp import web

JSON_TYPE: Final = "application/json"

_NAMES: Final = {
    400: ("ValidationError", 1),
    401: ("UnauthorizedError", 2),
    403: ("ForbiddenError", 3),
    404: ("NotFoundError", 4),
    409: ("ConflictError", 5),
    429: ("TooManyRequestsError", 6),
    500: ("InternalError", 7),
    502: ("InternalError", 7),
    503: ("ServiceUnavailableError", 8),
    504: ("TimeoutError", 9),
}

NOT_CONNECTED: Final = (
    "It seems like the account is not connected to broker yet. Please make sure that the account "
    "is deployed, that you use the region of the account and that it is paid for"
)


def _plain(value: object) -> object:
    if isinstance(value, Decimal):
        # Numbers leave as JSON numbers; their shortest form is exact for what a broker sends.
        return float(value)
    raise TypeError(f"no JSON for {type(value).__name__}")


_ENCODER: Final = json.JSONEncoder(default=_plain, separators=(",", ":"), ensure_ascii=False)


def to_json(payload: object) -> bytes:
    return _ENCODER.encode(payload).encode()


def reply(
    payload: object, status: int = 200, headers: Mapping[str, str] | None = None
) -> web.Response:
    return web.Response(
        body=to_json(payload), status=status, headers=headers, content_type=JSON_TYPE
    )


class ApiError(Exception):
    """Becomes MetaApi's error body on its way out."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        details: object = None,
        metadata: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.details = details
        self.metadata = metadata
        self.headers = headers

    def response(self) -> web.Response:
        name, number = _NAMES.get(self.status, ("Error", 0))
        body: dict[str, Any] = {"id": number, "error": name, "message": self.message}
        if self.details is not None:
            body["details"] = self.details
        if self.metadata is not None:
            body["metadata"] = self.metadata
        return reply(body, self.status, self.headers)


def invalid(parameter: str, value: object, message: str) -> ApiError:
    """Make the 400 that names one parameter."""
    details = [{"parameter": parameter, "value": value, "message": message}]
    return ApiError(400, "Validation failed", details=details)


def not_connected() -> ApiError:
    """Make the one 504 that stands for wrong region, undeployed, unpaid and disconnected."""
    return ApiError(504, NOT_CONNECTED)
