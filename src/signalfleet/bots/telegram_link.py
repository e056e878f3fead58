"""One bot's reading of its user's Telegram: from session to session, until there is none."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Final

import structlog

from signalfleet.app.connect_telegram import SESSION_FIELD
from signalfleet.app.watched_chats import chosen, watched_chats
from signalfleet.bots.services import BotServices
from signalfleet.domain.ids import ChannelId, UserId
from signalfleet.ports.chat_source import ChatSink, ChatSource
from signalfleet.ports.errors import SignInRequiredError
from signalfleet.ports.secrets import Secret
from signalfleet.ports.store import Channel

log = structlog.get_logger()

CLOSE_GRACE: Final = timedelta(seconds=3)
ABANDON_GRACE: Final = timedelta(seconds=0.5)
NEVER_SIGNED_IN: Final = "never_signed_in"
SIGNED_OUT: Final = "signed_out"


class TelegramLink:
    """Brings messages of the watched chats to the sink. `source` is what reads just now."""

    def __init__(self, user: UserId, services: BotServices) -> None:
        self.source: ChatSource | None = None
        self._user = user
        self._services = services
        self._store = services.store.user(user)
        self._chosen: frozenset[tuple[ChannelId, int]] = frozenset()
        self._close_grace = CLOSE_GRACE

    async def listen(self, sink: ChatSink, begun: Callable[[], Awaitable[None]]) -> str:
        """Read until the user has to sign in, and return why.

        A session that was replaced meanwhile is taken up. `begun` is awaited before each is read.
        """
        reason = NEVER_SIGNED_IN
        credentials = self._services.credentials
        session = await credentials.get(self._user, SESSION_FIELD)
        while session is not None:
            try:
                await self._read(session, sink, begun)
            except SignInRequiredError as error:
                reason = error.reason
            else:
                # Ended from outside: the user has disconnected Telegram, or is about to.
                reason = SIGNED_OUT
                session = await credentials.get(self._user, SESSION_FIELD)
                continue
            used, session = session, await credentials.get(self._user, SESSION_FIELD)
            if session is not None and session.reveal() == used.reveal():
                # Telegram knows it no more, so it is of use to nobody, except a thief.
                await credentials.delete(self._user, SESSION_FIELD)
                session = None
        return reason

    async def look_at_channels(self) -> None:
        """Watch other chats if others are chosen by now."""
        if self.source is not None:
            channels = await self._store.channels.list()
            if chosen(channels) != self._chosen:
                await self._watch(self.source, channels)

    def abandon(self) -> None:
        """Break the connection off, and wait for nothing when it is closed."""
        self._close_grace = ABANDON_GRACE
        if self.source is not None:
            self.source.break_off()

    async def _read(
        self, session: Secret, sink: ChatSink, begun: Callable[[], Awaitable[None]]
    ) -> None:
        source = self._services.make_chat_source(self._user, session)
        try:
            await self._watch(source, await self._store.channels.list())
            self.source = source
            await self.look_at_channels()  # A look meanwhile found no source to tell of others.
            await begun()
            await source.run(sink)
        finally:
            self.source = None
            await self._close(source)

    async def _watch(self, source: ChatSource, channels: Sequence[Channel]) -> None:
        now = self._services.clock.now()
        await source.watch(await watched_chats(self._store, channels, now))
        self._chosen = chosen(channels)

    async def _close(self, source: ChatSource) -> None:
        """Close in a bounded time, also within a cancellation."""
        try:
            async with asyncio.timeout(self._close_grace.total_seconds()):
                await source.aclose()
        except TimeoutError:  # Letting it out would replace a cancellation under way.
            log.warning("source_close_timed_out", user_id=self._user)
