"""A worker with one user's bot on a memory store, a scripted broker and virtual time."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from kit.brokers import ScriptedBroker
from kit.builders import ACCOUNT, CHAT, INSTALLATION, USER
from kit.canaries import planted
from kit.chat_script import ScriptedChatSource, a_message, deleted, edited, posted
from kit.clock import LoopClock, MiddleChance, settle_down, until
from kit.counting_metrics import CountingMetrics
from signalfleet.adapters.memory import MemoryStore
from signalfleet.adapters.memory.bus import MemoryBus
from signalfleet.adapters.re2.client import Re2Compiler
from signalfleet.bootstrap.language import load_parser
from signalfleet.bots.budgets import Budgets
from signalfleet.bots.manager import UserBotManager
from signalfleet.bots.services import BotServices
from signalfleet.bots.sole_owner import SoleOwner
from signalfleet.domain.accounts.bot_state import BotState
from signalfleet.domain.ids import AccountId, ChannelId, MessageId, UserId, slot
from signalfleet.domain.risk.prop_packs import PropPack
from signalfleet.domain.trading.intents import Intent, IntentState
from signalfleet.domain.trading.records import Copy, MessageKey, SignalRecord, TraceStep, Trade
from signalfleet.domain.trading.settle import SettleRules
from signalfleet.ports.broker import Broker
from signalfleet.ports.calendar import NewsCalendar
from signalfleet.ports.chat_source import ChatBatch, ChatSource, Origin
from signalfleet.ports.inbox import StoredMessage
from signalfleet.ports.lease import Lease
from signalfleet.ports.secrets import CredentialStore, Secret
from signalfleet.ports.store import Account, Channel, CopyMode, Store, UserProfile, UserStore

CELL = "c1"
GOLD_BUY = "BUY GOLD 2350 SL 2340 TP 2360 TP 2370"
GOLD_LIMIT = "BUY LIMIT GOLD 2345 SL 2335 TP 2360"


class PlainCredentials:
    """Credentials as they are; sealing them is another part's work."""

    def __init__(self) -> None:
        self._secrets: dict[tuple[UserId, str], Secret] = {}

    async def put(self, user: UserId, field: str, secret: Secret) -> None:
        self._secrets[user, field] = secret

    async def get(self, user: UserId, field: str) -> Secret | None:
        return self._secrets.get((user, field))

    async def delete(self, user: UserId, field: str) -> None:
        self._secrets.pop((user, field), None)


