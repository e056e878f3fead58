"""States of copying at work: what each lets happen, and that closing everything is followed."""

import pytest

from kit.brokers import LOST, NO_MONEY
from kit.builders import ACCOUNT, CHAT, USER
from kit.clock import settle_down
from kit.fleet import GOLD_BUY, GOLD_LIMIT, Fleet
from signalfleet.app.copy_states import SCOPE, set_state, stop_all
from signalfleet.domain.accounts.notices import NoticeKind
from signalfleet.domain.settings.choices import CopyState
from signalfleet.domain.trading.intents import Action, IntentState, Lane
from signalfleet.domain.trading.records import TradeState
from signalfleet.ports.bus import WorkItem

USER_LEVEL = "user"
ACCOUNT_LEVEL = f"account:{ACCOUNT}"
CHANNEL_LEVEL = f"channel:{CHAT}"


async def put(fleet: Fleet, scope: str, state: CopyState, *, wait: float = 0.5) -> None:
    """Set a state as the page does: write it, then wake the owner."""
    if scope == USER_LEVEL and state is not CopyState.ON:
        await stop_all(fleet.mine, state)
    else:
        await set_state(fleet.mine, scope, state, lift=True)
    item = WorkItem(user=USER, kind="cmd", key=f"t:{scope}:{state}")
    await fleet.bus.publish_work(item)
    await settle_down(wait)


async def reason(fleet: Fleet, number: int) -> str | None:
    (record,) = await fleet.signals(number)
    return record.reason


@pytest.mark.parametrize("scope", [ACCOUNT_LEVEL, CHANNEL_LEVEL], ids=["account", "channel"])
@pytest.mark.parametrize(
    "state", [CopyState.CLOSE_ONLY, CopyState.PAUSED, CopyState.PANIC], ids=str
)
async def test_no_state_but_on_lets_an_entry_through(
    fleet: Fleet, scope: str, state: CopyState
) -> None:
    await put(fleet, scope, state, wait=5.5)
    number = await fleet.say(GOLD_BUY, wait=2)
    assert fleet.broker.received == []
    assert await reason(fleet, number) == state.value


async def test_the_strictest_level_counts(fleet: Fleet) -> None:
    await put(fleet, ACCOUNT_LEVEL, CopyState.CLOSE_ONLY)
    await put(fleet, CHANNEL_LEVEL, CopyState.PAUSED, wait=5.5)
    assert await reason(fleet, await fleet.say(GOLD_BUY, wait=2)) == "paused"
    await put(fleet, CHANNEL_LEVEL, CopyState.ON, wait=5.5)
    assert await reason(fleet, await fleet.say(GOLD_BUY, wait=2)) == "close_only"


async def test_close_only_still_follows_the_channel(fleet: Fleet) -> None:
    number = await fleet.say(GOLD_BUY, wait=2)
    await put(fleet, CHANNEL_LEVEL, CopyState.CLOSE_ONLY, wait=5.5)
    await fleet.say("close all now", reply_to=number, wait=5)
    assert [t.state for t in await fleet.trades(number)] == [TradeState.CLOSED] * 2


async def test_paused_still_closes_what_is_open(fleet: Fleet) -> None:
    number = await fleet.say(GOLD_BUY, wait=2)
    await put(fleet, ACCOUNT_LEVEL, CopyState.PAUSED, wait=5.5)
    await fleet.say("close all now", reply_to=number, wait=5)
    assert [t.state for t in await fleet.trades(number)] == [TradeState.CLOSED] * 2


async def test_paused_writes_down_what_the_user_wants_held_back(fleet: Fleet) -> None:
    _, version = await fleet.mine.settings.get("user")
    await fleet.mine.settings.put("user", {"when_paused": "nothing"}, version)
    number = await fleet.say(GOLD_BUY, wait=2)
    await put(fleet, ACCOUNT_LEVEL, CopyState.PAUSED, wait=5.5)
    sent = len(fleet.broker.received)
    follow_up = await fleet.say("close all now", reply_to=number, wait=5)
    assert len(fleet.broker.received) == sent
    assert (await fleet.message(follow_up)).reason == "follow_up_paused"


async def test_panic_closes_each_leg_once_and_cancels_what_waits(fleet: Fleet) -> None:
    bought = await fleet.say(GOLD_BUY, wait=2)
    waiting = await fleet.say("BUY LIMIT GOLD 2335 SL 2325 TP 2360", wait=2)
    assert [t.state for t in await fleet.trades(waiting)] == [TradeState.PENDING]
    await put(fleet, USER_LEVEL, CopyState.PANIC, wait=8)
    assert [t.state for t in await fleet.trades(bought)] == [TradeState.CLOSED] * 2
    assert [t.state for t in await fleet.trades(waiting)] == [TradeState.NEVER_OPENED]
    ending = [i for i in await fleet.intents() if i.cause.startswith("rule:panic")]
    assert sorted(i.action for i in ending) == [Action.CANCEL, Action.CLOSE, Action.CLOSE]
    assert {i.lane for i in ending} == {Lane.PROTECTIVE}
    told = [n.notice for n in await fleet.mine.notices.recent()]
    assert NoticeKind.STATE_CHANGED in [notice.kind for notice in told]


async def test_panic_goes_on_after_a_refusal_an_unknown_and_a_restart(fleet: Fleet) -> None:
    bought = await fleet.say(GOLD_BUY, wait=2)
    fleet.broker.answers.extend([NO_MONEY, LOST])
    await put(fleet, USER_LEVEL, CopyState.PANIC, wait=0.2)
    await fleet.restart()
    await settle_down(120)
    assert [t.state for t in await fleet.trades(bought)] == [TradeState.CLOSED] * 2
    assert not fleet.broker.book.positions


async def test_panic_of_a_channel_leaves_other_channels_trades(fleet: Fleet) -> None:
    await put(fleet, "account:" + ACCOUNT, CopyState.ON)
    number = await fleet.say(GOLD_BUY, wait=2)
    doc, version = await fleet.mine.settings.get(SCOPE)
    await fleet.mine.settings.put(SCOPE, {**doc, "channel:-1009": "panic"}, version)
    await settle_down(12)
    assert [t.state for t in await fleet.trades(number)] == [TradeState.OPEN] * 2


async def test_an_order_whose_entry_is_unknown_is_closed_once_it_is_known(fleet: Fleet) -> None:
    fleet.broker.answers.extend([LOST, LOST])
    number = await fleet.say(GOLD_BUY, wait=0.2)
    await put(fleet, USER_LEVEL, CopyState.PANIC, wait=180)
    states = {t.state for t in await fleet.trades(number)}
    assert states <= {TradeState.CLOSED, TradeState.NEVER_OPENED}
    assert not fleet.broker.book.positions


async def test_what_was_held_does_not_come_back_after_resuming(fleet: Fleet) -> None:
    await put(fleet, CHANNEL_LEVEL, CopyState.PANIC, wait=5.5)
    number = await fleet.say(GOLD_LIMIT, wait=2)
    await put(fleet, CHANNEL_LEVEL, CopyState.ON, wait=10)
    assert fleet.broker.received == []
    assert await reason(fleet, number) == "panic"


async def test_states_that_cannot_be_read_stop_entries(fleet: Fleet) -> None:
    await fleet.mine.settings.put(SCOPE, {"user": "whatever"}, 0)
    await settle_down(6)
    number = await fleet.say(GOLD_BUY, wait=2)
    assert fleet.broker.received == []
    assert await reason(fleet, number) == "close_only"
    assert not [i for i in await fleet.intents() if i.state is IntentState.SENDING]
