"""When an order left, when it goes out again, and what is looked at directly before."""

import asyncio
from datetime import timedelta
from itertools import pairwise
from typing import cast

from kit.brokers import LOST, NEVER_CAME, REFUSED_CONNECTION, REQUOTE, Answer
from kit.builders import after
from kit.clock import settle_down
from kit.fleet import GOLD_BUY, Fleet, a_fleet
from signalfleet.domain.instruments.model import Quote
from signalfleet.domain.trading.intents import IntentState
from signalfleet.domain.trading.orders import BrokerOrder, ClosePosition
from signalfleet.domain.trading.outcomes import Outcome, Rejected
from signalfleet.domain.trading.records import CopyOutcome
from signalfleet.ports.broker import Broker, Gate

ONE_LEG = "BUY GOLD 2350 SL 2340 TP 2360"
FIVE_LEGS = "BUY GOLD 2350 SL 2340 TP 2360 TP 2370 TP 2380 TP 2390 TP 2400"


def busy(seconds: float) -> Answer:
    """Throttled: the broker says when to come again."""
    no = Rejected(
        code="TRADE_RETCODE_TOO_MANY_REQUESTS", text="", again=True, retry_at=after(seconds)
    )
    return Answer(says=no, executes=False)


async def outcome(fleet: Fleet, number: int) -> tuple[str | None, str | None]:
    (record,) = await fleet.signals(number)
    return record.outcome, record.reason


class TestTimeOfSending:
    async def test_it_is_written_with_the_answer_and_not_before(self, fleet: Fleet) -> None:
        fleet.broker.answers.append(Answer(takes=5.0))
        begun = fleet.clock.now()
        await fleet.say(ONE_LEG, wait=1)
        (intent,) = await fleet.intents()
        assert (intent.state, intent.sending_at) == (IntentState.SENDING, None)
        await settle_down(6)
        (intent,) = await fleet.intents()
        assert intent.sending_at is not None
        assert begun <= intent.sending_at < begun + timedelta(seconds=1)

    async def test_waiting_in_the_queue_does_not_use_up_the_time_of_a_doubt(
        self, fleet: Fleet
    ) -> None:
        """An order that left late is looked for as long as one that left at once."""
        fleet.broker.answers.extend([Answer(takes=15.0)] * 3 + [NEVER_CAME] * 4)
        await fleet.set_rules(max_signal_age="300", max_spread="1")
        await fleet.say(FIVE_LEGS, wait=30)
        intents = sorted(await fleet.intents(), key=lambda one: one.sending_at or one.created_at)
        late = intents[-1]
        assert late.sending_at is not None
        assert late.sending_at - late.created_at > timedelta(seconds=14)
        assert late.state is IntentState.UNKNOWN
        left = (late.sending_at + timedelta(seconds=99) - fleet.clock.now()).total_seconds()
        await settle_down(left)
        assert await fleet.in_state(IntentState.UNKNOWN) != []

    async def test_after_a_crash_the_doubt_counts_from_the_takeover(self) -> None:
        async with a_fleet() as fleet:
            await fleet.set_rules(max_signal_age="300")
            fleet.broker.answers.append(Answer(takes=40.0, executes=False))
            await fleet.say(ONE_LEG, wait=30)
            await fleet.restart()
            (intent,) = await fleet.intents()
            assert (intent.state, intent.reason) == (IntentState.UNKNOWN, "restarted")
            assert intent.sending_at is not None
            assert fleet.clock.now() - intent.sending_at < timedelta(seconds=5)
            await settle_down(90)
            assert len(fleet.broker.entries) == 1, "nothing is sent again before the window ends"
            await settle_down(30)
            assert len(fleet.broker.entries) == 2


