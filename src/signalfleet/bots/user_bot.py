"""UserBot: one user's listening, deciding and executing, as one tree of tasks."""

import asyncio
from datetime import timedelta
from typing import Final

import structlog

from signalfleet.app.connect_telegram import SESSION_FIELD
from signalfleet.app.desk import AccountDesk
from signalfleet.app.handle_message import HandleMessage
from signalfleet.app.ingest_messages import IngestMessages
from signalfleet.app.move_channel import move_channel
from signalfleet.app.user_desk import UserDesk
from signalfleet.bots.follow import AccountFollower
from signalfleet.bots.services import BotServices
from signalfleet.domain.ids import AccountId, ChannelId, MessageId, UserId
from signalfleet.domain.signals.model import ChannelMessage
from signalfleet.ports.bus import LiveEvent, WorkItem
from signalfleet.ports.chat_source import (
    ChatBatch,
    ChatNotice,
    ChatSource,
    LinkHealth,
    WatchedChat,
)
from signalfleet.ports.errors import PortError, SignInRequiredError, TemporaryError
from signalfleet.ports.secrets import Secret
from signalfleet.ports.store import CopyMode, StoredMessage

log = structlog.get_logger()

SWEEP: Final = timedelta(seconds=30)
STATUS_CHECK: Final = timedelta(seconds=5)
CLOSE_GRACE: Final = timedelta(seconds=3)
DRAIN_GRACE: Final = timedelta(seconds=8)
TRACKED: Final = 200
TRACKED_MESSAGES: Final = 2_000
TRACKED_FOR: Final = timedelta(hours=48)
NEVER_SIGNED_IN: Final = "never_signed_in"


