"""The list of messages and the page of one message."""

from typing import Annotated, Final

from fastapi import Path, Query
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from signalfleet.domain.ids import ChannelId, MessageId, SignalId
from signalfleet.web.auth.sessions import Signed
from signalfleet.web.context import WebContext, context_of
from signalfleet.web.guards import SignedIn
from signalfleet.web.pages.live import page_values
from signalfleet.web.present.detail import Detail, load_detail
from signalfleet.web.present.formats import Times
from signalfleet.web.present.messages import channel_names, load_facts, message_row
from signalfleet.web.routes import Access, RouteTable

table: Final = RouteTable()

LIST_ROWS: Final = 100
BIGGEST_ID: Final = 2**63 - 1
GROUPS: Final = {
    "copied": frozenset({"copied", "partly", "working", "sending", "followed"}),
    "not_copied": frozenset({"skipped", "rejected", "expired", "cancelled", "unsure", "set_aside"}),
    "waiting": frozenset({"held", "unknown", "reading", "sending"}),
    "no_signal": frozenset({"not_a_signal", "noted", "history", "deleted"}),
}

Chat = Annotated[int, Path(ge=-BIGGEST_ID, le=BIGGEST_ID)]
Message = Annotated[int, Path(ge=1, le=BIGGEST_ID)]
Show = Annotated[str, Query(max_length=20)]
OnlyChat = Annotated[str, Query(max_length=24)]


@table.route("GET", "/signals", Access.SIGNED_IN)
async def signals_page(
    request: Request, signed: SignedIn, show: Show = "", channel: OnlyChat = ""
) -> Response:
    context = context_of(request)
    values = await page_values(context, signed)
    listed = await list_values(context, signed, show, channel)
    return context.pages.response("signals.html", {**values, **listed, "here": "signals"})


@table.route("GET", "/f/signals", Access.SIGNED_IN)
async def signals_rows(
    request: Request, signed: SignedIn, show: Show = "", channel: OnlyChat = ""
) -> Response:
    context = context_of(request)
    listed = await list_values(context, signed, show, channel)
    return HTMLResponse(context.pages.render("panels/list.html", listed))


async def list_values(
    context: WebContext, signed: Signed, show: str, channel: str
) -> dict[str, object]:
    """Read the newest messages and keep those that the filters ask for; held ones come first."""
    channels = await channel_names(signed.store)
    times = Times(signed.profile.timezone, context.deps.clock.now())
    facts = await load_facts(signed.store, LIST_ROWS)
    rows = [message_row(one, channels, times, context.words) for one in facts]
    wanted = GROUPS.get(show)
    kept = [row for row in rows if wanted is None or row.outcome.chip.kind in wanted]
    kept = [row for row in kept if not channel or str(row.chat) == channel]
    kept.sort(key=lambda row: row.outcome.chip.kind != "held")
    return {
        "rows": tuple(kept),
        "is_filtered": bool(wanted or channel),
        "show": show if wanted else "",
        "channel": channel,
        "channels": sorted(channels.items(), key=lambda item: item[1].lower()),
        "groups": tuple(GROUPS),
        "times": times,
    }


@table.route("GET", "/signals/{chat}/{message}", Access.OWNER)
async def signal_page(request: Request, signed: SignedIn, chat: Chat, message: Message) -> Response:
    context = context_of(request)
    detail = await _detail(context, signed, chat, message)
    values = await page_values(context, signed)
    return context.pages.response("signal.html", {**values, "detail": detail, "here": "signals"})


@table.route("GET", "/f/signals/{chat}/{message}", Access.OWNER)
async def signal_body(request: Request, signed: SignedIn, chat: Chat, message: Message) -> Response:
    context = context_of(request)
    detail = await _detail(context, signed, chat, message)
    times = Times(signed.profile.timezone, context.deps.clock.now())
    return HTMLResponse(
        context.pages.render("panels/detail.html", {"detail": detail, "times": times})
    )


@table.route("GET", "/signals/{signal_id}", Access.OWNER)
async def signal_by_id(
    signed: SignedIn, signal_id: Annotated[str, Path(max_length=40)]
) -> Response:
    signal = await signed.store.journal.get_signal(SignalId(signal_id))
    if signal is None:
        raise HTTPException(404)
    return RedirectResponse(f"/signals/{signal.chat}/{signal.message}", 303)


async def _detail(context: WebContext, signed: Signed, chat: int, message: int) -> Detail:
    channels = await channel_names(signed.store)
    times = Times(signed.profile.timezone, context.deps.clock.now())
    detail = await load_detail(
        signed.store, ChannelId(chat), MessageId(message), channels, times, context.words
    )
    if detail is None:
        raise HTTPException(404)
    return detail
