"""Every reason against a trade is provoked: code, sentence, value, limit and source are told."""

import ast
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

import signalfleet
from kit.builders import (
    CHAT,
    GOLD,
    a_gate,
    a_question,
    a_quote,
    a_range,
    a_signal,
    account_facts,
    effective,
)
from kit.clock import START
from signalfleet.domain.ids import ChannelId
from signalfleet.domain.instruments.model import Side
from signalfleet.domain.instruments.sessions import TradeSessions
from signalfleet.domain.money import Lots, Price
from signalfleet.domain.risk.checks import OpenCopy
from signalfleet.domain.risk.facts import (
    Allowance,
    GuardFacts,
    LossLine,
    LossStreak,
    NewsEvent,
    NewsView,
    PackUse,
)
from signalfleet.domain.risk.refusal import Refusal
from signalfleet.domain.settings.choices import Impact
from signalfleet.domain.signals.model import Issue, OrderKind
from signalfleet.domain.trading.plan import plan_signal
from signalfleet.web.present.words import Words

ROOT = Path(signalfleet.__file__).parent
WORDS = Words.english()
PLANNING = (
    "domain/risk/*.py",
    "domain/trading/plan.py",
    "domain/trading/entry.py",
    "domain/trading/legs.py",
    "domain/trading/levels.py",
)
ELSEWHERE = {
    # Why entries are paused is the value of a check; the code is entries_paused.
    *("clock_unknown", "clock_wrong", "lease_ending", "lease_over", "stop_unknown", "store_slow"),
    # With the account at hand, in tests/bots/test_refusals.py.
    *("margin", "margin_level", "on_probation"),
}


def a_copy(**changes: Any) -> OpenCopy:
    fields: dict[str, Any] = {
        "channel": CHAT,
        "message": 1,
        "symbol": "XAUUSD",
        "side": Side.BUY,
        "entry": a_range("2330"),
        "stop": Price.of("2300"),
        "risk": Decimal(10),
        "decided_at": START - timedelta(minutes=5),
        "is_live": True,
    }
    return OpenCopy(**(fields | changes))


def knowing(**changes: Any) -> dict[str, Any]:
    """A question whose guards know this."""
    money = {"balance": Decimal(10_000), "equity": Decimal(10_000)}
    return {"gate": a_gate(facts=GuardFacts(**(money | changes)), text="BUY GOLD")}


def a_line(key: str, *, reached: bool = False) -> LossLine:
    return LossLine(
        name=key,
        code=key,
        key=key,
        anchor=Decimal(10_000),
        allowed=Decimal(50),
        limit="0.5 %",
        reached=reached,
    )


def a_calendar(**changes: Any) -> NewsView:
    event = NewsEvent(at=START, currency="USD", impact=Impact.HIGH, title="Payrolls")
    fields: dict[str, Any] = {"events": (event,), "read_at": START, "is_configured": True}
    return NewsView(**(fields | changes))


