"""Who uses a Telegram session at this moment: one at a time in this process, bot or picker."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final, Protocol, cast

from signalfleet.domain.ids import UserId
from signalfleet.ports.chat_source import ChatDirectory, ChatSink, ChatSource
from signalfleet.ports.errors import TemporaryError

PATIENCE_S: Final = 20.0


class LiveSource(ChatSource, ChatDirectory, Protocol):
    """A reader that lists chats too, over the connection that it has."""


class SessionUse:
    """A key used from two places at once is destroyed for good, so its users take turns."""

    def __init__(self) -> None:
        self._turns: dict[UserId, asyncio.Lock] = {}
        self._live: dict[UserId, LiveSource] = {}

    def directory(self, user: UserId) -> ChatDirectory | None:
        """Return the directory of the user's live connection, if a bot has one."""
        return self._live.get(user)

    @asynccontextmanager
    async def alone(self, user: UserId, *, patience_s: float = PATIENCE_S) -> AsyncIterator[None]:
        """Keep all others off the user's session; TemporaryError if it does not become free."""
        turn = self._turn(user)
        try:
            async with asyncio.timeout(patience_s):
                await turn.acquire()
        except TimeoutError:
            raise TemporaryError("the bot is using Telegram; try again in a moment") from None
        try:
            yield
        finally:
            turn.release()

    def watched(self, user: UserId, source: LiveSource) -> ChatSource:
        """Wrap a bot's source, so that it takes its turn while it runs."""
        return cast("ChatSource", _TakingTurns(self, user, source))

    @asynccontextmanager
    async def _running(self, user: UserId, source: LiveSource) -> AsyncIterator[None]:
        async with self._turn(user):
            self._live[user] = source
            try:
                yield
            finally:
                self._live.pop(user, None)

    def _turn(self, user: UserId) -> asyncio.Lock:
        return self._turns.setdefault(user, asyncio.Lock())


class _TakingTurns:
    """Passes everything on; only `run` waits for its turn."""

    def __init__(self, use: SessionUse, user: UserId, source: LiveSource) -> None:
        self._use = use
        self._user = user
        self._source = source

    async def run(self, sink: ChatSink) -> None:
        async with self._use._running(self._user, self._source):  # noqa: SLF001 - one unit
            await self._source.run(sink)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - the rest of the port, as it is
        return getattr(self._source, name)
