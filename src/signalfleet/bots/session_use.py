"""Who uses a Telegram session at this moment: one at a time in all processes, bot or desk."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, NoReturn, Protocol, cast

import structlog

from signalfleet.bots.session_hold import LET_GO_AFTER, RENEW_EVERY, TICK, SessionHolds
from signalfleet.domain.ids import UserId
from signalfleet.ports.chat_source import ChatDirectory, ChatSink, ChatSource, LinkHealth
from signalfleet.ports.clock import Clock
from signalfleet.ports.errors import FencedError, PortError, TemporaryError
from signalfleet.ports.store import Store

log = structlog.get_logger()

PATIENCE_S: Final = 20.0
RELEASE_LIMIT_S: Final = 2.0
RENEW_AFTER_S: Final = (RENEW_EVERY - TICK).total_seconds()
LOOK_AGAIN: Final = timedelta(seconds=0.5)


class LiveSource(ChatSource, ChatDirectory, Protocol):
    """A reader that lists chats too, over the connection that it has."""


@dataclass(slots=True, kw_only=True, eq=False)
class _Reading:
    """A bot that reads, and the hold that it has. `limit` ends it, `error` says why."""

    user: UserId
    epoch: int
    source: LiveSource
    limit: asyncio.Timeout
    renewed_at: float
    due: float
    error: PortError | None = None


class SessionUse:
    """A key used from two places at once is destroyed for good, so its users take turns.

    In this process they wait for each other in order; other processes see the hold in the store.
    `epoch_of` tells under which epoch this process owns a user's slot. Bots read only while `run`
    runs: it renews their holds.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        epoch_of: Callable[[UserId], int] = lambda _user: 1,
    ) -> None:
        self.name = secrets.token_hex(8)
        self._clock = clock
        self._epoch_of = epoch_of
        self._holds = SessionHolds(store, clock, self.name)
        self._turns: dict[UserId, asyncio.Lock] = {}
        self._live: dict[UserId, _Reading] = {}

    def directory(self, user: UserId) -> ChatDirectory | None:
        """Return the directory of the user's live connection, if a bot has one here."""
        reading = self._live.get(user)
        return None if reading is None else reading.source

    async def elsewhere(self, user: UserId) -> str | None:
        """Return the name of another process whose bot reads with the session now."""
        return None if user in self._live else await self._holds.elsewhere(user)

    async def evict(self, user: UserId) -> None:
        """End the reading of a bot here; whether it begins again, the stored session decides."""
        reading = self._live.get(user)
        if reading is not None:
            await reading.source.aclose()

    @asynccontextmanager
    async def alone(self, user: UserId, *, patience_s: float = PATIENCE_S) -> AsyncIterator[None]:
        """Keep all others off the user's session; TemporaryError if it does not become free."""
        turn = self._turn(user)
        try:
            async with asyncio.timeout(patience_s):
                await turn.acquire()
                try:
                    await self._take(user, 0)
                except BaseException:
                    turn.release()
                    raise
        except TimeoutError:
            raise TemporaryError("the bot is using Telegram; try again in a moment") from None
        try:
            yield
        finally:
            try:
                await self._release(user)
            finally:
                turn.release()

    def watched(self, user: UserId, source: LiveSource) -> ChatSource:
        """Wrap a bot's source, so that it takes its turn while it runs."""
        return cast("ChatSource", _TakingTurns(self, user, source))

    async def read(self, user: UserId, source: LiveSource, sink: ChatSink) -> None:
        """Run a bot's source in its turn, as long as the hold can be kept.

        FencedError: another process has taken the session over.
        """
        async with self._turn(user):
            epoch = self._epoch_of(user)
            await self._take(user, epoch)
            now = self._clock.monotonic()
            reading = _Reading(
                user=user,
                epoch=epoch,
                source=source,
                limit=asyncio.timeout(None),
                renewed_at=now,
                due=now + RENEW_AFTER_S,
            )
            try:
                async with reading.limit:
                    self._live[user] = reading
                    await source.run(sink)
            except TimeoutError:
                if reading.error is None:
                    raise
                raise reading.error from None
            finally:
                self._live.pop(user, None)
                await self._release(user)

    async def run(self) -> NoReturn:
        """Renew the holds of all bots that read here; of those due together one commit is enough.

        The bots of holds that are lost, or cannot be kept, end.
        """
        while True:
            await self._clock.sleep(TICK)
            now = self._clock.monotonic()
            due = [reading for reading in self._live.values() if reading.due <= now]
            async with asyncio.TaskGroup() as tasks:
                for reading in due:
                    tasks.create_task(self._renew(reading, now), name=f"hold:{reading.user}")

    async def _take(self, user: UserId, epoch: int) -> None:
        while not await self._holds.take(user, epoch):
            await self._clock.sleep(LOOK_AGAIN)

    async def _renew(self, reading: _Reading, now: float) -> None:
        reading.due = now + RENEW_AFTER_S
        try:
            is_mine = await self._holds.renew(reading.user, reading.epoch)
        except PortError as error:
            cause = type(error).__name__
            log.warning("session_hold_not_renewed", user_id=reading.user, cause=cause)
            failed_at = self._clock.monotonic()  # The store may have taken long to say so.
            reading.due = failed_at
            if failed_at - reading.renewed_at >= LET_GO_AFTER.total_seconds():
                self._end(reading, TemporaryError("the store is away, so the session is let go"))
            return
        if is_mine:
            reading.renewed_at = now
        else:
            self._end(reading, FencedError("another process uses this Telegram session"))

    def _end(self, reading: _Reading, error: PortError) -> None:
        is_over = self._live.get(reading.user) is not reading
        if not is_over and reading.error is None:
            reading.error = error
            reading.limit.reschedule(asyncio.get_running_loop().time())

    async def _release(self, user: UserId) -> None:
        try:
            async with asyncio.timeout(RELEASE_LIMIT_S):
                await self._holds.release(user)
        except (PortError, TimeoutError) as error:
            # It ends by itself.
            log.warning("session_hold_not_released", cause=type(error).__name__)

    def _turn(self, user: UserId) -> asyncio.Lock:
        return self._turns.setdefault(user, asyncio.Lock())


class _TakingTurns:
    """Passes everything on; only `run` waits for its turn."""

    def __init__(self, use: SessionUse, user: UserId, source: LiveSource) -> None:
        self._use = use
        self._user = user
        self._source = source

    async def run(self, sink: ChatSink) -> None:
        await self._use.read(self._user, self._source, sink)

    def health(self) -> LinkHealth:
        """Return it without a search by name: each bot is asked every few seconds."""
        return self._source.health()

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - the rest of the port, as it is
        return getattr(self._source, name)