REFUSALS: dict[str, dict[str, Any]] = {
    "halted": {"gate": a_gate(halted=True)},
    "account_not_ready": {"gate": a_gate(connected=False)},
    "trading_disabled": {"gate": a_gate(trade_allowed=False)},
    "investor_password": {"gate": a_gate(investor=True)},
    "outcome_unknown": {"gate": a_gate(unknown_on_symbol=True, unknown_entries=1)},
    "entries_paused": {"gate": a_gate(paused="store_slow")},
    "not_reconciled": {"gate": a_gate(reconciled=False)},
    "netting_symbol_busy": {
        "account": account_facts(margin_mode="netting"),
        "gate": a_gate(symbol_held=True),
    },
    "symbol_blocked": {"effective": effective(symbols_blocked=["XAUUSD"])},
    "repeat_of": {"copies": [a_copy(entry=a_range("2350"), stop=Price.of("2340"))]},
    "too_old": {"gate": a_gate(posted_at=START - timedelta(seconds=47))},
    "stop_wrong_side": {"signal": a_signal(issues=(Issue.STOP_WRONG_SIDE,))},
    "target_wrong_side": {"signal": a_signal(issues=(Issue.TARGET_WRONG_SIDE,))},
    "opposite_open": {"copies": [a_copy(side=Side.SELL)]},
    "max_open": {"effective": effective(max_open_trades="1"), "copies": [a_copy()]},
    "symbol_open": {"copies": [a_copy(message=1), a_copy(message=2)]},
    "no_stop": {"signal": a_signal(stop=None)},
    "stop_distance": {"signal": a_signal(stop=None, stop_pips=Decimal(90_000))},
    "sl_passed": {"quote": a_quote("2340", "2340.10")},
    "tp_passed": {"quote": a_quote("2359.90", "2360")},
    "near_stop": {"quote": a_quote("2342", "2342.10")},
    "price_moved": {
        "quote": a_quote("2354", "2354.10"),
        "effective": effective(copy_pending=False),
    },
    "entry_passed": {
        "signal": a_signal(order=OrderKind.LIMIT),
        "quote": a_quote("2345", "2345.10"),
    },
    "order_kind_blocked": {
        "signal": a_signal(order=OrderKind.STOP),
        "quote": a_quote("2345", "2345.10"),
        "effective": effective(copy_pending=False),
    },
    "stale_quote": {"quote": replace(a_quote(), at=START - timedelta(seconds=11))},
    "spread": {"quote": a_quote("2348", "2350")},
    "r_left": {"signal": a_signal(targets=(Price.of("2351"),))},
    "stops_level": {"instrument": replace(GOLD, stops_level=2_000)},
    "no_balance": {"account": account_facts(balance=Decimal(0), equity=Decimal(0))},
    "below_min_lot": {"account": account_facts(balance=Decimal(500), equity=Decimal(500))},
    "open_risk": {"copies": [a_copy(risk=Decimal(450))]},
    "paused": {"effective": effective(copy_state="paused")},
    "close_only": {"effective": effective(copy_state="close_only")},
    "panic": {"effective": effective(copy_state="panic")},
    "quota_trades_per_day": knowing(
        allowances={"quota_trades_per_day": Allowance(used=10, limit=10)}
    ),
    "quota_channels": knowing(allowances={"quota_channels": Allowance(used=3, limit=2)}),
    "quota_open_positions": knowing(
        allowances={"quota_open_positions": Allowance(used=3, limit=3)}
    ),
    "zone_unknown": knowing(zone=None),
    "loss_limit_missing": knowing(is_live=True),
    "live_not_confirmed": knowing(is_live=True) | {"effective": effective(daily_loss="5")},
    "prop_pack_unknown": knowing(pack=PackUse(name="mine", is_known=False)),
    "prop_not_confirmed": knowing(pack=PackUse(name="mine", is_known=True, signals="allowed")),
    "prop_signals_forbidden": knowing(
        pack=PackUse(name="mine", is_known=True, signals="forbidden")
    ),
    "daily_loss": knowing(losses=(a_line("daily_loss", reached=True),)),
    "weekly_loss": knowing(losses=(a_line("weekly_loss", reached=True),)),
    "total_drawdown": knowing(losses=(a_line("total_drawdown"),)),
    "equity_stop": knowing() | {"effective": effective(equity_stop="9950 money")},
    "loss_streak": knowing(streak=LossStreak(losses=3, last_at=START))
    | {"effective": effective(loss_streak="3")},
    "symbol_not_allowed": {"effective": effective(symbols_allowed=["EURUSD"])},
    "side_blocked": {"effective": effective(sides_blocked=["buy"])},
    "phrase_ignored": knowing() | {"effective": effective(ignore_phrases=["gold"])},
    "already_taken": {
        "copies": [a_copy(channel=ChannelId(CHAT - 1), entry=a_range("2350"))],
    },
    "risk_shared": {
        "copies": [
            a_copy(channel=ChannelId(CHAT - 1), entry=a_range("2350"), risk=Decimal(200)),
        ],
        "effective": effective(cross_channel="split_risk"),
    },
    "day_count": {"copies": [a_copy()], "effective": effective(max_trades_per_day="1")},
    "closed_hours": {"effective": effective(trading_hours="sat 00:00-24:00")},
    "market_closed": {
        "instrument": replace(GOLD, sessions=TradeSessions.of([(0, 3600)])),
        "quote": replace(a_quote(), broker_ahead=timedelta(hours=2)),
    },
    "weekend": {"effective": effective(weekend="no_new 9999")},
    "news": knowing(news=a_calendar()),
    "news_blind": knowing(news=a_calendar(events=(), read_at=None, trouble="it is down"))
    | {"effective": effective(news_blind="refuse")},
    "currency_risk": {
        "copies": [a_copy(symbol="XAUEUR", risk=Decimal(250))],
    },
    "no_target": {"effective": effective(targets_used=["3"])},
    "no_rate": {"effective": effective(size_mode="risk_money", risk_money="100 CHF")},
    "size_not_set": {"effective": effective(size_mode="balance_ratio")},
    "over_max_lots": {
        "account": account_facts(margin_mode="netting"),
        "instrument": replace(GOLD, max_lots=Lots.of("0.05")),
        "signal": a_signal(targets=(Price.of("2360"), Price.of("2370"))),
    },
}
MORE: dict[str, dict[str, Any]] = {
    "no size without a stop": {
        "signal": a_signal(stop=None),
        "effective": effective(no_stop="allow"),
    },
    "no stop of one's own": {
        "signal": a_signal(stop=None),
        "effective": effective(no_stop="custom"),
    },
    "a stop below zero": {
        "signal": a_signal(stop=None),
        "effective": effective(no_stop="custom", custom_stop="90000 pips"),
    },
    "a stop too near": {"effective": effective(min_stop_distance="20 %")},
    "targets in R without a stop": {
        "signal": a_signal(stop=None, targets=()),
        "effective": effective(
            no_stop="allow", target_source="custom", custom_targets=["2 R"], size_mode="fixed_lots"
        ),
    },
    "reverse without a target": {
        "signal": a_signal(targets=(None,)),
        "effective": effective(reverse=True),
    },
    "an amount that is not set": {"effective": effective(size_mode="risk_money")},
    "a stop that the price has passed by": {
        "signal": a_signal(order=OrderKind.LIMIT, entry=a_range("2330")),
    },
    "too few steps": {
        "instrument": replace(GOLD, min_lots=Lots.of("0.5")),
    },
    "a limit through the entry": {
        "signal": a_signal(order=OrderKind.STOP),
        "quote": a_quote("2354", "2354.10"),
    },
}


