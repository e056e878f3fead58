"""A narrowed token stands for the user's only if it lives as long."""

import base64
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.broker_houses import MetaApiHouse, metaapi_house
from signalfleet.adapters.metaapi import limits
from signalfleet.adapters.metaapi.lifetime import ends_at, hours_to_ask, lives_as_long
from signalfleet.adapters.metaapi.provisioning import FailedLogins, MetaApiProvisioning
from signalfleet.adapters.metaapi.urls import MetaApiUrls
from signalfleet.ports.errors import SignInRequiredError
from signalfleet.ports.secrets import Secret

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def a_token(**claims: object) -> Secret:
    body = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return Secret(f"e30.{body}.c2ln")


def ending(days: float) -> Secret:
    return a_token(exp=int((NOW + timedelta(days=days)).timestamp()))


def test_a_narrowed_token_is_asked_for_as_long_as_the_one_that_it_replaces() -> None:
    assert hours_to_ask(ending(90), NOW) == 90 * 24
    assert hours_to_ask(ending(-1), NOW) == 1
    assert hours_to_ask(Secret("what.ever.form"), NOW) == limits.NARROW_HOURS


def test_a_token_of_a_day_does_not_replace_one_of_a_quarter() -> None:
    assert not lives_as_long(ending(1), ending(90))
    assert not lives_as_long(ending(1), Secret("no.claims.here"))
    assert lives_as_long(ending(90), ending(90))
    assert lives_as_long(a_token(sub="x"), ending(90))


@given(st.one_of(st.text(), st.dictionaries(st.text(), st.integers() | st.floats()).map(str)))
def test_whatever_a_token_says_of_itself_breaks_nothing(text: str) -> None:
    assert ends_at(Secret(text)) is None
    coded = base64.urlsafe_b64encode(text.encode(errors="replace")).decode()
    assert ends_at(Secret(f"a.{coded}.b")) is None


@pytest.mark.parametrize("exp", [True, "1", 1e300, -5, float("inf"), None, []], ids=repr)
def test_an_impossible_end_is_none(exp: object) -> None:
    assert ends_at(a_token(exp=exp)) is None


@pytest.fixture
async def house() -> AsyncIterator[MetaApiHouse]:
    async with metaapi_house() as opened:
        yield opened


def provisioning(house: MetaApiHouse, token: str) -> MetaApiProvisioning:
    urls = house.server.urls
    return MetaApiProvisioning(
        house.client,
        token=Secret(token),
        urls=MetaApiUrls(
            provisioning=urls["METAAPI_PROVISIONING_URL"],
            client=urls["METAAPI_CLIENT_URL"],
            profile=urls["METAAPI_PROFILE_URL"],
            public_only=False,
        ),
        clock=house.clock,
        failed=FailedLogins(b"k" * 32, house.clock),
    )


@pytest.mark.loopback
async def test_a_narrowed_token_reaches_its_account_for_years_and_no_other(
    house: MetaApiHouse,
) -> None:
    wide = "wide.user.token"
    mine = house.server.add_account(token=wide)
    other = house.server.add_account(token=wide)
    narrow = await provisioning(house, wide).narrow([mine])
    assert narrow is not None
    house.pass_time(timedelta(days=365).total_seconds())
    with_it = provisioning(house, narrow.reveal())
    assert (await with_it.account(mine)).is_ready
    assert [one.account_id for one in await with_it.accounts()] == [mine]
    with pytest.raises(Exception, match="NotFoundError"):
        await with_it.account(other)
    house.pass_time(timedelta(days=10 * 365).total_seconds())
    with pytest.raises(SignInRequiredError):
        await with_it.account(mine)
