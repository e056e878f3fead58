"""Lists the chats of a signed-in account, for the picker."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from telethon import functions, types, utils

from signalfleet.adapters.telegram.client import GuardedClient, within
from signalfleet.adapters.telegram.connection import Link
from signalfleet.adapters.telegram.errors import translated
from signalfleet.adapters.telegram.gate import ConnectGate, SessionTurn
from signalfleet.adapters.telegram.guard import Role
from signalfleet.adapters.telegram.limits import DIALOG_PAGES_MAX, PAGE
from signalfleet.adapters.telegram.mapping import chat_of_peer, may_be_read
from signalfleet.adapters.telegram.requests import Asker
from signalfleet.adapters.telegram.session import FleetSession, load_session
from signalfleet.adapters.telegram.settings import TelegramSettings
from signalfleet.domain.ids import ChannelId
from signalfleet.ports.chat_source import ChatListing
from signalfleet.ports.clock import Chance, Clock
from signalfleet.ports.metrics import Metrics
from signalfleet.ports.secrets import Secret

Ask = Callable[[Any], Awaitable[Any]]


def listing_of(entity: Any) -> ChatListing | None:
    """Map a chat that can be watched; None for people, left chats and Telegram's own accounts."""
    kind = _kind(entity)
    if kind is None:
        return None
    chat = ChannelId(utils.get_peer_id(entity))
    if not may_be_read(chat):
        return None
    title = entity.first_name if kind == "bot" else entity.title
    return ChatListing(
        chat=chat,
        kind=kind,
        access_hash=getattr(entity, "access_hash", None) or 0,
        title=title or "",
        username=_username(entity),
        is_protected=bool(getattr(entity, "noforwards", False)),
    )


def _kind(entity: Any) -> str | None:
    if isinstance(entity, types.Channel):
        if entity.left or entity.min or entity.access_hash is None:
            return None
        return "supergroup" if entity.megagroup or entity.gigagroup else "channel"
    if isinstance(entity, types.Chat):
        return None if entity.left or entity.deactivated or entity.migrated_to else "group"
    if isinstance(entity, types.User):
        return "bot" if entity.bot and not entity.deleted and entity.access_hash else None
    return None


def _username(entity: Any) -> str | None:
    name = getattr(entity, "username", None)
    if name:
        return str(name)
    for one in getattr(entity, "usernames", None) or ():
        if one.active:
            return str(one.username)
    return None


async def list_dialogs(ask: Ask) -> AsyncIterator[ChatListing]:
    """Ask page by page; the newest conversations come first, each chat once."""
    told: set[ChannelId] = set()
    offset_date, offset_id, offset_peer = None, 0, types.InputPeerEmpty()
    for _ in range(DIALOG_PAGES_MAX):
        answer = await ask(
            functions.messages.GetDialogsRequest(
                offset_date=offset_date,
                offset_id=offset_id,
                offset_peer=offset_peer,
                limit=PAGE,
                hash=0,
            )
        )
        entities = {utils.get_peer_id(one): one for one in (*answer.chats, *answer.users)}
        for dialog in answer.dialogs:
            marked = chat_of_peer(dialog.peer)
            listing = listing_of(entities.get(marked))
            if listing is not None and listing.chat not in told:
                told.add(listing.chat)
                yield listing
        last = _last(answer, entities)
        is_whole = isinstance(answer, types.messages.Dialogs)
        if is_whole or len(answer.dialogs) < PAGE or last is None:
            return
        offset_date, offset_id, offset_peer = last


def _last(answer: Any, entities: dict[int, Any]) -> tuple[Any, int, Any] | None:
    """Return where the next page starts: the last dialog whose newest message is known."""
    dates = {(chat_of_peer(m.peer_id), m.id): m.date for m in answer.messages if m.peer_id}
    for dialog in reversed(answer.dialogs):
        marked = chat_of_peer(dialog.peer)
        date = dates.get((marked, dialog.top_message))
        entity = entities.get(marked) if marked is not None else None
        if date is not None and entity is not None:
            return date, dialog.top_message, utils.get_input_peer(entity)
    return None


class TelethonChatDirectory:
    """Lists chats over a connection of its own: only while nothing else uses the session."""

    def __init__(
        self,
        session: Secret,
        settings: TelegramSettings,
        *,
        clock: Clock,
        chance: Chance,
        metrics: Metrics,
        gate: ConnectGate,
    ) -> None:
        self._secret = session
        self._settings = settings
        self._clock = clock
        self._metrics = metrics
        self._link = Link(SessionTurn(gate, clock, chance, metrics), metrics)

    async def list_chats(self) -> AsyncIterator[ChatListing]:
        session = FleetSession.of(load_session(self._secret), self._settings)
        client = GuardedClient(session, self._settings, self._link, self._metrics, role=Role.PICKER)
        asker = Asker(self._clock, self._metrics, self._settings.pace)
        try:
            await self._connect(client)
            asker.client = client
            await asker.ask(functions.updates.GetStateRequest())
            async for listing in list_dialogs(asker.ask):
                yield listing
        finally:
            await client.close(self._link, self._settings.pace.close_limit_s)

    async def _connect(self, client: GuardedClient) -> None:
        limit_s = self._settings.pace.start_limit_s
        try:
            # Somebody waits in front of a screen: no endless tries here.
            async with asyncio.timeout(limit_s * 1.5):
                await within(limit_s, self._link, client.connect())
        except Exception as error:
            known = translated(error)
            if known is None:
                raise
            raise known from None
