"""What endpoints share: the given ports, the sessions and the templates."""

from dataclasses import dataclass
from typing import cast

from starlette.requests import Request

from signalfleet.web.auth.sessions import Sessions
from signalfleet.web.deps import WebDeps
from signalfleet.web.present.words import Words
from signalfleet.web.templating import Pages


@dataclass(frozen=True, slots=True, kw_only=True)
class WebContext:
    deps: WebDeps
    sessions: Sessions
    pages: Pages
    words: Words


def context_of(request: Request) -> WebContext:
    return cast("WebContext", request.app.state.context)
