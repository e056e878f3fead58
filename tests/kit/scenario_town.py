"""The whole way a signal takes, in one process on virtual time.

Stock Telethon reads the simulated Telegram over a socket, the bot plans, and the MetaApi adapter
trades over HTTP with the simulated service. All ends of all sockets are in one event loop, so its
time may jump whenever none of them has anything to read.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any, Final

import pytest
from telethon.crypto import rsa
from telethon.network import mtprotostate

from kit.canaries import planted, planted_token
from kit.clock import START, LoopClock, MiddleChance, settle_down, until
from kit.counting_metrics import CountingMetrics
from kit.fleet import PlainCredentials
from kit.telegram_reader import session_for
from signalfleet.adapters.memory import MemoryStore
from signalfleet.adapters.memory.bus import MemoryBus
from signalfleet.adapters.metaapi.broker import MetaApiBroker
from signalfleet.adapters.metaapi.client import MetaApiClient
from signalfleet.adapters.metaapi.urls import MetaApiUrls
from signalfleet.adapters.paper.books import from_json
from signalfleet.adapters.paper.broker import PaperBroker
from signalfleet.adapters.paper.memory import StorePaperMemory
from signalfleet.adapters.re2.client import Re2Compiler
from signalfleet.adapters.telegram.client import GuardedClient
from signalfleet.adapters.telegram.gate import ConnectGate
from signalfleet.adapters.telegram.reader import TelethonChatSource
from signalfleet.adapters.telegram.settings import OwnServer, TelegramSettings
from signalfleet.app.connect_mt5 import connect_account
from signalfleet.app.paper_account import PAPER_ACCOUNT, ensure_paper_account
from signalfleet.bootstrap.language import load_parser
from signalfleet.bootstrap.prop_packs import load_packs
from signalfleet.bots.manager import UserBotManager
from signalfleet.bots.services import BotServices
from signalfleet.bots.sole_owner import SoleOwner
from signalfleet.domain.accounts.bot_state import BotState
from signalfleet.domain.accounts.tiers import FREE, limits_of
from signalfleet.domain.ids import AccountId, ChannelId, InstallationId, UserId, slot
from signalfleet.domain.risk.facts import NewsView
from signalfleet.domain.trading.settle import SettleRules
from signalfleet.ports.broker import Broker
from signalfleet.ports.bus import WorkItem
from signalfleet.ports.secrets import Secret
from signalfleet.ports.store import Account, Channel, CopyMode, Store, UserProfile, UserStore
from signalfleet_sim.market.seeded import SeededMarket
from signalfleet_sim.metaapi.server import MetaApiServer
from signalfleet_sim.metaapi.views import NO_LAGS
from signalfleet_sim.metaapi.world import Habits
from signalfleet_sim.telegram import SimChannel, SimUser, TelegramServer, World

USER: Final = UserId("u_scenarioscenario")
ACCOUNT: Final = AccountId("a_scenario")
FIRST: Final = "account"
SECOND: Final = "second"
PAPER: Final = "paper"
ACCOUNTS: Final = {FIRST: ACCOUNT, SECOND: AccountId("a_second"), PAPER: PAPER_ACCOUNT}
INSTALLATION: Final = InstallationId("in_scenario")
CELL: Final = "c1"
REGION: Final = "new-york"
TOKEN: Final = planted_token("scenario")
PHONE: Final = "+15550100"
LOOK: Final = timedelta(seconds=30)
TICK_S: Final = 1.0
PLANS: Final = {"ONE": replace(FREE, max_signal_channels=1)}


class TownClock:
    """One time for all: the simulators', Telethon's own, and the product's."""

    def __init__(self, start: datetime) -> None:
        self.product = LoopClock(start)
        self._start = start.timestamp()

    def time(self) -> float:
        return self._start + asyncio.get_running_loop().time()


@dataclass(frozen=True, slots=True)
class StillCalendar:
    """A calendar of news that is never read again."""

    news: NewsView

    def view(self) -> NewsView:
        return self.news


