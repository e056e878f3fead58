"""The pages of connecting MetaTrader, the worker's desk behind them, and MetaApi's simulator."""

import asyncio
import json
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from cryptography.fernet import Fernet

from kit.canaries import planted, planted_token
from kit.counting_metrics import CountingMetrics
from kit.owner_desks import owner_desks
from kit.wall_clock import WallClock
from kit.web_scene import CELL, USER
from kit.web_site import Site, serve
from signalfleet.adapters.memory.bus import MemoryBus
from signalfleet.adapters.metaapi.client import MetaApiClient
from signalfleet.adapters.secrets import (
    FernetKeyService,
    IntakeOpener,
    IntakeSealer,
    SecureCredentialStore,
    new_intake_keys,
)
from signalfleet.adapters.sql import SqlStore, migrate
from signalfleet.app.connect_mt5 import TOKEN_FIELD, ConnectMt5
from signalfleet.bootstrap.brokers import Brokers, brokers_of
from signalfleet.bootstrap.settings import Settings
from signalfleet.bots.account_desk import AccountDesk
from signalfleet.domain.ids import slot
from signalfleet.ports.broker import Broker
from signalfleet.ports.bus import LiveEvent, Plain, WorkItem
from signalfleet.ports.secrets import Secret
from signalfleet.ports.store import Account, UserProfile
from signalfleet_sim.market.clock import WallClock as SimWallClock
from signalfleet_sim.market.seeded import SeededMarket
from signalfleet_sim.metaapi.accounts import Login, Pace
from signalfleet_sim.metaapi.server import MetaApiServer
from signalfleet_sim.metaapi.views import NO_LAGS
from signalfleet_sim.metaapi.world import Habits

TOKEN = planted_token("metaapi")
SERVER = "ClearHarbour-Demo"
LOGIN = "40017"
PASSWORD = planted("mt5") + "!"


class HastyClock(WallClock):
    """Does not wait for the seconds between two looks at MetaApi."""

    async def sleep(self, delay: timedelta) -> None:
        await asyncio.sleep(min(delay.total_seconds(), 0.02))


class RecordingBus(MemoryBus):
    """Keeps all that is said over it, as a listener on the bus would hear it."""

    def __init__(self) -> None:
        super().__init__()
        self.said: list[str] = []

    async def request(self, address: str, question: Plain, *, limit_s: float = 10.0) -> Plain:
        self.said.append(json.dumps(question))
        answer = await super().request(address, question, limit_s=limit_s)
        self.said.append(json.dumps(answer))
        return answer

    async def publish_event(self, event: LiveEvent) -> None:
        self.said.append(repr(event))
        await super().publish_event(event)

    async def publish_work(self, item: WorkItem) -> None:
        self.said.append(repr(item))
        await super().publish_work(item)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mt5Site:
    """A signed-in visitor of the pages. `brokers` makes what the worker would use."""

    site: Site
    metaapi: MetaApiServer
    store: SqlStore
    bus: RecordingBus
    credentials: SecureCredentialStore
    brokers: Brokers
    connect: ConnectMt5
    folder: Path

    async def until(self, *words: str) -> str:
        """Look at the page again until it shows one of the words."""
        async with asyncio.timeout(10):
            while True:
                page = await self.site.page("/connect/mt5")
                assert page.status == 200, page.text
                if any(word in page.text for word in words):
                    return page.text
                await asyncio.sleep(0.02)

    async def give_token(self, token: str = TOKEN) -> str:
        answer = await self.site.press("/connect/mt5/token", token=token)
        return answer.text if answer.status != 303 else await self.until("A new account")

    async def add(self, **form: str) -> str:
        """Press a button of the second step and return the page that follows."""
        given = {"server": SERVER, "region": "new-york", **form}
        answer = await self.site.press("/connect/mt5/add", **given)
        return answer.text if answer.status != 303 else ""

    async def stored_token(self) -> str | None:
        found = await self.credentials.get(USER, TOKEN_FIELD)
        return found.reveal() if found is not None else None

    async def accounts(self) -> tuple[Account, ...]:
        return await self.store.user(USER).accounts.list()

    def broker(self, account: Account, token: str) -> Broker:
        return self.brokers.make(account, Secret(token))


def a_metaapi(habits: Habits) -> MetaApiServer:
    """Make a simulator that is quick, and knows one token and one login at a broker."""
    server = MetaApiServer(
        SeededMarket(SimWallClock(), random.Random(1), volatility=0.0),
        rng=random.Random(2),
        habits=replace(habits, pace=Pace(speed=100)),
    )
    server.world.add_token(TOKEN)
    server.world.logins[SERVER, LOGIN] = Login(
        password=PASSWORD, investor_password="look-only", terms={"balance": 7_500}
    )
    return server


def settings_for(server: MetaApiServer, **more: Any) -> Settings:
    """Point the product's settings at a simulator that runs."""
    urls = server.urls
    return Settings(
        _env_file=None,
        metaapi_provisioning_url=urls["METAAPI_PROVISIONING_URL"],
        metaapi_client_url=urls["METAAPI_CLIENT_URL"],
        metaapi_profile_url=urls["METAAPI_PROFILE_URL"],
        **more,
    )


@asynccontextmanager
async def mt5_site(
    folder: Path, *, habits: Habits | None = None, cookie_secure: bool = True
) -> AsyncIterator[Mt5Site]:
    """Open everything; MetaApi knows one token, and one login at one of its brokers."""
    clock, metrics, bus = HastyClock(), CountingMetrics(), RecordingBus()
    database = f"sqlite:///{folder / 'store.db'}"
    await asyncio.to_thread(migrate, database)
    store = await SqlStore.open(database, cell=CELL)
    profile = UserProfile(
        user_id=USER,
        telegram_id=None,
        display_name="Dana",
        tier="FREE",
        timezone="UTC",
        slot=slot(USER),
    )
    await store.fleet.add_user(profile)
    keys = FernetKeyService(Secret(Fernet.generate_key().decode()))
    credentials = SecureCredentialStore(store, keys)
    server = a_metaapi(habits or Habits(lags=NO_LAGS))
    private, public = new_intake_keys()
    try:
        async with server, MetaApiClient(clock=clock, metrics=metrics) as client:
            brokers = brokers_of(settings_for(server), client, clock, metrics)
            connect = ConnectMt5(
                store,
                credentials,
                clock,
                provisioning=brokers.provisioning,
                broker=lambda _user, account, token: brokers.make(account, token),
            )
            desk = AccountDesk(
                store=store,
                bus=bus,
                clock=clock,
                opener=IntakeOpener(private),
                connect=connect,
                needs_token=True,
            )
            async with (
                asyncio.TaskGroup() as tasks,
                serve(
                    store,  # type: ignore[arg-type]  # The real one serves as well.
                    bus=bus,
                    sealer=IntakeSealer(public),
                    cookie_secure=cookie_secure,
                ) as site,
            ):
                running = tasks.create_task(desk.run(), name="account_desk")
                await desk.ready.wait()
                await site.sign_in()
                async with owner_desks(bus, USER, mt5=desk.answer):
                    yield Mt5Site(
                        site=site,
                        metaapi=server,
                        store=store,
                        bus=bus,
                        credentials=credentials,
                        brokers=brokers,
                        connect=connect,
                        folder=folder,
                    )
                running.cancel()
    finally:
        await store.aclose()
