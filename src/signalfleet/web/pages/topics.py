"""The topics of a forum: which of them are read."""

from typing import Annotated, Final

from fastapi import Query
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from signalfleet.ports.errors import PortError
from signalfleet.web.auth.sessions import Signed
from signalfleet.web.context import context_of
from signalfleet.web.guards import SignedIn
from signalfleet.web.login_desk import LoginDesk
from signalfleet.web.pages.channels import numbers_of
from signalfleet.web.pages.connect import PICKER
from signalfleet.web.pages.live import page_values
from signalfleet.web.present.formats import one_line
from signalfleet.web.routes import Access, RouteTable

table: Final = RouteTable()

TOPICS: Final = "/connect/telegram/topics"


@table.route("GET", TOPICS, Access.SIGNED_IN)
async def topics_page(
    request: Request, signed: SignedIn, chat: Annotated[str, Query(max_length=24)] = ""
) -> Response:
    return await _topics(request, signed, chat)


@table.route("POST", TOPICS, Access.SIGNED_IN, audit="topics_chosen")
async def choose(request: Request, signed: SignedIn) -> Response:
    """Have the ticked topics read and no others, or all without a tick; the bot looks soon."""
    context = context_of(request)
    form = await request.form()
    chat = str(form.get("chat", ""))[:24]
    topics = numbers_of(form.getlist("topic"))
    number = next(iter(numbers_of([chat])), 0)
    desk = LoginDesk(context.deps)
    try:
        await desk.of_user(signed.user, "choose_topics", chat=number, topics=topics)
    except PortError as error:
        return await _topics(request, signed, chat, str(error), 422)
    return RedirectResponse(f"{PICKER}?saved=1", 303)


async def _topics(
    request: Request, signed: Signed, chat: str, error: str = "", status: int = 200
) -> Response:
    context = context_of(request)
    number = next(iter(numbers_of([chat])), 0)
    title, found = "", []
    if not error:
        try:
            told = await LoginDesk(context.deps).of_user(signed.user, "topics", chat=number)
        except PortError as trouble:
            error, status = str(trouble), 422
        else:
            title, topics = one_line(str(told["title"])), told["topics"]
            found = topics if isinstance(topics, list) else []
    values = {
        **await page_values(context, signed),
        "here": "channels",
        "chat": number,
        "title": title or "a chat",
        "topics": [{**one, "title": one_line(str(one["title"]))} for one in found],
        "error": error[:1].upper() + error[1:],
    }
    return context.pages.response("connect_topics.html", values, status)
