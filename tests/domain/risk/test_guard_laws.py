"""Laws of all guards: none of them opens, and none of them holds back what protects."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kit.builders import GOLD as INSTRUMENT
from kit.builders import a_gate, a_question, a_quote, a_trade, effective
from kit.clock import START
from signalfleet.domain.instruments.model import Side
from signalfleet.domain.money import Price
from signalfleet.domain.risk.exposure import currencies_of, exposures
from signalfleet.domain.risk.facts import Allowance, GuardFacts, LossLine, NewsEvent, NewsView
from signalfleet.domain.risk.moments import is_before_weekend
from signalfleet.domain.risk.refusal import Refusal
from signalfleet.domain.settings.calendar import HOURS, WeekTable
from signalfleet.domain.settings.choices import CopyState, Impact
from signalfleet.domain.signals.model import CancelPending, Close, MoveStop
from signalfleet.domain.trading.follow_up import plan_follow_up
from signalfleet.domain.trading.intents import CancelLeg, CloseLeg, ProtectLeg
from signalfleet.domain.trading.leg_commands import FollowUpQuestion
from signalfleet.domain.trading.plan import TradePlan, plan_signal
from signalfleet.domain.trading.records import TradeState

NEW_YORK = ZoneInfo("America/New_York")
GUARD_VALUES: dict[str, st.SearchStrategy[object]] = {
    "copy_state": st.sampled_from(["on", "close_only", "paused", "panic"]),
    "symbols_blocked": st.sampled_from([[], ["XAUUSD"]]),
    "symbols_allowed": st.sampled_from([[], ["EURUSD"], ["XAUUSD"]]),
    "sides_blocked": st.sampled_from([[], ["buy"], ["sell"]]),
    "orders_blocked": st.sampled_from([[], ["market"], ["limit", "stop"]]),
    "ignore_phrases": st.sampled_from([[], ["gold"]]),
    "trading_hours": st.sampled_from(["always", "mon 10:00-11:00", "sat 00:00-24:00"]),
    "weekend": st.sampled_from(["keep", "no_new 60", "no_new 9999", "close 9999"]),
    "news_window": st.sampled_from(["none", "30/15 high", "600/600 low"]),
    "news_blind": st.sampled_from(["allow", "refuse"]),
    "max_trades_per_day": st.sampled_from(["none", "1"]),
    "max_open_trades": st.sampled_from(["0", "5"]),
    "max_open_risk_percent": st.sampled_from(["0.5", "50"]),
    "max_currency_risk_percent": st.sampled_from(["0.5", "50"]),
    "daily_loss": st.sampled_from(["none", "0.5", "50 %", "60 money", "50 %, 60 money"]),
    "equity_stop": st.sampled_from(["0", "9999", "50 %", "99 %, 1 money"]),
    "loss_streak": st.sampled_from(["none", "1"]),
}
DOCS = st.fixed_dictionaries({}, optional=GUARD_VALUES)
NEWS = st.sampled_from(
    [
        NewsView(),
        NewsView(is_configured=True),
        NewsView(
            events=(NewsEvent(at=START, currency="USD", impact=Impact.HIGH, title="x"),),
            read_at=START,
            is_configured=True,
        ),
    ]
)


@st.composite
def facts(draw: st.DrawFn) -> GuardFacts:
    line = LossLine(
        name="loss of the day",
        code="daily_loss",
        key="daily_loss",
        anchor=Decimal(10_000),
        allowed=Decimal(draw(st.sampled_from([50, 5_000]))),
        limit="as drawn",
        in_percent=draw(st.booleans()),
        reached=draw(st.booleans()),
    )
    return GuardFacts(
        zone=draw(st.sampled_from([None, UTC, NEW_YORK])),
        allowances={"quota_trades_per_day": Allowance(used=draw(st.integers(0, 3)), limit=2)},
        losses=draw(st.sampled_from([(), (line,)])),
        balance=Decimal(10_000),
        equity=Decimal(draw(st.sampled_from([9_000, 10_000]))),
        is_live=draw(st.booleans()),
        market_zone=NEW_YORK,
        news=draw(NEWS),
    )


@settings(max_examples=150, deadline=None)
@given(doc=DOCS, known=facts(), halted=st.booleans())
def test_one_check_that_fails_opens_nothing_and_is_the_reason(
    doc: dict[str, Any], known: GuardFacts, halted: bool
) -> None:
    gate = a_gate(halted=halted, facts=known, text="BUY GOLD 2350")
    plan = plan_signal(a_question(gate=gate, effective=effective(**doc)))
    failed = [check for check in plan.checks if not check.passed]
    if isinstance(plan, TradePlan):
        assert failed == []
        assert doc.get("copy_state", "on") == "on"
        assert not halted
    elif failed:
        assert plan.code == failed[0].code
        assert all(check.code and check.name and check.value for check in plan.checks)


@settings(max_examples=100, deadline=None)
@given(doc=DOCS, known=facts())
def test_what_is_refused_stays_refused_when_the_guards_know_worse(
    doc: dict[str, Any], known: GuardFacts
) -> None:
    def plan(facts: GuardFacts) -> TradePlan | Refusal:
        return plan_signal(a_question(gate=a_gate(facts=facts), effective=effective(**doc)))

    if isinstance(plan(known), Refusal):
        worse = GuardFacts(
            zone=known.zone,
            allowances=known.allowances,
            losses=known.losses,
            balance=known.balance,
            equity=known.equity - 500,
            is_live=known.is_live,
            market_zone=known.market_zone,
            news=known.news,
        )
        assert isinstance(plan(worse), Refusal)


@settings(max_examples=100, deadline=None)
@given(doc=DOCS)
def test_no_guard_holds_back_a_close_a_cancel_or_a_tighter_stop(doc: dict[str, Any]) -> None:
    rules = effective(**doc).rules
    opened = a_trade(1, open_price=Price.of("2350"), stop_loss=Price.of("2340"))
    pending = a_trade(2, TradeState.PENDING)
    cases: tuple[tuple[Any, tuple[Any, ...], list[type]], ...] = (
        (Close(), (opened, pending), [CloseLeg, CancelLeg]),
        (CancelPending(), (pending,), [CancelLeg]),
        (MoveStop(to=Price.of("2345")), (opened,), [ProtectLeg]),
    )
    for action, trades, wanted in cases:
        plan = plan_follow_up(
            FollowUpQuestion(
                action=action,
                trades=trades,
                targets=(),
                canonical="XAUUSD",
                instrument=INSTRUMENT,
                quote=a_quote("2355.00", "2355.10"),
                rules=rules,
            )
        )
        assert [type(one.command) for one in plan.commands] == wanted


@pytest.mark.parametrize(
    ("symbol", "side", "expected"),
    [
        ("EURUSD", Side.BUY, {"EUR": 1, "USD": -1}),
        ("XAUUSD", Side.SELL, {"XAU": -1, "USD": 1}),
        ("NAS100", Side.BUY, {"US indices": 1}),
        ("US30", Side.SELL, {"US indices": -1}),
        ("DOGEUSD", Side.BUY, {"DOGE": 1, "USD": -1}),
    ],
    ids=["pair", "gold", "nasdaq", "dow", "coin"],
)
def test_what_a_trade_is_exposed_to(symbol: str, side: Side, expected: dict[str, int]) -> None:
    assert exposures(symbol, side, Decimal(1)) == expected


@pytest.mark.parametrize(
    ("symbol", "expected"),
    [
        ("EURUSD", {"EUR", "USD"}),
        ("XAUUSD", {"USD"}),
        ("GER40", {"EUR"}),
        ("GBPJPY", {"GBP", "JPY"}),
        ("NAS100", {"USD"}),
    ],
    ids=["pair", "gold", "dax", "cross", "nasdaq"],
)
def test_whose_news_moves_a_symbol(symbol: str, expected: set[str]) -> None:
    assert currencies_of(symbol) == expected


@pytest.mark.parametrize(
    ("now", "near"),
    [
        ("2026-03-06T20:59", False),
        ("2026-03-06T21:00", True),
        ("2026-03-08T20:59", True),
        ("2026-03-08T21:00", False),
        ("2026-03-13T19:59", False),
        ("2026-03-13T20:00", True),
        ("2026-03-11T12:00", False),
    ],
    ids=["before", "hour before", "sunday", "open", "summer before", "summer", "midweek"],
)
def test_the_weekend_follows_new_yorks_clock(now: str, near: bool) -> None:
    moment = datetime.fromisoformat(now).replace(tzinfo=UTC)
    assert is_before_weekend(moment, NEW_YORK, timedelta(hours=1)) is near


def test_hours_of_several_levels_are_those_in_common() -> None:
    joined = HOURS.read("mon-fri 08:00-17:00") | HOURS.read("mon 16:00-24:00; tue 00:00-09:00")
    assert joined.is_open(0, 16, 30)
    assert joined.is_open(1, 8, 30)
    assert not joined.is_open(0, 12, 0)
    assert not joined.is_open(1, 9, 0)
    assert (WeekTable() | joined).windows == joined.windows


def test_the_strictest_state_has_the_least_looseness() -> None:
    order = sorted(CopyState, key=lambda state: state.looseness)
    assert order == [CopyState.PANIC, CopyState.PAUSED, CopyState.CLOSE_ONLY, CopyState.ON]