def told(refusal: object) -> None:
    assert isinstance(refusal, Refusal), refusal
    failed = [check for check in refusal.checks if not check.passed]
    assert failed, f"{refusal.code} leaves no failed check in the trace"
    first = failed[0]
    assert first.code == refusal.code
    for check in failed:
        parts = {"name": check.name, "value": check.value, "limit": check.limit}
        empty = [key for key, part in (parts | {"source": check.source}).items() if not part]
        assert not empty, f"{check.code}: no {empty}"
    values = {"value": first.value, "limit": first.limit}
    assert WORDS.has("reason", refusal.code)
    assert "{" not in WORDS.reason(refusal.code, values)
    assert refusal.detail


@pytest.mark.parametrize("code", REFUSALS)
def test_each_reason_against_a_signal_is_told_whole(code: str) -> None:
    refusal = plan_signal(a_question(**REFUSALS[code]))
    assert isinstance(refusal, Refusal), refusal
    assert refusal.code == code
    told(refusal)


@pytest.mark.parametrize(
    ("issue", "changes", "sentence"),
    [
        (
            Issue.STOP_WRONG_SIDE,
            {"entry": a_range("2330", "2332"), "stop": Price.of("2340")},
            "The stop loss 2340 is on the wrong side of the entry 2330 to 2332.",
        ),
        (
            Issue.TARGET_WRONG_SIDE,
            {"entry": None, "targets": (Price.of("2325"), None)},
            "The target 2325 is on the wrong side of the entry at market.",
        ),
    ],
    ids=["stop", "target"],
)
def test_a_level_on_the_wrong_side_is_named(
    issue: Issue, changes: dict[str, Any], sentence: str
) -> None:
    refusal = plan_signal(a_question(a_signal(issues=(issue,), **changes)))
    assert isinstance(refusal, Refusal)
    failed = next(check for check in refusal.checks if not check.passed)
    assert WORDS.reason(failed.code, {"value": failed.value, "limit": failed.limit}) == sentence


@pytest.mark.parametrize("case", MORE)
def test_each_way_to_a_reason_is_told_whole(case: str) -> None:
    told(plan_signal(a_question(**MORE[case])))


def codes_of(*patterns: str) -> Iterator[str]:
    """Every word in the planning that has a sentence as a reason."""
    for pattern in patterns:
        for path in ROOT.glob(pattern):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                word = node.value if isinstance(node, ast.Constant) else None
                if isinstance(word, str) and WORDS.has("reason", word):
                    yield word


def test_no_reason_of_the_planning_is_left_out() -> None:
    assert set(codes_of(*PLANNING)) - ELSEWHERE <= set(REFUSALS)
