"""One user's reader: keeps the connection, proves that it lives, and has gaps repaired."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import NoReturn

import structlog
from telethon import events, functions

from signalfleet.adapters.telegram.chats import ChatBook
from signalfleet.adapters.telegram.client import GuardedClient, within
from signalfleet.adapters.telegram.connection import Link
from signalfleet.adapters.telegram.directory import (
    find_chat,
    forum_topics,
    join_chat,
    latest_posts,
    list_dialogs,
)
from signalfleet.adapters.telegram.ends import first_of
from signalfleet.adapters.telegram.errors import FloodError, KeyUnknownError, translated
from signalfleet.adapters.telegram.feed import LiveFeed
from signalfleet.adapters.telegram.fetch import Fetcher
from signalfleet.adapters.telegram.gate import ConnectGate, SessionTurn
from signalfleet.adapters.telegram.guard import Role
from signalfleet.adapters.telegram.health import HealthBoard
from signalfleet.adapters.telegram.limits import (
    FLOOD_SHOWN_FROM_S,
    KEY_UNKNOWN_TRIES,
    KEY_UNKNOWN_WITHIN,
    SESSIONS_LOST,
)
from signalfleet.adapters.telegram.mapping import UPDATE_TYPES
from signalfleet.adapters.telegram.repair import Repairer
from signalfleet.adapters.telegram.requests import Asker
from signalfleet.adapters.telegram.rounds import Rounds
from signalfleet.adapters.telegram.session import FleetSession, load_session
from signalfleet.adapters.telegram.settings import TelegramSettings
from signalfleet.domain.ids import ChannelId, MessageId
from signalfleet.domain.signals.model import ChannelMessage
from signalfleet.ports.chat_source import (
    ChatListing,
    ChatPost,
    ChatSink,
    ChatTopic,
    LinkHealth,
    LinkState,
    WatchedChat,
)
from signalfleet.ports.clock import Chance, Clock
from signalfleet.ports.errands import Errand, LightEvent
from signalfleet.ports.errors import (
    RefusedError,
    SignInRequiredError,
    StoreUnavailableError,
    TemporaryError,
)
from signalfleet.ports.metrics import Metrics
from signalfleet.ports.secrets import Secret

log = structlog.get_logger()

RETRY_MAX_S = 30.0


class TelethonChatSource:
    """Reads one user's chats. One instance per session may run at a time, in any process."""

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
        self._pace = settings.pace
        self._clock = clock
        self._chance = chance
        self._metrics = metrics
        self._health = HealthBoard(clock)
        self._book = ChatBook()
        self._turn = SessionTurn(gate, clock, chance, metrics)
        self._turn.is_urgent = lambda: self._book.has_open_trades
        self._link = Link(self._turn, metrics)
        self._repairing = Errand("telegram_repair", self._repair)
        self._postponed = Errand("telegram_repair_later", self._repair_later)
        self._sweeping = Errand("telegram_sweep", self._sweep_once)
        self._link.changed = self._repairing.ask
        self._asker = Asker(clock, metrics, settings.pace)
        self._repairer = Repairer(self._book, self._asker, clock, metrics, self._answered)
        self._feed = LiveFeed(
            self._book,
            self._repairer,
            clock,
            metrics,
            follow_up_wait_s=settings.pace.follow_up_wait_s,
            wake=self._repairing.ask,
        )
        self._rounds = Rounds(settings.pace, clock, chance, self._health)
        self._sink: ChatSink | None = None
        self._probed = 0
        self._tries = 0
        self._limit: asyncio.Timeout | None = None
        self._is_closing = False
        self._stopped = LightEvent()
        self._stopped.set()
        self._unknown_key: list[float] = []
        self._picking = 0

    # The port

    async def run(self, sink: ChatSink) -> None:
        if not self._stopped.is_set():
            raise RuntimeError("this source is running already")
        self._stopped.clear()
        self._sink = sink
        try:
            async with asyncio.timeout(None) as self._limit, asyncio.TaskGroup() as tasks:
                self._health.begin(tasks, sink)
                self._feed.begin(tasks, sink)
                if not self._is_closing:
                    await self._keep_connected()
        except TimeoutError:
            if not self._is_closing:
                raise
        except BaseExceptionGroup as group:
            if self._is_closing:
                return
            error = first_of(group)
            if isinstance(error, SignInRequiredError):
                await self._end_signed_out(sink, error)
            raise error from None
        finally:
            self._limit = None
            self._link.abort("closed")
            if self._health.now.state is not LinkState.SIGN_IN_NEEDED:
                self._health.set(LinkState.CLOSED)
            self._stopped.set()

    async def watch(self, chats: Sequence[WatchedChat]) -> None:
        self._book.replace(chats)
        self._repairing.ask()

    def health(self) -> LinkHealth:
        return self._health.now

    def allow_connecting(self, *, allowed: bool) -> None:
        self._turn.allow(allowed=allowed)

    def break_off(self) -> None:
        self._turn.allow(allowed=False)
        self._link.abort("broken_off")

    async def history(
        self, chat: ChannelId, *, before: MessageId | None, limit: int
    ) -> Sequence[ChannelMessage]:
        state = self._book.get(chat)
        if state is None:
            raise RefusedError("only a chat that is copied from can be read; choose it first")
        found = await Fetcher(self._asker).newest(
            state.watched, down_to=0, before=int(before or 0), at_most=limit
        )
        newest = sorted(found.messages.items(), reverse=True)[:limit]
        messages = (state.message_of(raw) for _, raw in newest)
        return [message for message in messages if message is not None]

    def footprint(self) -> int:
        client = self._asker.client
        return self._feed.footprint() + (client.footprint() if client is not None else 0)

    def trim(self) -> None:
        if self._asker.client is not None:
            self._asker.client.trim()

    async def aclose(self) -> None:
        self._is_closing = True
        if self._limit is not None and not self._limit.expired():
            self._limit.reschedule(asyncio.get_running_loop().time())
        try:
            async with asyncio.timeout(self._pace.close_limit_s * 2):
                await self._stopped.wait()
        except TimeoutError:
            log.warning("telegram_close_timed_out")
        self._link.abort("closed")

    async def list_chats(self) -> AsyncIterator[ChatListing]:
        """List the account's chats through the live connection: a key is used once at a time."""
        with self._as_picker():
            async for listing in list_dialogs(self._asker.ask):
                yield listing

    async def find(self, link: str) -> ChatListing:
        with self._as_picker():
            return await find_chat(self._asker.ask, link)

    async def topics(self, chat: ChatListing) -> Sequence[ChatTopic]:
        with self._as_picker():
            return await forum_topics(self._asker.ask, chat)

    async def join(self, link: str) -> ChatListing:
        with self._as_picker():
            return await join_chat(self._asker.ask, self._asker.ask_by_click, link)

    async def latest(self, chat: ChatListing, limit: int = 3) -> Sequence[ChatPost]:
        with self._as_picker():
            return await latest_posts(self._asker.ask, chat, limit)

    @contextmanager
    def _as_picker(self) -> Iterator[None]:
        """Let the live client ask what only the picker may, as long as somebody picks."""
        client = self._asker.client
        if client is None or self._health.now.state is not LinkState.LIVE:
            raise TemporaryError("the connection to Telegram is not up; try again in a moment")
        client.role, self._picking = Role.PICKER, self._picking + 1
        try:
            yield
        finally:
            self._picking -= 1
            client.role = Role.PICKER if self._picking else Role.READER

    # The connection

    async def _keep_connected(self) -> NoReturn:
        stored = load_session(self._secret)
        while True:
            session = FleetSession.of(stored, self._settings)
            client = GuardedClient(
                session, self._settings, self._link, self._metrics, role=Role.READER
            )
            client.tap = self._feed.tap
            client.on_overflow(self._feed.overflowed)
            client.brake = self._asker.pause_left
            client.add_event_handler(self._on_update, events.Raw(types=UPDATE_TYPES))
            try:
                await self._one_client(client)
            except SignInRequiredError:
                raise
            except TemporaryError as error:
                self._judge_key(error)
                self._health.set(LinkState.OFFLINE, str(error))
                log.info("telegram_client_ended", error=str(error))
            finally:
                self._asker.client = None
                await client.close(self._link, self._pace.close_limit_s)
            await self._clock.sleep(timedelta(seconds=self._asker.pause_left()))

    async def _one_client(self, client: GuardedClient) -> None:
        """Use one client until it ends; raises port errors, or what the sink raised."""
        self._health.set(LinkState.CONNECTING)
        try:
            await within(self._pace.start_limit_s, self._link, client.connect())
        except Exception as error:
            raise self._in_port_words(error) from error
        self._asker.client = client
        try:
            async with asyncio.TaskGroup() as tasks:
                for errand in (self._repairing, self._postponed, self._sweeping):
                    errand.begin(tasks)
                self._probed, self._tries = 0, 0
                self._repairing.ask()
                await self._go_round(client)
        except BaseExceptionGroup as group:
            raise first_of(group) from None

    async def _go_round(self, client: GuardedClient) -> NoReturn:
        """Ping, sweep and doubt on time until the client ends; raises why it did."""
        self._rounds.begin()
        while not await client.ended_within(self._rounds.due_in()):
            is_up = self._link.is_up
            if self._rounds.is_ping_due():
                if is_up:
                    await self._ping(client)
                self._rounds.pinged()
            if self._rounds.is_sweep_due() and is_up and self._asker.pause_left() <= 0:
                self._sweeping.ask()
            if self._rounds.is_too_quiet(is_up=is_up):
                await self._sweep_once()
                self._link.abort("silence")
                self._rounds.connected_anew()
        try:
            await client.ended()
        except Exception as error:
            raise self._in_port_words(error) from error

    def _in_port_words(self, error: Exception) -> Exception:
        known = translated(error)
        if known is None:
            return error
        self._asker.note(known)
        return known

    def _judge_key(self, error: TemporaryError) -> None:
        """End it when the server says again and again that it does not know the key."""
        if not isinstance(error, KeyUnknownError):
            return
        now = self._clock.monotonic()
        self._unknown_key.append(now)
        while self._unknown_key[0] < now - KEY_UNKNOWN_WITHIN.total_seconds():
            del self._unknown_key[0]
        if len(self._unknown_key) >= KEY_UNKNOWN_TRIES:
            raise SignInRequiredError(
                "Telegram no longer knows the session; sign in again", reason="unregistered"
            )

    async def _repair(self) -> None:
        """Probe and repair after each connect, repair whenever a chat is in doubt."""
        if not self._link.is_up or self._sink is None:
            self._health.set(LinkState.CONNECTING)
            return  # The next thing to wait for is the connection.
        ups = self._link.ups
        try:
            if ups != self._probed:
                await self._probe()
                self._probed = ups
            await self._repairer.run(self._sink)
        except SignInRequiredError:
            raise
        except (TemporaryError, StoreUnavailableError) as error:
            self._tries += 1
            await self._wait_after(error)
            self._repairing.ask()
            return
        self._tries = 0
        if self._book.paused_s(self._clock.monotonic()) is not None:
            self._postponed.ask()
        elif ups == self._link.ups and self._link.is_up:
            self._health.repaired()
            self._health.set(LinkState.LIVE)

    async def _repair_later(self) -> None:
        pause = self._book.paused_s(self._clock.monotonic())
        await self._clock.sleep(timedelta(seconds=pause or 0.0))
        self._repairing.ask()

    async def _probe(self) -> None:
        """Prove that the login is alive; the library does not notice when it is not."""
        self._health.set(LinkState.PROBING)
        state = await self._asker.ask(functions.updates.GetStateRequest())
        self._health.pong()
        self._health.server_time(state.date)
        self._book.doubt_all("connected")
        self._health.set(LinkState.REPAIRING)

    async def _wait_after(self, error: Exception) -> None:
        if isinstance(error, FloodError) and error.retry_after is not None:
            wait = error.retry_after
            if wait >= FLOOD_SHOWN_FROM_S:
                self._health.set(LinkState.FLOODED, error.reason)
        else:
            wait = self._chance.uniform(0.5, 1.0) * min(RETRY_MAX_S, 2.0**self._tries)
        if not self._link.is_up:
            return
        log.info("telegram_repair_postponed", seconds=round(wait, 1), error=str(error))
        await self._clock.sleep(timedelta(seconds=wait))

    async def _ping(self, client: GuardedClient) -> None:
        try:
            await client.ping(self._pace.ping_limit_s)
        except TimeoutError:
            # A path can be dead without a word; the library would notice after minutes.
            self._link.abort("ping")
        except Exception as error:
            known = self._in_port_words(error)
            if not isinstance(known, TemporaryError):
                raise known from error
        else:
            self._health.pong()

    async def _sweep_once(self) -> None:
        try:
            if await self._repairer.sweep(self._pace.sweep_settle, self._pace.compare_every):
                self._repairing.ask()
        except SignInRequiredError:
            raise
        except TemporaryError as error:
            log.debug("telegram_sweep_skipped", error=str(error))

    # News

    def _answered(self, server_time: datetime) -> None:
        """Take an answer for a pong: it came the same way."""
        self._health.server_time(server_time)
        self._health.pong()
        self._rounds.pinged()

    async def _on_update(self, update: object) -> None:
        self._health.heard()
        await self._feed.on_update(update)

    async def _end_signed_out(self, sink: ChatSink, error: SignInRequiredError) -> None:
        self._metrics.count(SESSIONS_LOST, reason=error.reason)
        self._health.set(LinkState.SIGN_IN_NEEDED, error.reason)
        await sink.link_changed(self._health.now)
