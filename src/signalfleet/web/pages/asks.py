"""What waits for the user: signals that ask first, and instructions that a pause held back."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import structlog
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from signalfleet.app.asks import answer_ask, open_asks, open_follow_ups
from signalfleet.domain.accounts.asks import Answer, Answered, Ask
from signalfleet.ports.bus import LiveEvent, WorkItem
from signalfleet.ports.errors import PortError
from signalfleet.ports.store import UserStore
from signalfleet.web.auth.sessions import Signed
from signalfleet.web.context import WebContext, context_of
from signalfleet.web.guards import SignedIn, read_form
from signalfleet.web.pages.live import page_values
from signalfleet.web.present.formats import one_line
from signalfleet.web.present.messages import channel_names
from signalfleet.web.present.reading import Segment, cut
from signalfleet.web.present.words import Words
from signalfleet.web.routes import Access, RouteTable

log = structlog.get_logger(__name__)
table: Final = RouteTable()

HOME: Final = "/asks"
KEY_CHARS: Final = 80
TOLD: Final[Mapping[Answered, str]] = {
    Answered.TAKEN: "",
    Answered.ALREADY: "You have answered this one already.",
    Answered.TOO_LATE: "It was too late to answer this one. Nothing was sent.",
    Answered.UNKNOWN: "This one does not wait for an answer any more.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class AskRow:
    ask: Ask
    channel: str
    segments: tuple[Segment, ...]
    why: str
    left_s: int


@table.route("GET", HOME, Access.SIGNED_IN)
async def asks_page(request: Request, signed: SignedIn) -> Response:
    return await _page(request, signed)


@table.route("POST", "/asks/answer", Access.SIGNED_IN, audit="ask_answered")
async def answer(request: Request, signed: SignedIn) -> Response:
    """Take the first tap; the bot plans again and runs every check with fresh prices."""
    context = context_of(request)
    form = await read_form(request)
    wanted = form.get("answer", "")
    if wanted not in set(Answer):
        return await _page(request, signed, "Choose Approve or Skip.", 422)
    key = form.get("key", "")[:KEY_CHARS]
    told = await answer_ask(signed.store, key, Answer(wanted), context.deps.clock.now())
    if told is not Answered.TAKEN:
        return await _page(request, signed, TOLD[told], 409)
    await _wake(context, signed, key)
    return RedirectResponse(HOME, 303)


async def _wake(context: WebContext, signed: Signed, key: str) -> None:
    item = WorkItem(user=signed.user, kind="cmd", key=f"ask:{key}")
    try:
        await context.deps.bus.publish_work(item)
    except PortError as error:
        # The owner also looks by itself; the answer may then come too late, and says so.
        log.warning("ask_wake_failed", kind=type(error).__name__)
    event = LiveEvent(user=signed.user, kind="signal", payload={"answered": key})
    await context.deps.bus.publish_event(event)


async def _page(request: Request, signed: Signed, error: str = "", status: int = 200) -> Response:
    context = context_of(request)
    values = {
        **await page_values(context, signed),
        "here": "asks",
        "error": error,
        "rows": await _rows(context, signed.store),
        "paused": await _paused(context, signed.store),
    }
    return context.pages.response("asks.html", values, status)


async def _rows(context: WebContext, store: UserStore) -> list[AskRow]:
    now, names = context.deps.clock.now(), await channel_names(store)
    return [
        AskRow(
            ask=ask,
            channel=names.get(ask.key.chat, one_line(str(ask.key.chat))),
            segments=await _segments(store, ask, context.words),
            why=context.words.say("reason", ask.why),
            left_s=max(round((ask.until - now).total_seconds()), 0),
        )
        for ask in await open_asks(store, now)
    ]


async def _paused(context: WebContext, store: UserStore) -> list[AskRow]:
    """Return what a pause held back, with the message that it was in."""
    now, names = context.deps.clock.now(), await channel_names(store)
    return [
        AskRow(
            ask=ask,
            channel=names.get(ask.key.chat, one_line(str(ask.key.chat))),
            segments=await _segments(store, ask, context.words),
            why="",
            left_s=0,
        )
        for ask in await open_follow_ups(store, now)
    ]


async def _segments(store: UserStore, ask: Ask, words: Words) -> tuple[Segment, ...]:
    revisions = await store.inbox.revisions(ask.key.chat, ask.key.message)
    text = next((one.message.text for one in revisions if one.rev == ask.key.rev), "")
    return tuple(cut(text, [], words))
