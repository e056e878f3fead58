"""UserBot: one user's listening, deciding and executing, as one tree of tasks."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from typing import Final, cast

import structlog

from signalfleet.app.channel_profiles import ChannelProfiles
from signalfleet.app.desk import AccountDesk
from signalfleet.app.handle_message import HandleMessage
from signalfleet.app.ingest_messages import IngestMessages
from signalfleet.app.kept_store import KeptStore
from signalfleet.app.leave_account import accounts_in_use
from signalfleet.app.move_channel import move_channel
from signalfleet.app.notify import notify
from signalfleet.app.trade_notices import TradeNotices
from signalfleet.app.user_desk import UserDesk
from signalfleet.bots.budgets import BotBudget
from signalfleet.bots.chat_notices import told_of
from signalfleet.bots.follow import AccountFollower
from signalfleet.bots.freshness import Freshness
from signalfleet.bots.inbox_reader import InboxReader, Turn
from signalfleet.bots.services import BotServices
from signalfleet.bots.standing import Standing
from signalfleet.bots.store_watch import StoreWatch
from signalfleet.bots.telegram_clock import TelegramClock
from signalfleet.bots.telegram_link import TelegramLink
from signalfleet.domain.accounts.notices import Notice, NoticeKind
from signalfleet.domain.ids import AccountId, ChannelId, MessageId, UserId
from signalfleet.domain.signals.model import ChannelMessage, Doubt
from signalfleet.ports.bus import LiveEvent, WorkItem
from signalfleet.ports.chat_source import (
    ChatBatch,
    ChatNotice,
    ChatSource,
    LinkHealth,
)
from signalfleet.ports.errands import Errand
from signalfleet.ports.errors import PortError, TemporaryError
from signalfleet.ports.fleet_rows import UserMark
from signalfleet.ports.inbox import StoredMessage
from signalfleet.ports.lease import EndedLease, Lease
from signalfleet.ports.store import UserStore

log = structlog.get_logger()

SWEEP_S: Final = 30.0
DRAIN_GRACE: Final = timedelta(seconds=8)
TURNED: Final = {"text": "an edit turned the signal round, and nothing was opened or closed"}


class AccountsChangedError(Exception):
    """The user connected an account, or took one away: the bot starts again with the new list."""


class UserBot:
    """One user's bot for one ownership of the user's slot. `run` lasts until it is cancelled.

    Start and recovery after a crash are the same path: load, reconcile, listen.
    """

    def __init__(self, user: UserId, services: BotServices, epoch: int, budget: BotBudget) -> None:
        self.user = user
        self._budget = budget
        self.link: LinkHealth | None = None
        self.is_loaded = False
        self._services = services
        self._kept = KeptStore(services.store.user(user), services.clock)
        self._store = cast("UserStore", self._kept)
        self._desk = UserDesk(
            user=user,
            installation=services.installation,
            store=self._store,
            epoch=epoch,
            clock=services.clock,
            metrics=services.metrics,
            parser=services.parser,
            profiles=ChannelProfiles(self._store.settings, services.parser, services.patterns),
            settle_rules=services.settle_rules,
            lease=services.lease_of(user),
            pulse=services.pulse,
            rush=services.rush,
            entries_not_before=services.entries_not_before,
            calendar=services.calendar,
            packs=services.packs,
        )
        # Entries wait until Telegram's clock is known.
        self._clock = TelegramClock(self._desk, self.wake)
        self._ingest = IngestMessages(self._desk)
        self._handle = HandleMessage(self._desk)
        self._standing = Standing(self._desk, services, self._notify)
        self._trade_notices = TradeNotices(self._store, services.clock, self._notify, services.rush)
        self._followers: dict[AccountId, AccountFollower] = {}
        self._telegram = TelegramLink(user, services)
        self._deciding = Errand(f"decide:{user}", self._decide)
        self._refreshing = Errand(f"status:{user}", self._read_changes)
        self._following_up = Errand(f"follow_up:{user}", self._follow_up)
        self._reading = asyncio.Lock()
        self._restarting = Errand(f"accounts:{user}", self._end_for_accounts)
        self._stopping = False
        self._store_watch = StoreWatch(services)
        self._reader = InboxReader(
            self._store.inbox, budget, self._decide_one, lambda: self._stopping
        )
        self._fresh = Freshness(read_at=services.clock.monotonic())
        self._swept_at = self._fresh.read_at

    async def run(self, tasks: asyncio.TaskGroup, begun: Callable[[], Awaitable[None]]) -> str:
        """Read messages until the user has to sign in to Telegram, and return why.

        `begun` is awaited when they are about to be read. All else goes on in `tasks`: what is open
        at the broker must not depend on Telegram. While nothing happens none of it is there.
        """
        for follower in self._followers.values():
            follower.begin(tasks)
        self._trade_notices.begin(tasks)
        for errand in (self._deciding, self._refreshing, self._following_up, self._restarting):
            errand.begin(tasks)
        self.wake()
        return await self._telegram.listen(self, begun)

    @property
    def lease(self) -> Lease | None:
        return self._desk.lease

    @property
    def source(self) -> ChatSource | None:
        return self._telegram.source

    async def drain(self) -> None:
        """Decide nothing more and let what was sent settle, in a bounded time."""
        self._stopping = True
        try:
            async with asyncio.timeout(DRAIN_GRACE.total_seconds()):
                for follower in self._followers.values():
                    await follower.drain()
        except TimeoutError:
            log.warning("drain_timed_out", user_id=self.user)

    def abandon(self) -> None:
        """Send nothing more and break Telegram off: the slot is somebody else's by now."""
        self._stopping = True
        self._desk.lease = EndedLease()
        self._telegram.abandon()

    def unknown_age(self) -> timedelta:
        """Return the age of the oldest order whose outcome is unknown; zero if none is."""
        ages = (follower.unknown_age() for follower in self._followers.values())
        return max(ages, default=timedelta(0))

    def footprint(self) -> int:
        """Return the bytes of what grows with the bot's work, by number and usual size."""
        source = self.source
        return sum(
            (
                source.footprint() if source is not None else 0,
                self._desk.profiles.footprint(),
                *(follower.footprint() for follower in self._followers.values()),
            )
        )

    def trim(self) -> None:
        """Drop what can be read again."""
        if self.source is not None:
            self.source.trim()

    def wake(self) -> None:
        """Look at the inbox: something may be unread."""
        self._deciding.ask()

    def _wake_if_waiting(self) -> None:
        """Look at what waits in the inbox, if anything does: what it waited for may be over."""
        if self._reader.has_waiting:
            self.wake()

    async def store(self, batch: ChatBatch) -> None:
        """Take a batch from Telegram (port ChatSink)."""
        self._clock.see(self.source)
        self._budget.took(batch)
        begun = self._services.clock.monotonic()
        with self._desk.rush.part():
            keys = await self._ingest.run(batch)
        self._services.pulse.committed(begun, self._services.clock.monotonic())
        for key in keys:
            item = WorkItem(user=self.user, kind="msg", key=f"{key.chat}.{key.message}.{key.rev}")
            await self._wake_by(item)
        self._trade_notices.stored(batch, has_news=bool(keys))

    def pause_s(self) -> float:
        return self._budget.pause_s()

    async def known_revision(self, chat: ChannelId, message: MessageId) -> ChannelMessage | None:
        revisions = await self._store.inbox.revisions(chat, message)
        kept = [r.message for r in revisions if r.deleted_at is None]
        return kept[-1] if kept else None

    async def link_changed(self, health: LinkHealth) -> None:
        self.link = health
        self._clock.learn(health.clock_offset)
        log.info("link_changed", state=health.state.value, reason=health.reason)
        await self._tell("bot", {"link": health.state.value})

    async def chat_noticed(self, notice: ChatNotice) -> None:
        """Tell the user; a group that moved is copied from under its new id."""
        log.warning("chat_noticed", chat=notice.chat, kind=notice.kind.value, count=notice.count)
        if notice.moved_to is not None:
            await move_channel(self._store, notice.chat, notice.moved_to)
        await self._notify(*told_of(notice))
        await self._tell("chat", {"chat": notice.chat, "notice": notice.kind.value})

    async def load(self) -> None:
        """Read what is needed before anything begins."""
        if self._services.recover is not None:
            await self._services.recover(self.user, self._desk.epoch)
        status = await self._store.bot.status()
        self._desk.halted = status.halted
        self._desk.halt_seen_at = self._services.clock.monotonic()
        await self._read_standing()
        desks: dict[AccountId, AccountDesk] = {}
        token = await self._services.credentials.get(self.user, "metaapi_token")
        for account in await accounts_in_use(self._store):
            broker = self._services.make_broker(self.user, account, token)
            desks[account.account_id] = AccountDesk(account, broker, self._services.clock)
        self._desk.accounts = desks
        self._followers = {
            account_id: AccountFollower(
                self._desk,
                desk,
                self._services.look_interval,
                self._tell,
                self._notify,
                self._wake_if_waiting,
                self._trade_notices,
            )
            for account_id, desk in desks.items()
        }
        self.is_loaded = True

    async def _decide(self) -> None:
        await self._budget.before_look()
        if self._stopping:
            return
        # Without a look at the account nothing is known of what was sent before a restart.
        if any(desk.is_awaited for desk in self._desk.accounts.values()):
            self._reader.has_waiting = True
            return
        with self._desk.rush.part():
            async with self._store_watch:
                await self._reader.read()

    async def _decide_one(self, stored: StoredMessage) -> Turn:
        key = stored.key
        if self._budget.has_had_its_share() and not stored.may_protect:
            await self._desk.rush.give_way()
            if self._stopping:
                return Turn.WAITS
        self._kept.look_again()
        try:
            handled = await self._handle.run(stored)
        except PortError:
            raise
        except Exception as error:
            log.exception("message_quarantined", chat=key.chat, message=key.message)
            self._services.metrics.count("signalfleet_messages_quarantined_total")
            await self._store.inbox.quarantine(key, type(error).__name__, self._desk.epoch)
            return Turn.OVER
        for intent in handled.intents:
            self._followers[intent.account].dispatcher.add([intent])
        for ask in handled.asked:
            told = {"text": f"{ask.text}, at risk {', '.join(one.risk for one in ask.plans)}"}
            await self._notify(NoticeKind.TRADE_HELD, f"message:{key.chat}.{key.message}", told)
        if handled.must_wait:
            return Turn.HOLDS_CHAT if handled.holds_chat else Turn.WAITS
        if handled.intents:
            await self._standing.traded()
        if await self._handle.keep_look(handled):
            facts = {"message": key.message}
            await self._notify(NoticeKind.FORMAT_DRIFT, f"chat:{key.chat}", facts)
        if handled.reason == Doubt.SIDE_FLIPPED.value:
            about = f"message:{key.chat}.{key.message}"
            await self._notify(NoticeKind.FOLLOW_UP_NOT_APPLIED, about, TURNED)
        if handled.has_refusals:
            self._trade_notices.message(key)
        await self._tell("signal", {"chat": key.chat, "message": key.message, "rev": key.rev})
        return Turn.OVER

    def looked(self, asked: float, mark: UserMark | None, *, is_back: bool) -> None:
        """Hear what the worker's look at the store says; None if it says nothing of this user.

        A lost event must not keep entries going: the last check stops them while it is not known
        whether Stop was pressed. Nor may a lost wake-up leave anything unread.
        """
        self._clock.see(self.source)
        is_sweep = asked - self._swept_at >= SWEEP_S
        if self._reader.has_waiting or is_back or (is_sweep if mark is None else mark.has_unread):
            self._swept_at = asked
            self.wake()
        self._fresh.mark = mark
        if self._fresh.is_outdated:
            self._refreshing.ask()
        else:
            self._desk.halt_seen_at = max(self._desk.halt_seen_at, asked)
            if self._fresh.is_due(asked) or self._standing.has_news():
                self._following_up.ask()
        for follower in self._followers.values():
            follower.look_if_due()

    async def _follow_up(self) -> None:
        """Read what the bot's own doing may have changed, when no order waits for it."""
        async with self._desk.rush.turn():
            if self._fresh.is_old(self._services.clock.monotonic()) or self._standing.has_news():
                await self._read_changes()
                return
            async with self._store_watch, self._reading:
                self._fresh.has_news = False
                await self._standing.see_trades()
                return
            self._fresh.has_news = True  # The store is away: once more after the next look.

    async def _read_changes(self) -> None:
        async with self._store_watch, self._reading:
            mark = self._fresh.begin()
            await self.refresh()
            self._fresh.end(mark, self._services.clock.monotonic())
            if self._store_watch.is_back():
                self.wake()

    async def refresh(self) -> None:
        """Read the user's Stop, accounts and watched channels again, once they were read at all."""
        if not self.is_loaded:
            return
        asked = self._services.clock.monotonic()
        self._kept.look_again()
        status = await self._store.bot.status()
        self._desk.halt_seen_at = asked
        accounts = {one.account_id: one for one in await accounts_in_use(self._store)}
        if accounts != {key: desk.account for key, desk in self._desk.accounts.items()}:
            self._restarting.ask()
        await self._read_standing()
        if status.halted != self._desk.halted:
            self._desk.halted = status.halted
            log.info("copying_stopped" if status.halted else "copying_resumed")
            await self._tell("bot", {"halted": status.halted})
        await self._telegram.look_at_channels()

    async def _read_standing(self) -> None:
        if await self._standing.read():
            for follower in self._followers.values():
                follower.states_changed()
            await self._tell("bot", {"states": True})

    async def _end_for_accounts(self) -> None:
        """End the bot when its list of accounts is out of date, after what was sent settled."""
        log.info("accounts_changed")
        await self.drain()
        raise AccountsChangedError

    async def _wake_by(self, item: WorkItem) -> None:
        if self._services.wake_by_bus:
            try:
                await self._services.bus.publish_work(item)
            except TemporaryError:
                log.warning("wake_up_lost", cause="bus")
            else:
                return
        self.wake()

    async def _notify(self, kind: NoticeKind, about: str, facts: Mapping[str, object]) -> None:
        self._standing.told(kind, about)
        now = self._services.clock.now()
        notice = Notice(kind=kind, at=now, about=about, facts=facts)
        if await notify(self._store, self._services.bus, notice):
            self._services.notified(self.user)

    async def _tell(self, kind: str, payload: dict[str, object]) -> None:
        self._fresh.has_news = self._fresh.has_news or kind == "trade"
        await self._services.bus.publish_event(
            LiveEvent(user=self.user, kind=kind, payload=payload)
        )
