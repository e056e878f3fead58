"""An order that got out twice in spite of everything is found, told, and closed if wished."""

from kit.brokers import LOST, NEVER_CAME, late
from kit.clock import settle_down
from kit.fleet import Fleet
from signalfleet.domain.accounts.notices import NoticeKind
from signalfleet.domain.trading.intents import Action, Intent, IntentState
from signalfleet.domain.trading.orders import ClosePosition
from signalfleet.domain.trading.records import CopyOutcome, TradeState

ONE_LEG = "BUY GOLD 2350 SL 2340 TP 2360"
FOUND = ("signalfleet_duplicate_fills_total", ())


async def told(fleet: Fleet, kind: NoticeKind) -> list[str]:
    stored = await fleet.mine.notices.recent()
    return [str(one.notice.facts["text"]) for one in stored if one.notice.kind is kind]


async def in_doubt(fleet: Fleet) -> int:
    """Post a signal whose answer is lost; it is found a moment later."""
    fleet.broker.answers.append(LOST)
    number = await fleet.say(ONE_LEG, wait=5)
    assert len(fleet.broker.book.positions) == 1
    return number


def execute_again(fleet: Fleet) -> None:
    """Let the broker carry out the same order once more, as a frozen process might send it."""
    fleet.broker._execute(fleet.broker.entries[0])
    assert len(fleet.broker.book.positions) == 2


async def records(fleet: Fleet) -> list[Intent]:
    return [one for one in await fleet.intents() if one.cause.startswith("rec:duplicate:")]


async def test_a_second_position_of_one_leg_is_closed_and_the_older_one_stays(
    fleet: Fleet,
) -> None:
    number = await in_doubt(fleet)
    (first,) = fleet.broker.book.positions
    execute_again(fleet)
    await settle_down(70)
    assert list(fleet.broker.book.positions) == [first]
    (record,) = await records(fleet)
    assert (record.action, record.state) == (Action.CLOSE, IntentState.ACCEPTED)
    (trade,) = await fleet.trades(number)
    assert (trade.state, trade.position_id) == (TradeState.OPEN, str(first))
    assert fleet.metrics.counts[FOUND] == 1
    (text,) = await told(fleet, NoticeKind.DUPLICATE_FOUND)
    assert text.endswith("it is being closed")
    await settle_down(400)
    assert fleet.metrics.counts[FOUND] == 1


async def test_a_user_who_wants_to_decide_is_told_and_nothing_is_closed(fleet: Fleet) -> None:
    await fleet.set_rules(on_duplicate="notify")
    await in_doubt(fleet)
    execute_again(fleet)
    await settle_down(400)
    assert len(fleet.broker.book.positions) == 2
    (record,) = await records(fleet)
    assert (record.state, record.reason) == (IntentState.CANCELLED, "duplicate_left")
    (text,) = await told(fleet, NoticeKind.DUPLICATE_FOUND)
    assert text.endswith("it was left as it is")
    assert fleet.metrics.counts[FOUND] == 1


async def test_it_is_closed_though_the_look_that_found_it_could_not_be_ended(
    fleet: Fleet,
) -> None:
    """The account's money is read at each look, too, and may be out of reach just then."""
    await in_doubt(fleet)
    execute_again(fleet)
    fleet.broker.facts_hidden = True
    await settle_down(70)
    fleet.broker.facts_hidden = False
    await settle_down(70)
    assert len(fleet.broker.book.positions) == 1
    (record,) = await records(fleet)
    assert record.state is IntentState.ACCEPTED


async def test_what_was_told_before_a_restart_is_not_told_again(fleet: Fleet) -> None:
    await fleet.set_rules(on_duplicate="notify")
    await in_doubt(fleet)
    execute_again(fleet)
    await settle_down(70)
    await fleet.restart()
    await settle_down(400)
    assert fleet.metrics.counts[FOUND] == 1
    assert len(await records(fleet)) == 1


async def test_an_order_that_was_given_up_and_came_after_all_is_taken_up(fleet: Fleet) -> None:
    """Nobody else looks for it: the account is flat, so there are no other looks."""
    fleet.broker.answers.append(late(140))
    number = await fleet.say(ONE_LEG, wait=130)
    (trade,) = await fleet.trades(number)
    assert trade.state is TradeState.NEVER_OPENED
    await settle_down(60)
    (trade,) = await fleet.trades(number)
    (record,) = await fleet.signals(number)
    assert (trade.state, record.outcome) == (TradeState.OPEN, CopyOutcome.FILLED)
    assert str(trade.open_price) == "2350.00"
    kinds = fleet.metrics.labels_of("signalfleet_contradictions_total")
    assert kinds == [{"kind": "found_after_a_no"}]


async def test_the_last_search_is_five_minutes_after_the_doubt_was_settled(fleet: Fleet) -> None:
    fleet.broker.answers.append(late(300))
    number = await fleet.say(ONE_LEG, wait=330)
    (trade,) = await fleet.trades(number)
    assert trade.state is TradeState.NEVER_OPENED
    await settle_down(100)
    (trade,) = await fleet.trades(number)
    assert trade.state is TradeState.OPEN


async def test_a_restart_does_not_end_the_search(fleet: Fleet) -> None:
    fleet.broker.answers.append(late(300))
    number = await fleet.say(ONE_LEG, wait=200)
    await fleet.restart()
    await settle_down(250)
    (trade,) = await fleet.trades(number)
    assert trade.state is TradeState.OPEN


async def test_an_order_that_was_never_in_doubt_is_not_searched_for(fleet: Fleet) -> None:
    await fleet.say(ONE_LEG, wait=50)
    fleet.broker.looks.clear()
    await settle_down(400)
    assert not any(full for _, full in fleet.broker.looks)


async def test_a_search_that_finds_nothing_changes_nothing(fleet: Fleet) -> None:
    fleet.broker.answers.append(NEVER_CAME)
    number = await fleet.say(ONE_LEG, wait=500)
    (trade,) = await fleet.trades(number)
    assert trade.state is TradeState.NEVER_OPENED
    assert await records(fleet) == []
    assert not [o for o in fleet.broker.received if isinstance(o, ClosePosition)]


async def test_a_search_that_cannot_be_completed_is_not_made_without_a_pause(
    fleet: Fleet,
) -> None:
    fleet.broker.answers.append(NEVER_CAME)
    await fleet.say(ONE_LEG, wait=130)
    fleet.broker.incomplete = True
    fleet.broker.looks.clear()
    await settle_down(100)
    assert 1 < len(fleet.broker.looks) < 150
