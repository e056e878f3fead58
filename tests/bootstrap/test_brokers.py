"""Which broker serves an account, by environment and system."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from decimal import Decimal

import pytest

from kit.broker_houses import Mt5House, mt5_house
from kit.counting_metrics import CountingMetrics
from kit.fake_mt5 import LOGIN
from kit.wall_clock import WallClock
from signalfleet.adapters.metaapi.broker import MetaApiBroker
from signalfleet.adapters.metaapi.client import MetaApiClient
from signalfleet.adapters.metaapi.provisioning import FailedLogins
from signalfleet.adapters.metaapi.urls import MetaApiUrls
from signalfleet.adapters.mt5.broker import Mt5Broker
from signalfleet.adapters.paper.broker import PaperBroker
from signalfleet.bootstrap.brokers import BrokerKind, Brokers, LocalTerminal, choose_kind
from signalfleet.domain.ids import AccountId
from signalfleet.ports.errors import RefusedError, SignInRequiredError
from signalfleet.ports.secrets import Secret
from signalfleet.ports.store import Account

TOKEN = Secret("a.user.token")
ACCOUNT = Account(
    account_id=AccountId("a1"),
    broker="metaapi",
    mode="DEMO",
    metaapi_account_id="1eda642a-a9a3-457c-99af-3bc5e8d5c4c9",
    region="new-york",
    currency="USD",
)
NOT_AT_METAAPI = replace(ACCOUNT, metaapi_account_id=None)


def brokers(*, is_production: bool = False, platform: str = "linux") -> Brokers:
    clock, metrics = WallClock(), CountingMetrics()
    return Brokers(
        client=MetaApiClient(clock=clock, metrics=metrics),
        urls=MetaApiUrls(),
        clock=clock,
        metrics=metrics,
        is_production=is_production,
        platform=platform,
        failed_logins=FailedLogins(b"k" * 32, clock),
    )


def wished(kind: str, account: Account = ACCOUNT) -> Account:
    return replace(account, broker=kind)


@pytest.mark.parametrize("platform", ["linux", "win32"])
def test_production_trades_through_metaapi_only(platform: str) -> None:
    for kind in ("paper", "mt5_local"):
        with pytest.raises(RefusedError, match="MetaApi"):
            choose_kind(wished(kind), is_production=True, platform=platform)
    chosen = choose_kind(wished("metaapi"), is_production=True, platform=platform)
    assert chosen is BrokerKind.METAAPI


@pytest.mark.parametrize(
    ("kind", "platform", "chosen"),
    [
        ("metaapi", "linux", BrokerKind.METAAPI),
        ("paper", "linux", BrokerKind.PAPER),
        ("mt5_local", "win32", BrokerKind.MT5_LOCAL),
        ("mt5_local", "linux", BrokerKind.METAAPI),
    ],
)
def test_development_serves_each_wish_and_falls_back_to_metaapi(
    kind: str, platform: str, chosen: BrokerKind
) -> None:
    assert choose_kind(wished(kind), is_production=False, platform=platform) is chosen


def test_a_local_terminal_elsewhere_is_refused_with_what_to_do() -> None:
    account = wished("mt5_local", NOT_AT_METAAPI)
    with pytest.raises(RefusedError, match="use MetaApi"):
        choose_kind(account, is_production=False, platform="linux")


def test_a_broker_that_does_not_exist_is_refused_and_the_known_ones_are_named() -> None:
    with pytest.raises(RefusedError, match="metaapi, mt5_local, paper"):
        choose_kind(wished("mt4"), is_production=False)


async def test_each_kind_gets_its_own_broker() -> None:
    assert isinstance(brokers().make(wished("metaapi"), TOKEN), MetaApiBroker)
    assert isinstance(brokers().make(wished("paper"), TOKEN), PaperBroker)


async def test_a_live_account_never_trades_on_paper() -> None:
    with pytest.raises(RefusedError, match="live"):
        brokers().make(replace(wished("paper"), mode="LIVE"), TOKEN)


async def test_without_any_token_the_user_is_asked_to_sign_in() -> None:
    with pytest.raises(SignInRequiredError):
        brokers().make(ACCOUNT, None)
    made = brokers()
    made.platform_token = TOKEN
    assert isinstance(made.make(ACCOUNT, None), MetaApiBroker)


async def test_an_account_that_is_nowhere_is_refused() -> None:
    for kind in ("metaapi", "paper"):
        with pytest.raises(RefusedError, match="connect it again"):
            brokers().make(wished(kind, NOT_AT_METAAPI), TOKEN)


@pytest.fixture
async def house() -> AsyncIterator[Mt5House]:
    async with mt5_house() as house:
        yield house


def terminal(login: int = LOGIN) -> LocalTerminal:
    return LocalTerminal(
        account=ACCOUNT.account_id, login=login, password=Secret("p"), server="Fake-Demo"
    )


async def test_an_open_terminal_serves_its_own_account_and_no_other(house: Mt5House) -> None:
    made = brokers(platform="win32")
    async with AsyncExitStack() as stack:
        await made.open_terminal(terminal(), stack, house.module)
        broker = made.make(wished("mt5_local"), None)
        assert isinstance(broker, Mt5Broker)
        assert (await broker.account()).balance == Decimal(10_000)
        other = replace(wished("mt5_local"), account_id=AccountId("a2"))
        with pytest.raises(RefusedError, match="another account"):
            made.make(other, TOKEN)


async def test_a_terminal_that_does_not_open_leaves_the_account_to_metaapi(
    house: Mt5House,
) -> None:
    made = brokers(platform="win32")
    async with AsyncExitStack() as stack:
        await made.open_terminal(terminal(login=1), stack, house.module)
        assert isinstance(made.make(wished("mt5_local"), TOKEN), MetaApiBroker)
        with pytest.raises(RefusedError, match="not open"):
            made.make(wished("mt5_local", NOT_AT_METAAPI), TOKEN)


async def test_in_production_no_terminal_is_opened(house: Mt5House) -> None:
    async with AsyncExitStack() as stack:
        with pytest.raises(RefusedError, match="development"):
            await brokers(is_production=True).open_terminal(terminal(), stack, house.module)
