"""Accounts at MetaApi: added once whatever breaks, with the password of nobody in our hands."""

import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta

import aiohttp
import pytest

from kit.broker_houses import HandClock, MetaApiHouse, metaapi_house
from signalfleet.adapters.metaapi import limits
from signalfleet.adapters.metaapi.provisioning import FailedLogins, MetaApiProvisioning
from signalfleet.adapters.metaapi.urls import MetaApiUrls
from signalfleet.domain.errors import DomainError
from signalfleet.ports.errors import RefusedError, SignInRequiredError, TemporaryError
from signalfleet.ports.provisioning import (
    AccountRefusal,
    AccountRefusedError,
    NewAccount,
    NewDemoAccount,
)
from signalfleet.ports.secrets import Secret

pytestmark = pytest.mark.loopback

TOKEN = "provisioning.canary.token"
PASSWORD = "canary-password"
TRANSACTION = "A1" * 16
SERVER = "ClearHarbour-Demo"
WISH = NewAccount(
    name="SignalFleet",
    server=SERVER,
    region="new-york",
    magic=0,
    login="5000777",
    password=Secret("demo-password"),
    keywords=("Clear Harbour Markets Ltd",),
    notes={"installation": "i1"},
)
DRAFT = replace(WISH, login=None, password=None)


class MovingClock(HandClock):
    """Sleeping moves the simulator's time."""

    def __init__(self, house: MetaApiHouse) -> None:
        super().__init__(house.clock._hand)
        self._house = house
        self.slept: list[float] = []

    async def sleep(self, delay: timedelta) -> None:
        self.slept.append(delay.total_seconds())
        self._house.pass_time(delay.total_seconds())


@dataclass(frozen=True, slots=True, kw_only=True)
class Office:
    house: MetaApiHouse
    clock: MovingClock
    make: Callable[[str], MetaApiProvisioning]
    provisioning: MetaApiProvisioning

    def accounts(self) -> int:
        return len(self.house.server.world.accounts)


@asynccontextmanager
async def an_office() -> AsyncIterator[Office]:
    async with metaapi_house() as house:
        house.server.world.add_token(TOKEN)
        clock = MovingClock(house)
        failed = FailedLogins(b"k" * 32, clock)

        def make(token: str) -> MetaApiProvisioning:
            urls = MetaApiUrls(
                provisioning=house.server.urls["METAAPI_PROVISIONING_URL"], public_only=False
            )
            return MetaApiProvisioning(
                house.client, token=Secret(token), urls=urls, clock=clock, failed=failed
            )

        yield Office(house=house, clock=clock, make=make, provisioning=make(TOKEN))


@pytest.fixture
async def office() -> AsyncIterator[Office]:
    async with an_office() as office:
        yield office


async def test_an_account_is_added_once_its_settings_are_detected(office: Office) -> None:
    before = office.accounts()
    account_id = await office.provisioning.create(WISH, TRANSACTION)
    account = await office.provisioning.wait_until_ready(account_id)
    assert account.is_ready
    assert (account.server, account.region, account.login) == (SERVER, "new-york", "5000777")
    assert office.clock.slept[0] == 1.0
    assert office.accounts() == before + 1


@pytest.mark.parametrize("fault", ["execute_then_reset", "cut_body", "html_502", "503"])
async def test_the_same_transaction_after_a_lost_answer_adds_no_second_account(
    office: Office, fault: str
) -> None:
    before = office.accounts()
    office.house.server.add_fault(fault, route="create-account", nth=2)
    with pytest.raises(TemporaryError):
        await office.provisioning.create(WISH, TRANSACTION)
    first = await office.provisioning.create(WISH, TRANSACTION)
    assert await office.provisioning.create(WISH, TRANSACTION) == first
    assert office.accounts() == before + 1


async def test_detection_that_never_ends_is_given_up_after_ten_minutes(office: Office) -> None:
    office.house.server.add_fault(
        {"kind": "202", "n": 10_000, "retry_after": 60}, route="create-account", times=10_000
    )
    with pytest.raises(TemporaryError):
        await office.provisioning.create(WISH, TRANSACTION)
    assert sum(office.clock.slept) <= limits.DETECTION_LONGEST.total_seconds()


@pytest.mark.parametrize("shape", ["code", "string", "list"])
@pytest.mark.parametrize(
    ("code", "refusal"),
    [
        ("E_AUTH", AccountRefusal.WRONG_LOGIN),
        ("E_SRV_NOT_FOUND", AccountRefusal.SERVER_NOT_FOUND),
        ("E_SERVER_TIMEZONE", AccountRefusal.SERVER_SETTINGS),
    ],
)
async def test_each_refusal_is_known_in_each_of_its_three_shapes(
    office: Office, code: str, refusal: AccountRefusal, shape: str
) -> None:
    office.house.server.add_fault({"kind": code, "shape": shape}, route="create-account")
    with pytest.raises(AccountRefusedError) as caught:
        await office.provisioning.create(WISH, TRANSACTION)
    assert caught.value.refusal is refusal


async def test_a_login_that_was_refused_is_not_tried_again_for_a_day(office: Office) -> None:
    wrong = replace(WISH, password=Secret(PASSWORD))
    with pytest.raises(AccountRefusedError) as caught:
        await office.provisioning.create(wrong, TRANSACTION)
    assert caught.value.refusal is AccountRefusal.WRONG_LOGIN
    calls = len(office.house.server.world.journal.calls)
    with pytest.raises(AccountRefusedError) as caught:
        await office.provisioning.create(wrong, "B2" * 16)
    assert caught.value.refusal is AccountRefusal.REPEATED_LOGIN
    assert len(office.house.server.world.journal.calls) == calls
    assert PASSWORD not in repr(vars(office.provisioning._failed))
    await office.provisioning.create(WISH, "C3" * 16)
    office.house.pass_time(86_401)
    with pytest.raises(AccountRefusedError) as caught:
        await office.provisioning.create(wrong, "D4" * 16)
    assert caught.value.refusal is AccountRefusal.WRONG_LOGIN