@dataclass(slots=True)
class Town:
    """The parts, and what a script does with them."""

    clock: TownClock
    store: MemoryStore
    bus: MemoryBus
    telegram: TelegramServer
    metaapi: MetaApiServer
    market: SeededMarket
    sim_accounts: dict[str, str]
    channels: dict[str, SimChannel]
    services: BotServices
    manager: UserBotManager | None = None
    task: asyncio.Task[None] | None = None

    @property
    def mine(self) -> UserStore:
        return self.store.user(USER)

    def chat(self, name: str) -> ChannelId:
        return ChannelId(self.channels[name].chat_id)

    @property
    def sim_account(self) -> str:
        return self.sim_accounts[FIRST]

    async def book(self, name: str = FIRST) -> Any:
        """Return what the broker of an account holds, without any lag."""
        if name == PAPER:
            doc, version = await self.mine.settings.get(f"paper:{PAPER_ACCOUNT}")
            empty = SimpleNamespace(positions={}, orders={}, deals=[])
            return from_json(PAPER_ACCOUNT, doc).book if version else empty
        account = self.metaapi.world.accounts[self.sim_accounts[name]]
        return account.broker.exchange.book(account.account_id)

    async def start(self) -> None:
        """Start a worker and wait until it reads the channels and knows the account."""
        looks = self._looks()
        self.manager = UserBotManager(self.services, cell=CELL, max_bots=1)
        owner = SoleOwner(
            self.store.fleet, self.services.clock, cell=CELL, worker="w1", slots=[slot(USER)]
        )
        self.task = asyncio.create_task(self.manager.run(owner), name="manager")
        await until(lambda: self._is_running() and self._looks() > looks)
        await settle_down(1)

    async def kill(self) -> None:
        """End the worker without giving it time for anything."""
        if self.task is None:
            return
        self.task.cancel()
        await asyncio.wait([self.task])
        self.task = None

    async def command(self, word: str) -> None:
        """Wake the bot as a page does after it has written something."""
        await self.bus.publish_work(WorkItem(user=USER, kind="cmd", key=word))
        await settle_down(1)

    def _is_running(self) -> bool:
        states = {} if self.manager is None else self.manager.states()
        return states.get(USER) is BotState.RUNNING

    def _looks(self) -> int:
        return sum(one["route"] == "positions" for one in self.metaapi.world.journal.calls)


@asynccontextmanager
async def a_town(
    *,
    start: datetime = START,
    tier: str = "OPERATOR",
    zone: str = "UTC",
    settings: Mapping[str, object] | None = None,
    news: NewsView | None = None,
    second: Mapping[str, Any] | None = None,
    has_paper: bool = False,
    **account: Any,
) -> AsyncIterator[Town]:
    """Build a town whose bot reads two channels, `gold` and `other`, for one account or two."""
    clock = TownClock(start)
    async with AsyncExitStack() as stack:
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        # The library takes the time for its message ids from the machine.
        patch.setattr(mtprotostate, "time", SimpleNamespace(time=clock.time))
        patch.setattr(rsa, "_server_keys", {})
        patch.setattr(GuardedClient, "_config", None)
        world = World(clock, random.Random(7))
        telegram = await stack.enter_async_context(TelegramServer(world, dcs=(2,)))
        market = SeededMarket(clock, random.Random(1), volatility=0.0)
        metaapi = await stack.enter_async_context(
            MetaApiServer(
                market,
                clock=clock,
                rng=random.Random(2),
                habits=Habits(lags=NO_LAGS, trade_latency_s=(0.005, 0.005)),
                tick_s=TICK_S,
            )
        )
        sim_accounts = {FIRST: metaapi.add_account(token=TOKEN, **account)}
        if second is not None:
            sim_accounts[SECOND] = metaapi.add_account(token=TOKEN, **second)
        reader = world.user(PHONE, "Ann")
        channels = {name: world.channel(name.title()) for name in ("gold", "other")}
        for channel in channels.values():
            channel.join(reader)
        store, credentials = MemoryStore(cell=CELL), PlainCredentials()
        http = await stack.enter_async_context(
            MetaApiClient(clock=clock.product, metrics=CountingMetrics())
        )
        bus = MemoryBus()
        services = _services(clock, store, bus, credentials, telegram, metaapi, http)
        if news is not None:
            services = replace(services, calendar=StillCalendar(news))
        services = replace(services, limits_of=lambda tier: PLANS.get(tier) or limits_of(tier))
        await credentials.put(USER, "telegram_session", session_for(world, reader))
        profile = UserProfile(
            user_id=USER,
            telegram_id=reader.user_id,
            display_name="Ann",
            tier=tier,
            timezone=zone,
            slot=slot(USER),
        )
        await store.fleet.add_user(profile)
        town = Town(
            clock=clock,
            store=store,
            bus=bus,
            telegram=telegram,
            metaapi=metaapi,
            market=market,
            sim_accounts=sim_accounts,
            channels=channels,
            services=services,
        )
        await _connect(town, credentials, world, reader)
        if has_paper:
            await _open_paper(town)
        await town.mine.settings.put("user", dict(settings or {}), 0)
        await town.mine.bot.set_wish(on=True, by="scenario")
        stack.push_async_callback(town.kill)
        await town.start()
        yield town


