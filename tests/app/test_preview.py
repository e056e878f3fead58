"""A message is planned without storing or sending anything; and what money it needs."""

from dataclasses import replace
from decimal import Decimal

import pytest

from kit.builders import ACCOUNT, CHAT, INSTALLATION, USER
from kit.counting_metrics import CountingMetrics
from kit.fleet import Fleet
from signalfleet.adapters.re2.client import Re2Compiler
from signalfleet.app.channel_profiles import ChannelProfiles
from signalfleet.app.desk import AccountDesk
from signalfleet.app.preview_signal import Preview, preview
from signalfleet.app.user_desk import UserDesk
from signalfleet.bootstrap.language import load_parser
from signalfleet.domain.accounts.tiers import OPERATOR
from signalfleet.domain.trading.plan import TradePlan
from signalfleet.domain.trading.settle import SettleRules
from signalfleet.ports.errors import RefusedError

BUY = "BUY GOLD NOW SL 2340 TP 2360 TP 2370"


@pytest.fixture
async def desk(fleet: Fleet) -> UserDesk:
    account = await fleet.mine.accounts.get(ACCOUNT)
    assert account is not None
    return UserDesk(
        user=USER,
        installation=INSTALLATION,
        store=fleet.mine,
        epoch=0,
        clock=fleet.clock,
        metrics=CountingMetrics(),
        parser=load_parser(),
        profiles=ChannelProfiles(fleet.mine.settings, load_parser(), Re2Compiler()),
        settle_rules=SettleRules(),
        accounts={ACCOUNT: AccountDesk(account, fleet.broker, fleet.clock)},
        quota=OPERATOR,
    )


def plan_of(found: Preview) -> TradePlan:
    ((plan,),) = [outcome.plans for outcome in found.outcomes]
    return plan


async def test_a_preview_shows_the_orders_and_leaves_nothing_behind(
    fleet: Fleet, desk: UserDesk
) -> None:
    found = await preview(desk, BUY, account=ACCOUNT, chat=CHAT)
    plan = plan_of(found)
    assert [trade.leg for trade in plan.trades] == [1, 2]
    assert fleet.broker.entries == []
    assert await fleet.mine.journal.recent_signals() == ()
    assert await fleet.intents() == ()
    stages = [step.stage for step in found.outcomes[0].trace]
    assert stages == ["checked", "sized", "decided"]


async def test_a_preview_is_made_with_the_settings_of_its_channel(
    fleet: Fleet, desk: UserDesk
) -> None:
    await fleet.set_rules(f"channel:{CHAT}", risk_percent="0.5")
    of_channel = plan_of(await preview(desk, BUY, account=ACCOUNT, chat=CHAT))
    of_none = plan_of(await preview(desk, BUY, account=ACCOUNT, chat=None))
    assert of_channel.sizing.asked_percent == Decimal("0.5")
    assert of_none.sizing.asked_percent == 1
    assert of_channel.settings != of_none.settings


async def test_a_preview_tells_each_check_of_a_refusal(desk: UserDesk) -> None:
    found = await preview(desk, "BUY GOLD NOW SL 2355 TP 2360", account=ACCOUNT, chat=CHAT)
    (outcome,) = found.outcomes
    assert outcome.plans == []
    assert outcome.reason is not None


async def test_another_users_account_or_channel_is_not_found(desk: UserDesk) -> None:
    with pytest.raises(RefusedError, match="no such account"):
        await preview(desk, BUY, account=type(ACCOUNT)("a_other"), chat=None)
    with pytest.raises(RefusedError, match="no such channel"):
        await preview(desk, BUY, account=ACCOUNT, chat=type(CHAT)(-42))


async def test_a_plan_that_the_account_cannot_carry_is_refused_whole(
    fleet: Fleet, desk: UserDesk
) -> None:
    account = desk.accounts[ACCOUNT]
    facts = await account.facts()
    needed = 47
    for free, sent in ((needed + 1, True), (needed - 1, False)):
        poor = replace(facts, free_margin=Decimal(free), read_at=fleet.clock.now())
        account._facts = poor
        found = await preview(desk, BUY, account=ACCOUNT, chat=CHAT)
        (outcome,) = found.outcomes
        assert bool(outcome.plans) is sent, outcome.reason
        assert sent or outcome.reason == "margin"