class TestAgain:
    async def test_the_time_that_the_broker_names_is_waited_for(self, fleet: Fleet) -> None:
        fleet.broker.answers.append(busy(20))
        number = await fleet.say(ONE_LEG, wait=18)
        assert len(fleet.broker.entries) == 1
        assert (await fleet.in_state(IntentState.HELD)) != []
        await settle_down(5)
        assert len(fleet.broker.entries) == 2
        assert await outcome(fleet, number) == (CopyOutcome.FILLED, None)
        first, second = fleet.broker.entries
        assert (first.client_id[-2:], second.client_id[-2:]) == ("E0", "E1")

    async def test_an_entry_that_would_be_too_old_by_then_is_ended_in_time(
        self, fleet: Fleet
    ) -> None:
        fleet.broker.answers.append(busy(3_600))
        number = await fleet.say(ONE_LEG, wait=50)
        assert await outcome(fleet, number) == (CopyOutcome.EXPIRED, "too_old")

    async def test_an_entry_is_not_tried_a_third_time(self, fleet: Fleet) -> None:
        fleet.broker.answers.extend([busy(2), busy(4), busy(6)])
        number = await fleet.say(ONE_LEG, wait=30)
        assert len(fleet.broker.entries) == 2
        assert (await outcome(fleet, number))[0] is CopyOutcome.REJECTED

    async def test_a_close_is_asked_for_until_it_is_done_with_growing_pauses(self) -> None:
        stamps: list[Stamped] = []

        def wrap(broker: Broker) -> Broker:
            stamps.append(Stamped(broker))
            return cast("Broker", stamps[-1])

        async with a_fleet(wrap_broker=wrap) as fleet:
            number = await fleet.say(ONE_LEG, wait=40)
            fleet.broker.answers.extend([REQUOTE] * 6)
            await fleet.say("Close now", reply_to=number, wait=60)
            sent = stamps[-1].sent[1:]
            pauses = [round(b - a, 1) for a, b in pairwise(sent)]
            assert pauses == [0.5, 1.0, 2.0, 5.0, 5.0, 5.0]
            assert fleet.broker.book.positions == {}
            assert {type(order) for order in fleet.broker.received[1:]} == {ClosePosition}


class Stamped:
    """Passes everything on and notes when a request was made."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self.sent: list[float] = []

    def __getattr__(self, name: str) -> object:
        return getattr(self._broker, name)

    async def submit(self, order: BrokerOrder, gate: Gate) -> Outcome:
        self.sent.append(asyncio.get_running_loop().time())
        return await self._broker.submit(order, gate)


class SlowQuotes:
    """Passes everything on and takes its time between the price and the order."""

    def __init__(self, broker: Broker, seconds: float) -> None:
        self._broker = broker
        self.seconds = seconds
        self.quotes = 0

    def __getattr__(self, name: str) -> object:
        return getattr(self._broker, name)

    async def quote(self, symbol: str) -> Quote:
        self.quotes += 1
        found = await self._broker.quote(symbol)
        if self.quotes == 1:
            await settle_down(self.seconds)
        return found


class TestPriceAtHand:
    async def test_no_price_is_read_again_where_it_is_young_enough(self) -> None:
        slow: list[SlowQuotes] = []

        def wrap(broker: Broker) -> Broker:
            slow.append(SlowQuotes(broker, 1.5))
            return cast("Broker", slow[-1])

        async with a_fleet(wrap_broker=wrap) as fleet:
            await fleet.say(ONE_LEG, wait=2)
            assert len(fleet.broker.entries) == 1
            assert slow[-1].quotes == 1

    async def test_an_old_price_is_read_again_before_the_order_leaves(self) -> None:
        slow: list[SlowQuotes] = []

        def wrap(broker: Broker) -> Broker:
            slow.append(SlowQuotes(broker, 3.0))
            return cast("Broker", slow[-1])

        async with a_fleet(wrap_broker=wrap) as fleet:
            await fleet.say(ONE_LEG, wait=3.1)
            assert len(fleet.broker.entries) == 1
            assert slow[-1].quotes == 2
            assert fleet.metrics.labels_of("signalfleet_gate_refused_total") == []


async def test_another_signals_doubt_holds_back_what_was_already_decided(fleet: Fleet) -> None:
    fleet.broker.answers.extend([REFUSED_CONNECTION, NEVER_CAME])
    await fleet.say("BUY GOLD 2350 SL 2341 TP 2360", wait=0)
    await fleet.say("BUY GOLD 2350 SL 2330 TP 2380", wait=10)
    assert len(await fleet.in_state(IntentState.UNKNOWN)) == 1
    assert len(await fleet.in_state(IntentState.HELD)) == 1
    assert len(fleet.broker.entries) == 1


async def test_it_goes_out_once_the_doubt_is_settled(fleet: Fleet) -> None:
    fleet.broker.answers.extend([REFUSED_CONNECTION, LOST])
    await fleet.say("BUY GOLD 2350 SL 2341 TP 2360", wait=0)
    await fleet.say("BUY GOLD 2350 SL 2330 TP 2380", wait=10)
    assert sorted(fleet.broker.opened().values()) == [1, 1]


async def test_legs_of_one_signal_do_not_wait_for_each_others_doubt(fleet: Fleet) -> None:
    fleet.broker.answers.append(LOST)
    await fleet.say(GOLD_BUY, wait=0.1)
    assert len(fleet.broker.entries) == 2