async def _connect(
    town: Town, credentials: PlainCredentials, world: World, reader: SimUser
) -> None:
    for channel in town.channels.values():
        await town.mine.channels.put(
            Channel(
                chat=ChannelId(channel.chat_id),
                kind="channel",
                title=channel.title,
                access_hash=world.access_hash(reader, channel.channel_id),
                mode=CopyMode.ON,
            )
        )
    token = Secret(TOKEN)
    for name, hosted in town.sim_accounts.items():
        account = Account(
            account_id=ACCOUNTS[name],
            broker="metaapi",
            mode="DEMO",
            metaapi_account_id=hosted,
            region=REGION,
        )
        broker = town.services.make_broker(USER, account, token)
        await connect_account(town.store, credentials, USER, account, token, broker)


async def _open_paper(town: Town) -> None:
    """Have the product itself make the paper account, for a channel that needs one."""
    chat = town.chat("other")
    channel = await town.mine.channels.get(chat)
    assert channel is not None
    paper = await town.mine.channels.put(replace(channel, mode=CopyMode.PAPER))
    assert await ensure_paper_account(town.mine)
    await town.mine.channels.put(replace(paper, mode=CopyMode.ON))


def _services(
    clock: TownClock,
    store: Store,
    bus: MemoryBus,
    credentials: PlainCredentials,
    telegram: TelegramServer,
    metaapi: MetaApiServer,
    http: MetaApiClient,
) -> BotServices:
    host, port = telegram.address
    server = OwnServer(dc=telegram.dc, host=host, port=port, public_key_pem=telegram.public_key_pem)
    reading = TelegramSettings(api_id=1, api_hash=Secret(planted("api-hash")), server=server)
    metrics = CountingMetrics()
    urls = MetaApiUrls(
        provisioning=metaapi.urls["METAAPI_PROVISIONING_URL"],
        client=metaapi.urls["METAAPI_CLIENT_URL"],
        public_only=False,
    )

    def make_source(_user: UserId, session: Secret) -> TelethonChatSource:
        return TelethonChatSource(
            session,
            reading,
            clock=clock.product,
            chance=MiddleChance(),
            metrics=metrics,
            gate=ConnectGate(clock.product, connects_per_s=100.0),
        )

    def make_broker(_user: UserId, account: Account, token: Secret | None) -> Broker:
        real = MetaApiBroker(
            http,
            account_id=account.metaapi_account_id or "",
            token=token or Secret(TOKEN),
            region=REGION,
            urls=urls,
            clock=clock.product,
            metrics=metrics,
        )
        if account.broker != PAPER:
            return real
        memory = StorePaperMemory(store.user(USER).settings, account.account_id)
        return PaperBroker(real, account=account.account_id, clock=clock.product, memory=memory)

    return BotServices(
        store=store,
        bus=bus,
        clock=clock.product,
        chance=MiddleChance(),
        metrics=metrics,
        parser=load_parser(),
        patterns=Re2Compiler(),
        credentials=credentials,
        installation=INSTALLATION,
        settle_rules=SettleRules(),
        look_interval=LOOK,
        wake_by_bus=False,
        packs=load_packs(),
        make_chat_source=make_source,
        make_broker=make_broker,
    )
