"""How failures are answered: a page for people, problem+json (RFC 9457) for programs."""

from http import HTTPStatus
from typing import Final

import structlog
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from signalfleet.ports.errors import RefusedError, StoreUnavailableError, TemporaryError
from signalfleet.web.context import context_of
from signalfleet.web.guards import NotSignedInError
from signalfleet.web.shield import request_id_of

log = structlog.get_logger(__name__)

RETRY_AFTER_S: Final = 2
SIGN_IN_PATH: Final = "/signin"
CODES: Final = {429: "rate_limited"}
WORDS: Final = {
    400: "The request could not be read.",
    403: "This is not allowed.",
    404: "There is nothing here, or it is not yours.",
    405: "This address does not answer that kind of request.",
    413: "That was too much to send at once.",
    500: "Something went wrong on our side. Your open trades keep their stop and target.",
    503: "Our store does not answer at the moment. Your open trades keep their stop and target.",
}


def add_handlers(app: FastAPI) -> None:
    app.add_exception_handler(HTTPException, _on_http_error)
    app.add_exception_handler(RequestValidationError, _on_invalid)
    app.add_exception_handler(StoreUnavailableError, _on_store_down)
    app.add_exception_handler(RefusedError, _on_refused)
    app.add_exception_handler(TemporaryError, _on_trouble)
    app.add_exception_handler(Exception, _on_crash)


def wants_page(request: Request) -> bool:
    """Tell whether a browser is about to show the answer as a page of its own."""
    accepts = "text/html" in request.headers.get("accept", "")
    return accepts and "hx-request" not in request.headers


async def _on_http_error(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    if isinstance(error, NotSignedInError):
        return _sign_in(request)
    default = HTTPStatus(error.status_code).phrase
    said = WORDS.get(error.status_code) if error.detail == default else None
    return problem(request, error.status_code, said or error.detail, headers=error.headers)


def _sign_in(request: Request) -> Response:
    if wants_page(request) and request.method == "GET":
        return RedirectResponse(SIGN_IN_PATH, 303)
    # htmx follows this header, so that a page left open does not fill with error texts.
    return problem(request, 401, "Sign in first.", headers={"HX-Redirect": SIGN_IN_PATH})


async def _on_invalid(request: Request, error: Exception) -> Response:
    log.info("request_invalid", kind=type(error).__name__)
    # What was sent is not repeated: it may be hostile, and the address is all that can be wrong.
    if request.method == "GET":
        return problem(request, 404, WORDS[404])
    return problem(request, 422, WORDS[400])


async def _on_store_down(request: Request, error: Exception) -> Response:
    log.warning("store_unavailable", kind=type(error).__name__)
    return problem(request, 503, WORDS[503], headers={"Retry-After": str(RETRY_AFTER_S)})


async def _on_refused(request: Request, error: Exception) -> Response:
    """Say what the worker or the store has said no to; their words are for people."""
    log.info("request_refused", path=request.url.path)
    return problem(request, 422, str(error))


async def _on_trouble(request: Request, error: Exception) -> Response:
    log.warning("request_in_trouble", path=request.url.path)
    return problem(request, 503, str(error), headers={"Retry-After": str(RETRY_AFTER_S)})


async def _on_crash(request: Request, error: Exception) -> Response:
    log.error("request_crashed", kind=type(error).__name__)
    return problem(request, 500, WORDS[500])


def problem(request: Request, status: int, detail: str, *, headers: object = None) -> Response:
    """Answer with a page or with problem+json, as the caller accepts."""
    extra = {str(k): str(v) for k, v in headers.items()} if isinstance(headers, dict) else {}
    phrase = HTTPStatus(status).phrase
    request_id = request_id_of(request)
    if wants_page(request):
        values = {"status": status, "phrase": phrase, "detail": detail, "request_id": request_id}
        return context_of(request).pages.response("error.html", values, status, extra)
    body = {
        "type": "about:blank",
        "title": phrase,
        "status": status,
        "detail": detail,
        "instance": request.url.path,
        "code": CODES.get(status) or phrase.lower().replace(" ", "_").replace("-", "_"),
        "request_id": request_id,
    }
    return JSONResponse(body, status, extra, "application/problem+json")
