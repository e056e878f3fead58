"""Records that were made as drafts are the records, frozen and equal, and ids are the same ids."""

from dataclasses import FrozenInstanceError, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.builders import ACCOUNT, USER, a_question, a_signal, a_trade, an_entry
from signalfleet.domain import ids
from signalfleet.domain.ids import AccountId, SignalId
from signalfleet.domain.money import Price
from signalfleet.domain.trading.drafts import drafts_of, finished
from signalfleet.domain.trading.intents import Action, Intent, OpenLeg
from signalfleet.domain.trading.plan import TradePlan, plan_signal
from signalfleet.domain.trading.records import Trade


@pytest.mark.parametrize("record", [a_trade(), an_entry(a_trade())], ids=["trade", "intent"])
def test_a_finished_draft_is_the_record_itself(record: Any) -> None:
    kind = type(record)
    values = {name: getattr(record, name) for name in kind.__slots__}
    made = finished(kind, drafts_of(kind)(**values))
    assert type(made) is kind
    assert (made, hash(made), repr(made)) == (record, hash(record), repr(record))
    assert replace(made, account=AccountId("a_other")) != made
    with pytest.raises(FrozenInstanceError):
        made.account = AccountId("a_other")


def test_a_draft_has_the_records_defaults_and_asks_for_the_rest() -> None:
    with pytest.raises(TypeError, match="trade_id"):
        drafts_of(Trade)()  # type: ignore[call-arg]
    made: Any = drafts_of(Intent)
    assert not hasattr(made, "lane"), "a draft does nothing but wait for its fields"


def test_what_a_plan_makes_can_be_read_changed_and_compared_like_any_record() -> None:
    plan = plan_signal(a_question(a_signal(targets=(Price.of("2360"), Price.of("2370")))))
    assert isinstance(plan, TradePlan)
    kinds = {type(one) for one in (*plan.intents, *plan.trades)}
    assert kinds | {type(one.command) for one in plan.intents} == {Intent, Trade, OpenLeg}
    assert [one.lane.value for one in plan.intents] == ["ENTRY"] * 2
    assert len(set(plan.intents)) == 2


@given(
    account=st.text("abcdef_0123456789", min_size=1, max_size=20).map(AccountId),
    signal=st.text("ABCDEFGH234567", min_size=1, max_size=16).map(SignalId),
    leg=st.integers(1, 920),
)
def test_the_names_of_a_copys_legs_are_those_that_each_leg_has_alone(
    account: AccountId, signal: SignalId, leg: int
) -> None:
    names = ids.CopyNames(USER, account, signal, Action.OPEN)
    trade = ids.trade_id(USER, account, signal, leg)
    assert names.trade(leg) == trade
    assert names.entry(trade) == ids.intent_id(USER, account, trade, Action.OPEN, "entry")
    other = ids.trade_id(USER, account, signal, leg + 1)
    assert other != trade
    assert ids.trade_id(USER, AccountId(f"{ACCOUNT}x{account}"), signal, leg) != trade