async def test_a_full_quota_is_named(office: Office) -> None:
    office.house.server.world.habits = replace(
        office.house.server.world.habits, account_quota=0, detections=0
    )
    with pytest.raises(AccountRefusedError) as caught:
        await office.provisioning.create(WISH, TRANSACTION)
    assert caught.value.refusal is AccountRefusal.QUOTA


async def test_behind_a_configuration_link_the_user_gives_the_password_to_metaapi_itself(
    office: Office,
) -> None:
    account_id = await office.provisioning.create(DRAFT, TRANSACTION)
    assert (await office.provisioning.account(account_id)).is_draft
    link = await office.provisioning.configuration_link(account_id)
    assert "configure" not in repr(link)
    form = {"login": "5000778", "password": "demo-password"}
    async with (
        aiohttp.ClientSession() as browser,
        browser.post(link.reveal(), data=form) as response,
    ):
        assert response.status == 200
    await office.provisioning.deploy(account_id)
    account = await office.provisioning.wait_until_ready(account_id)
    assert account.login == "5000778"


async def test_a_draft_cannot_be_deployed(office: Office) -> None:
    account_id = await office.provisioning.create(DRAFT, TRANSACTION)
    with pytest.raises(RefusedError):
        await office.provisioning.deploy(account_id)


async def test_an_account_is_stopped_started_and_removed(office: Office) -> None:
    provisioning = office.provisioning
    account_id = await provisioning.create(WISH, TRANSACTION)
    await provisioning.wait_until_ready(account_id)
    await provisioning.undeploy(account_id)
    office.house.pass_time(5)
    assert (await provisioning.account(account_id)).state == "UNDEPLOYED"
    await provisioning.deploy(account_id)
    await provisioning.wait_until_ready(account_id)
    await provisioning.redeploy(account_id)
    await provisioning.wait_until_ready(account_id)
    assert [account.account_id for account in await provisioning.accounts()] == [account_id]
    await provisioning.remove(account_id)
    assert await provisioning.accounts() == ()
    with pytest.raises(RefusedError):
        await provisioning.account(account_id)


async def test_waiting_for_an_account_that_never_connects_ends(office: Office) -> None:
    account_id = await office.provisioning.create(DRAFT, TRANSACTION)
    with pytest.raises(TemporaryError, match="DRAFT"):
        await office.provisioning.wait_until_ready(account_id)
    assert sum(office.clock.slept) <= limits.READY_LONGEST.total_seconds() + 1


async def test_a_demo_account_is_opened_and_can_be_added(office: Office) -> None:
    wish = NewDemoAccount(
        server=SERVER,
        name="A User",
        email="user@example.com",
        phone="+15550100",
        account_type="demo",
    )
    login = await office.provisioning.open_demo_account(wish, TRANSACTION)
    assert login.password.reveal() not in repr(login)
    account = replace(WISH, login=login.login, password=login.password)
    assert await office.provisioning.create(account, "B2" * 16)


async def test_regions_are_listed(office: Office) -> None:
    assert "new-york" in await office.provisioning.regions()


async def test_the_token_of_another_user_reaches_nothing(office: Office) -> None:
    account_id = await office.provisioning.create(WISH, TRANSACTION)
    office.house.server.world.add_token("another.users.token")
    stranger = office.make("another.users.token")
    assert await stranger.accounts() == ()
    with pytest.raises(RefusedError):
        await stranger.configuration_link(account_id)


async def test_an_unknown_token_asks_the_user_to_sign_in(office: Office) -> None:
    with pytest.raises(SignInRequiredError):
        await office.make("un.known.token").accounts()


@pytest.mark.parametrize(("token", "reason"), [("onlyone", "account_token"), ("", "token_form")])
async def test_what_is_no_api_token_is_refused_before_it_is_sent(
    office: Office, token: str, reason: str
) -> None:
    with pytest.raises(SignInRequiredError) as caught:
        office.make(token)
    assert caught.value.reason == reason


@pytest.mark.parametrize(
    "wish",
    [
        replace(WISH, password=None),
        replace(WISH, login=None),
        replace(WISH, login="5000x"),
        replace(WISH, has_manual_trades=True, magic=7),
        replace(WISH, name=" "),
        replace(WISH, notes={"n": "x" * 1100}),
    ],
)
async def test_a_wish_that_metaapi_would_refuse_is_not_sent(
    office: Office, wish: NewAccount
) -> None:
    with pytest.raises(DomainError):
        await office.provisioning.create(wish, TRANSACTION)
    assert office.house.server.world.journal.calls_by({"route": "create-account"}) == []


@pytest.mark.parametrize(
    "transaction", ["", "short", "A" * 31, "A" * 33, "é" * 32, "A" * 31 + "\n"]
)
async def test_a_transaction_id_has_32_letters_and_digits(office: Office, transaction: str) -> None:
    with pytest.raises(DomainError):
        await office.provisioning.create(WISH, transaction)


async def test_neither_token_nor_password_shows_in_an_error_or_a_log(
    office: Office, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = replace(WISH, password=Secret(PASSWORD))
    with pytest.raises(AccountRefusedError) as caught:
        await office.provisioning.create(wrong, TRANSACTION)
    told = repr(caught.value) + repr(wrong) + "".join(capsys.readouterr())
    assert not re.search(f"{PASSWORD}|{TOKEN}", told)
