from dataclasses import replace
from datetime import UTC, datetime

import pytest

from signalfleet.domain.ids import MessageId, SignalId
from signalfleet.domain.instruments.model import Side
from signalfleet.domain.money import Price
from signalfleet.domain.signals.judge import Verdict, concerns, judge
from signalfleet.domain.signals.model import (
    Close,
    FollowUp,
    Issue,
    KnownSignal,
    MoveStop,
    PriceRange,
    Signal,
)
from signalfleet.domain.signals.profiles import ChannelProfile

SIGNAL = Signal(
    symbol="XAUUSD",
    side=Side.BUY,
    entry=PriceRange.of(Price.of(2350)),
    stop=Price.of(2340),
    targets=(Price.of(2360),),
)
KNOWN = KnownSignal(
    signal=SignalId("S"),
    message=MessageId(1),
    side=Side.BUY,
    opened_at=datetime(2026, 3, 2, tzinfo=UTC),
    symbol="XAUUSD",
    stop=Price.of(2340),
)


@pytest.mark.parametrize(
    ("confidence", "verdict"),
    [(100, Verdict.ACCEPT), (80, Verdict.ACCEPT), (79, Verdict.HOLD), (50, Verdict.HOLD)],
)
def test_an_open_is_accepted_held_or_ignored_by_its_confidence(
    confidence: int, verdict: Verdict
) -> None:
    assert judge(replace(SIGNAL, confidence=confidence)) is verdict
    assert judge(replace(SIGNAL, confidence=49)) is Verdict.IGNORE


def test_a_protective_follow_up_needs_less_than_one_that_adds_risk() -> None:
    tighter = FollowUp(action=MoveStop(to=Price.of(2345)), confidence=72)
    wider = FollowUp(action=MoveStop(to=Price.of(2330)), confidence=72)
    assert judge(tighter, known=KNOWN) is Verdict.ACCEPT
    assert judge(wider, known=KNOWN) is Verdict.HOLD
    assert judge(FollowUp(action=Close(), confidence=70)) is Verdict.ACCEPT


def test_a_signal_far_from_the_live_price_is_held() -> None:
    assert judge(SIGNAL, live_price=Price.of(2352)) is Verdict.ACCEPT
    assert judge(SIGNAL, live_price=Price.of(1900)) is Verdict.HOLD
    assert Issue.FAR_FROM_PRICE in concerns(SIGNAL, live_price=Price.of(1900))


def test_a_channel_in_approve_mode_or_with_a_new_layout_waits_for_the_user() -> None:
    assert judge(SIGNAL, must_be_approved=True) is Verdict.HOLD
    assert judge(SIGNAL, is_new_layout=True) is Verdict.HOLD
    assert Issue.NEW_LAYOUT in concerns(SIGNAL, is_new_layout=True)


def test_a_channels_own_limits_hold() -> None:
    strict = ChannelProfile(accept_at=95, hold_at=70)
    assert judge(replace(SIGNAL, confidence=90), profile=strict) is Verdict.HOLD
    assert judge(replace(SIGNAL, confidence=65), profile=strict) is Verdict.IGNORE
