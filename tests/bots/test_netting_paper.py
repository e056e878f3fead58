"""A whole bot on a paper account that nets positions, from three targets to the end."""

from decimal import Decimal
from typing import cast

from kit.brokers import ScriptedBroker
from kit.builders import ACCOUNT
from kit.clock import settle_down
from kit.fleet import a_fleet
from signalfleet.adapters.paper.broker import PaperBroker, PaperTerms
from signalfleet.domain.money import Lots
from signalfleet.domain.trading.intents import IntentState
from signalfleet.domain.trading.records import CopyOutcome, TradeState
from signalfleet.ports.broker import Broker

THREE = "BUY GOLD 2350 SL 2340 TP 2360 TP 2370 TP 2380"


async def test_three_targets_are_taken_one_after_another_from_one_position() -> None:
    papers: list[PaperBroker] = []

    def on_paper(prices: Broker) -> Broker:
        clock = cast("ScriptedBroker", prices).clock
        terms = PaperTerms(is_hedging=False)
        papers.append(PaperBroker(prices, account=ACCOUNT, clock=clock, terms=terms))
        return papers[-1]

    async with a_fleet(wrap_broker=on_paper, started=False) as fleet:
        await fleet.start(wait=False)
        await settle_down(2)
        number = await fleet.say(THREE, wait=2)
        (record,) = await fleet.signals(number)
        assert record.outcome is CopyOutcome.FILLED
        (copy,) = await fleet.copies(number)
        assert "one_position" in cast("list[str]", copy.plan["caps"])
        whole = copy.lots.value
        kept = []
        for price in ("2360.10", "2370.10"):
            fleet.broker.price(price, str(Decimal(price) + Decimal("0.10")))
            await settle_down(40)
            (trade,) = await fleet.trades(number)
            kept.append(trade.volume_open.value / whole)
        assert kept[0] > kept[1] > 0
        fleet.broker.price("2380.10", "2380.20")
        await settle_down(40)
        (trade,) = await fleet.trades(number)
        assert (trade.state, trade.close_reason) == (TradeState.CLOSED, "take_profit")
        assert trade.volume_open == Lots(Decimal(0))
        assert trade.profit is not None
        assert trade.profit > 0
        intents = await fleet.intents()
        assert {one.state for one in intents} == {IntentState.ACCEPTED}
        done = sorted(one.cause for one in intents)
        assert done == ["entry", "rule:be_after_tp1", "rule:target:1", "rule:target:2"]