class UserBot:
    """One user's bot for one ownership of the user's slot. `run` lasts until it is cancelled.

    Start and recovery after a crash are the same path: load, reconcile, listen.
    """

    def __init__(self, user: UserId, services: BotServices, epoch: int) -> None:
        self.user = user
        self.link: LinkHealth | None = None
        self._services = services
        self._store = services.store.user(user)
        self._desk = UserDesk(
            user=user,
            installation=services.installation,
            store=self._store,
            epoch=epoch,
            clock=services.clock,
            metrics=services.metrics,
            parser=services.parser,
            settle_rules=services.settle_rules,
        )
        self._ingest = IngestMessages(self._desk)
        self._handle = HandleMessage(self._desk)
        self._followers: dict[AccountId, AccountFollower] = {}
        self._source: ChatSource | None = None
        self._chats: frozenset[ChannelId] = frozenset()
        self._wake = asyncio.Event()
        self._stopping = False
        self._signed_out = asyncio.Event()
        self._sign_in_reason = NEVER_SIGNED_IN

    async def run(self, running: asyncio.Event) -> None:
        """Run until cancelled; set `running` when messages are being read.

        Without a Telegram session that works the accounts are followed on: see `signed_out`.
        """
        await self._load()
        async with asyncio.TaskGroup() as tasks:
            for account, follower in self._followers.items():
                tasks.create_task(follower.run(), name=f"broker:{account}:{self.user}")
            tasks.create_task(self._decide(), name=f"decide:{self.user}")
            tasks.create_task(self._sweep(), name=f"sweep:{self.user}")
            tasks.create_task(self._watch_status(), name=f"status:{self.user}")
            tasks.create_task(self._listen(running), name=f"listen:{self.user}")

    async def signed_out(self) -> str:
        """Wait until the user has to sign in to Telegram, and return why.

        The bot itself goes on: what is open at the broker must not depend on Telegram.
        """
        await self._signed_out.wait()
        return self._sign_in_reason

    async def drain(self) -> None:
        """Decide nothing more and let what was sent settle, in a bounded time."""
        self._stopping = True
        try:
            async with asyncio.timeout(DRAIN_GRACE.total_seconds()):
                for follower in self._followers.values():
                    await follower.drain()
        except TimeoutError:
            log.warning("drain_timed_out", user_id=self.user)

    def wake(self) -> None:
        """Look at the inbox: something may be unread."""
        self._wake.set()

    async def store(self, batch: ChatBatch) -> None:
        """Take a batch from Telegram (port ChatSink)."""
        keys = await self._ingest.run(batch)
        for key in keys:
            item = WorkItem(user=self.user, kind="msg", key=f"{key.chat}.{key.message}.{key.rev}")
            await self._wake_by(item)

    async def known_revision(self, chat: ChannelId, message: MessageId) -> ChannelMessage | None:
        revisions = await self._store.inbox.revisions(chat, message)
        kept = [r.message for r in revisions if r.deleted_at is None]
        return kept[-1] if kept else None

    async def link_changed(self, health: LinkHealth) -> None:
        self.link = health
        log.info("link_changed", state=health.state.value, reason=health.reason)
        await self._tell("bot", {"link": health.state.value})

    async def chat_noticed(self, notice: ChatNotice) -> None:
        """Tell the user; a group that moved is copied from under its new id."""
        log.warning("chat_noticed", chat=notice.chat, kind=notice.kind.value, count=notice.count)
        if notice.moved_to is not None:
            await move_channel(self._store.channels, notice.chat, notice.moved_to)
            self._chats |= {notice.moved_to.chat}
        await self._tell("chat", {"chat": notice.chat, "notice": notice.kind.value})

    async def _load(self) -> None:
        status = await self._store.bot.status()
        self._desk.halted = status.halted
        desks: dict[AccountId, AccountDesk] = {}
        token = await self._services.credentials.get(self.user, "metaapi_token")
        for account in await self._store.accounts.list():
            broker = self._services.make_broker(self.user, account, token)
            desks[account.account_id] = AccountDesk(account, broker, self._services.clock)
        self._desk.accounts = desks
        self._followers = {
            account_id: AccountFollower(
                self._desk, desk, self._services.look_interval, self._tell, self.wake
            )
            for account_id, desk in desks.items()
        }

    async def _listen(self, running: asyncio.Event) -> None:
        """Read until the session is over; one that was replaced meanwhile is taken up."""
        credentials = self._services.credentials
        session = await credentials.get(self.user, SESSION_FIELD)
        while session is not None:
            try:
                await self._read(session, running)
            except SignInRequiredError as error:
                self._sign_in_reason = error.reason
            else:
                return
            used, session = session, await credentials.get(self.user, SESSION_FIELD)
            if session is not None and session.reveal() == used.reveal():
                # Telegram knows it no more, so it is of use to nobody, except a thief.
                await credentials.delete(self.user, SESSION_FIELD)
                session = None
        self._signed_out.set()

    async def _read(self, session: Secret, running: asyncio.Event) -> None:
        source = self._services.make_chat_source(self.user, session)
        try:
            watched = await self._watched()
            await source.watch(watched)
            self._chats = frozenset(chat.chat for chat in watched)
            self._source = source
            running.set()
            await source.run(self)
        finally:
            self._source = None
            await self._close(source)

    async def _watched(self) -> list[WatchedChat]:
        tracked = await self._tracked()
        return [
            WatchedChat(
                chat=channel.chat,
                kind=channel.kind,
                access_hash=channel.access_hash,
                title=channel.title,
                checkpoint=channel.checkpoint,
                seen_max=channel.seen_max,
                pts_seen=channel.pts_seen,
                tracked=tracked.get(channel.chat, ()),
            )
            for channel in await self._store.channels.list()
            if channel.mode is not CopyMode.OFF
        ]

    async def _tracked(self) -> dict[ChannelId, tuple[MessageId, ...]]:
        """Return the messages whose edits and deletions still matter, newest first.

        Also those without a signal: what came late before a crash may be outdated by now.
        """
        found: dict[ChannelId, dict[MessageId, None]] = {}
        for record in await self._store.journal.recent_signals(limit=TRACKED):
            found.setdefault(record.chat, {})[record.message] = None
        oldest = self._services.clock.now() - TRACKED_FOR
        for stored in await self._store.inbox.recent(limit=TRACKED_MESSAGES):
            ids = found.setdefault(stored.message.channel, {})
            is_recent = stored.message.posted_at >= oldest and stored.deleted_at is None
            if is_recent and len(ids) < TRACKED:
                ids[stored.message.message] = None
        return {chat: tuple(ids) for chat, ids in found.items()}

    async def _decide(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            # Without a look at the account nothing is known of what was sent before a restart.
            if not all(desk.reconciled for desk in self._desk.accounts.values()):
                continue
            # What waits holds back its chat: a close must not overtake the entry it closes.
            waiting: set[ChannelId] = set()
            for stored in await self._store.inbox.unread():
                if self._stopping:
                    return
                chat = stored.message.channel
                if chat not in waiting and not await self._decide_one(stored):
                    waiting.add(chat)

    async def _decide_one(self, stored: StoredMessage) -> bool:
        """Decide on a message; False if it must wait."""
        key = stored.key
        try:
            handled = await self._handle.run(stored)
        except PortError:
            raise
        except Exception as error:
            log.exception("message_quarantined", chat=key.chat, message=key.message)
            self._services.metrics.count("signalfleet_messages_quarantined_total")
            await self._store.inbox.quarantine(key, type(error).__name__, self._desk.epoch)
            return True
        for intent in handled.intents:
            self._followers[intent.account].dispatcher.add([intent])
        if handled.must_wait:
            return False
        await self._tell("signal", {"chat": key.chat, "message": key.message, "rev": key.rev})
        return True

    async def _sweep(self) -> None:
        """Find what a lost wake-up left unread."""
        while True:
            self._wake.set()
            await self._services.clock.sleep(SWEEP)

    async def _watch_status(self) -> None:
        """Re-read the user's Stop: a lost event must not keep entries going."""
        while True:
            await self.refresh()
            await self._services.clock.sleep(STATUS_CHECK)

    async def refresh(self) -> None:
        """Read the user's Stop and the watched channels again."""
        status = await self._store.bot.status()
        if status.halted != self._desk.halted:
            self._desk.halted = status.halted
            log.info("copying_stopped" if status.halted else "copying_resumed")
            await self._tell("bot", {"halted": status.halted})
        if self._source is not None:
            channels = await self._store.channels.list()
            chats = frozenset(one.chat for one in channels if one.mode is not CopyMode.OFF)
            if chats != self._chats:
                self._chats = chats
                await self._source.watch(await self._watched())

    async def _wake_by(self, item: WorkItem) -> None:
        if self._services.wake_by_bus:
            try:
                await self._services.bus.publish_work(item)
            except TemporaryError:
                log.warning("wake_up_lost", cause="bus")
            else:
                return
        self.wake()

    async def _tell(self, kind: str, payload: dict[str, object]) -> None:
        await self._services.bus.publish_event(
            LiveEvent(user=self.user, kind=kind, payload=payload)
        )

    async def _close(self, source: ChatSource) -> None:
        """Close in a bounded time, also within a cancellation."""
        try:
            async with asyncio.timeout(CLOSE_GRACE.total_seconds()):
                await source.aclose()
        except TimeoutError:  # Letting it out would replace a cancellation under way.
            log.warning("source_close_timed_out", user_id=self.user)