@dataclass(slots=True)
class Fleet:
    """The parts, and short words for what a test does with them.

    `wrap_store` and `wrap_broker` put something between the bots and their ports.
    """

    clock: LoopClock
    store: MemoryStore
    bus: MemoryBus
    broker: ScriptedBroker
    metrics: CountingMetrics
    credentials: PlainCredentials
    rules: SettleRules = field(default_factory=SettleRules)
    look_interval: timedelta = timedelta(seconds=30)
    wake_by_bus: bool = False
    max_bots: int = 10
    sources: list[ScriptedChatSource] = field(default_factory=list)
    brokers: dict[AccountId, ScriptedBroker] = field(default_factory=dict)
    wrap_store: Callable[[Store], Store] = lambda store: store
    wrap_broker: Callable[[Broker], Broker] = lambda broker: broker
    lease_of: Callable[[UserId], Lease | None] = lambda _user: None
    calendar: NewsCalendar | None = None
    packs: dict[str, PropPack] = field(default_factory=dict)
    budgets: Budgets | None = None
    manager: UserBotManager = field(init=False)
    task: asyncio.Task[None] | None = None
    last_message: int = 100
    texts: dict[int, str] = field(default_factory=dict)

    @property
    def mine(self) -> UserStore:
        return self.store.user(USER)

    @property
    def source(self) -> ScriptedChatSource:
        return self.sources[-1]

    # The worker

    def services(self) -> BotServices:
        def make_source(user: UserId, session: Secret) -> ChatSource:
            self.sources.append(ScriptedChatSource(self.clock))
            return self.sources[-1]

        def make_broker(_user: UserId, account: Account, token: Secret | None) -> Broker:
            return self.wrap_broker(self.brokers.get(account.account_id, self.broker))

        credentials: CredentialStore = self.credentials
        return BotServices(
            store=self.wrap_store(self.store),
            bus=self.bus,
            clock=self.clock,
            chance=MiddleChance(),
            metrics=self.metrics,
            parser=load_parser(),
            patterns=Re2Compiler(),
            credentials=credentials,
            installation=INSTALLATION,
            settle_rules=self.rules,
            look_interval=self.look_interval,
            wake_by_bus=self.wake_by_bus,
            make_chat_source=make_source,
            make_broker=make_broker,
            lease_of=self.lease_of,
            calendar=self.calendar,
            packs=self.packs,
            budgets=self.budgets,
        )

    async def start(self, *, wait: bool = True) -> None:
        """Start a worker; by default wait until it reads messages and knows the account."""
        services = self.services()
        self.manager = UserBotManager(services, cell=CELL, max_bots=self.max_bots)
        owner = SoleOwner(
            services.store.fleet, services.clock, cell=CELL, worker="w1", slots=[slot(USER)]
        )
        self.task = asyncio.create_task(self.manager.run(owner), name="manager")
        if wait:
            await until(lambda: self.state is BotState.RUNNING and bool(self.broker.looks))
            await settle_down(0.1)

    @property
    def state(self) -> BotState:
        return self.manager.states().get(USER, BotState.OFF)

    async def kill(self) -> None:
        """End the worker without giving it time for anything."""
        if self.task is None:
            return
        self.task.cancel()
        await asyncio.wait([self.task])
        self.task = None

    async def restart(self) -> None:
        await self.kill()
        looks = len(self.broker.looks)
        await self.start(wait=False)
        await until(lambda: self.state is BotState.RUNNING and len(self.broker.looks) > looks)
        await settle_down(0.1)

    # The channel

    async def say(
        self,
        text: str,
        *,
        reply_to: int | None = None,
        age: float = 1.0,
        origin: Origin = Origin.LIVE,
        wait: float = 0.2,
        chat: ChannelId = CHAT,
    ) -> int:
        """Post in the channel and let it be worked on; return the message's number."""
        self.last_message += 1
        number = self.last_message
        self.texts[number] = text
        at = self.clock.now() - timedelta(seconds=age)
        message = a_message(chat, number, text, at, reply_to=reply_to)
        await self.bring(posted(message, origin), wait)
        return number

    async def edit(self, number: int, text: str, *, wait: float = 0.2) -> None:
        posted_at = await self._posted_at(number)
        message = a_message(CHAT, number, text, posted_at, edited_at=self.clock.now())
        await self.bring(edited(message), wait)

    async def delete(self, *numbers: int, wait: float = 0.2) -> None:
        await self.bring(deleted(CHAT, *numbers), wait)

    async def bring(self, batch: ChatBatch | Exception, wait: float = 0.2) -> None:
        self.source.brought.put_nowait(batch)
        await settle_down(wait)

    async def _posted_at(self, number: int) -> datetime:
        known = await self.mine.inbox.revisions(CHAT, MessageId(number))
        return known[0].message.posted_at if known else self.clock.now()

    # What came of it

    async def message(self, number: int, rev: int = 0) -> StoredMessage:
        known = await self.mine.inbox.revisions(CHAT, MessageId(number))
        return next(one for one in known if one.rev == rev)

    async def signals(self, number: int) -> tuple[SignalRecord, ...]:
        return await self.mine.journal.signals_of_message(CHAT, MessageId(number))

    async def copies(self, number: int) -> tuple[Copy, ...]:
        signals = [record.signal_id for record in await self.signals(number)]
        return await self.mine.journal.copies_of_signals(signals)

    async def trades(self, number: int) -> list[Trade]:
        signals = [record.signal_id for record in await self.signals(number)]
        trades = await self.mine.journal.trades_of_signals(signals)
        return sorted(trades, key=lambda trade: trade.leg)

    async def intents(self) -> tuple[Intent, ...]:
        trades = await self.mine.journal.recent_trades()
        return await self.mine.journal.intents_of_trades([trade.trade_id for trade in trades])

    async def in_state(self, state: IntentState) -> list[Intent]:
        return [intent for intent in await self.intents() if intent.state is state]

    async def trace(self, number: int, rev: int = 0) -> tuple[TraceStep, ...]:
        key = MessageKey(chat=CHAT, message=MessageId(number), rev=rev)
        return await self.mine.journal.trace(key)

    async def set_rules(self, scope: str = "user", **doc: object) -> None:
        _, version = await self.mine.settings.get(scope)
        await self.mine.settings.put(scope, doc, version)

    async def set_mode(self, mode: CopyMode, chat: ChannelId = CHAT) -> None:
        channel = await self.mine.channels.get(chat)
        assert channel is not None
        await self.mine.channels.put(replace(channel, mode=mode))


@asynccontextmanager
async def a_fleet(*, started: bool = True, **parts: Any) -> AsyncIterator[Fleet]:
    """A user with a channel that is copied and one account; the worker ends with the block."""
    clock = LoopClock()
    fleet = Fleet(
        clock=clock,
        store=MemoryStore(cell=CELL),
        bus=MemoryBus(),
        broker=ScriptedBroker(clock),
        metrics=CountingMetrics(),
        credentials=PlainCredentials(),
        **parts,
    )
    profile = UserProfile(
        user_id=USER,
        telegram_id=1,
        display_name="Ann",
        tier="FREE",
        timezone="UTC",
        slot=slot(USER),
    )
    await fleet.store.fleet.add_user(profile)
    await fleet.credentials.put(USER, "telegram_session", Secret(planted("session")))
    await fleet.credentials.put(USER, "metaapi_token", Secret(planted("token")))
    channel = Channel(chat=CHAT, kind="channel", title="Gold", access_hash=1, mode=CopyMode.ON)
    await fleet.mine.channels.put(channel)
    account = Account(account_id=ACCOUNT, broker="metaapi", mode="DEMO", currency="USD")
    await fleet.mine.accounts.put(account)
    await fleet.mine.bot.set_wish(on=True, by="test")
    try:
        if started:
            await fleet.start()
        yield fleet
    finally:
        await fleet.kill()
