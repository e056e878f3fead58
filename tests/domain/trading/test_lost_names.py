"""What simulated seeds found: legs without client ids, and looks older than the look before."""

from kit.builders import (
    a_look,
    a_trade,
    after,
    an_entry,
    an_intent,
    ended_order_of,
    position_of,
    unnamed,
)
from signalfleet.domain.money import Price
from signalfleet.domain.trading.intents import CloseLeg, IntentState
from signalfleet.domain.trading.matching import facts_of
from signalfleet.domain.trading.reconcile import LookInput, is_done, reconcile
from signalfleet.domain.trading.records import TradeState
from signalfleet.domain.trading.settle import SettleRules

FIRST = a_trade(1, TradeState.OPENING, take_profit=Price.of("2360"))
SECOND = a_trade(2, TradeState.OPENING, take_profit=Price.of("2370"))


def test_a_leg_does_not_take_the_nameless_position_of_another_leg() -> None:
    # Taking it would prove the other leg absent, and that leg would be sent a second time.
    intents = [an_entry(leg, IntentState.UNKNOWN) for leg in (FIRST, SECOND)]
    nameless = unnamed(position_of(SECOND, position_id="P2"))
    snapshot = a_look(nameless)
    findings = reconcile(
        LookInput(
            trades=[FIRST, SECOND],
            intents=intents,
            snapshot=snapshot,
            now=after(1),
            rules=SettleRules(),
            first_absent={},
        )
    )
    assert [intent.trade for intent in findings.intents] == [SECOND.trade_id]
    assert not findings.unclear


def test_a_position_that_an_older_look_does_not_show_is_not_called_closed() -> None:
    trade = a_trade(1, TradeState.OPEN, open_price=Price.of("2350"))
    close = an_intent(trade, CloseLeg())
    snapshot = a_look()
    assert is_done(close, trade, facts_of(trade, snapshot), snapshot) is None


def test_a_filled_order_is_followed_to_its_nameless_position() -> None:
    trade = a_trade(1, TradeState.PENDING, order_id="O1", position_id=None)
    held = unnamed(position_of(trade, position_id="P1"))
    filled = ended_order_of(trade, "filled", order_id="O1", position_id="P1")
    facts = facts_of(trade, a_look(held, filled))
    assert [position.position_id for position in facts.positions] == ["P1"]
