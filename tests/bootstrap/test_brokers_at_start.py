"""What a process refuses about brokers before it starts, and the terminal that it opens."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from kit.broker_houses import Mt5House, mt5_house
from kit.counting_metrics import CountingMetrics
from kit.fake_mt5 import LOGIN
from kit.store_rows import a_profile
from kit.wall_clock import WallClock
from kit.web_scene import CELL, USER
from signalfleet.adapters.memory.store import MemoryStore
from signalfleet.adapters.metaapi.client import MetaApiClient
from signalfleet.adapters.mt5.broker import Mt5Broker
from signalfleet.bootstrap.brokers import Brokers, brokers_of
from signalfleet.bootstrap.local_terminal import open_local_terminal
from signalfleet.bootstrap.settings import ConfigurationError, Environment, Settings

LOCAL: dict[str, Any] = {
    "mt5_local_user": str(USER),
    "mt5_local_login": LOGIN,
    "mt5_local_password": SecretStr("p"),
    "mt5_local_server": "Fake-Demo",
}
PRODUCTION: dict[str, Any] = {"environment": Environment.PRODUCTION}


def settings(**values: Any) -> Settings:
    return Settings(_env_file=None, **values)


def made_of(given: Settings, platform: str = "linux") -> Brokers:
    clock, metrics = WallClock(), CountingMetrics()
    client = MetaApiClient(clock=clock, metrics=metrics)
    brokers = brokers_of(given, client, clock, metrics)
    brokers.platform = platform
    return brokers


@pytest.mark.parametrize(
    "url",
    [
        "http://prov.example.com",
        "https://127.0.0.1",
        "https://metaapi.internal",
        "https://10.0.0.1",
    ],
)
@pytest.mark.parametrize(
    "name", ["metaapi_provisioning_url", "metaapi_client_url", "metaapi_profile_url"]
)
def test_production_does_not_start_with_an_address_that_is_not_metaapis(
    name: str, url: str
) -> None:
    with pytest.raises(ConfigurationError, match=name.upper()):
        made_of(settings(**PRODUCTION, **{name: url}))


def test_production_does_not_start_with_a_local_terminal() -> None:
    with pytest.raises(ValidationError, match="use MetaApi in production"):
        settings(**PRODUCTION, **LOCAL)


def test_production_starts_with_metaapi_and_elsewhere_a_simulator_may_be_used() -> None:
    assert made_of(settings(**PRODUCTION)).is_production
    assert not made_of(settings(metaapi_client_url="http://127.0.0.1:1/client")).is_production


@pytest.mark.parametrize("missing", sorted(LOCAL))
def test_half_a_local_terminal_is_refused(missing: str) -> None:
    if missing == "mt5_local_login":
        given = {**LOCAL, missing: 0}
    else:
        given = {name: value for name, value in LOCAL.items() if name != missing}
    with pytest.raises(ValidationError, match="go together"):
        settings(**given)


@pytest.fixture
async def house() -> AsyncIterator[Mt5House]:
    async with mt5_house() as opened:
        yield opened


async def a_store() -> MemoryStore:
    store = MemoryStore(cell=CELL)
    await store.fleet.add_user(a_profile(USER))
    return store


async def test_the_terminal_of_this_machine_becomes_its_users_account(house: Mt5House) -> None:
    given, store = settings(**LOCAL), await a_store()
    brokers = made_of(given, platform="win32")
    for _ in range(2):
        async with AsyncExitStack() as stack:
            await open_local_terminal(given, store, brokers, stack, house.module)
            (account,) = await store.user(USER).accounts.list()
            assert (account.broker, account.mode) == ("mt5_local", "DEMO")
            assert isinstance(brokers.make(account, None), Mt5Broker)


async def test_without_settings_no_terminal_is_opened(house: Mt5House) -> None:
    given, store = settings(), await a_store()
    async with AsyncExitStack() as stack:
        await open_local_terminal(given, store, made_of(given), stack, house.module)
    assert await store.user(USER).accounts.list() == ()


async def test_a_terminal_of_nobody_is_refused_at_start(house: Mt5House) -> None:
    given = settings(**LOCAL)
    async with AsyncExitStack() as stack:
        with pytest.raises(ConfigurationError, match="names nobody"):
            await open_local_terminal(
                given, MemoryStore(cell=CELL), made_of(given), stack, house.module
            )


async def test_where_no_terminal_can_be_there_is_no_account(house: Mt5House) -> None:
    given, store = settings(**LOCAL), await a_store()
    async with AsyncExitStack() as stack:
        await open_local_terminal(given, store, made_of(given), stack)
    assert await store.user(USER).accounts.list() == ()
