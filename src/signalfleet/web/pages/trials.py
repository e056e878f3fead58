"""What is done with a channel's signals, and its probation: skipped or begun again at one tap."""

from typing import Annotated, Final

from fastapi import Path
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from signalfleet.app.channel_mode import set_channel_mode
from signalfleet.app.paper_account import ensure_paper_account
from signalfleet.app.probation import restart_probation, skip_probation
from signalfleet.domain.ids import ChannelId
from signalfleet.ports.errors import ConflictError, RefusedError
from signalfleet.ports.store import CopyMode
from signalfleet.web.context import context_of
from signalfleet.web.guards import SignedIn, read_form
from signalfleet.web.routes import Access, RouteTable

table: Final = RouteTable()
BIGGEST_ID: Final = 2**63 - 1
Chat = Annotated[int, Path(ge=-BIGGEST_ID, le=BIGGEST_ID)]


@table.route("POST", "/channels/{chat}/mode", Access.OWNER, audit="channel_mode_set")
async def set_mode(request: Request, signed: SignedIn, chat: Chat) -> Response:
    """Set what is done with the channel's signals from its next message on."""
    if await signed.store.channels.get(ChannelId(chat)) is None:
        raise HTTPException(404)
    wanted = (await read_form(request)).get("mode", "")
    if wanted not in set(CopyMode):
        raise HTTPException(422, "Choose what is done with the channel's signals.")
    now = context_of(request).deps.clock.now()
    try:
        await set_channel_mode(signed.store, ChannelId(chat), CopyMode(wanted), now)
    except RefusedError as error:
        raise HTTPException(404) from error
    except ConflictError:
        return RedirectResponse(f"/channels/{chat}?changed=1", 303)
    return RedirectResponse(f"/channels/{chat}?saved=1", 303)


@table.route("POST", "/channels/{chat}/probation/skip", Access.OWNER, audit="probation_skipped")
async def skip(request: Request, signed: SignedIn, chat: Chat) -> Response:
    now = context_of(request).deps.clock.now()
    try:
        await skip_probation(signed.store, ChannelId(chat), now)
    except RefusedError as error:
        raise HTTPException(404) from error
    return RedirectResponse(f"/channels/{chat}?saved=1", 303)


@table.route(
    "POST", "/channels/{chat}/probation/restart", Access.OWNER, audit="probation_restarted"
)
async def restart(request: Request, signed: SignedIn, chat: Chat) -> Response:
    now = context_of(request).deps.clock.now()
    try:
        await restart_probation(signed.store, ChannelId(chat), now)
    except RefusedError as error:
        raise HTTPException(404) from error
    await ensure_paper_account(signed.store)
    return RedirectResponse(f"/channels/{chat}?saved=1", 303)
