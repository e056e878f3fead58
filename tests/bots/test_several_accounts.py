"""One account of a user that cannot be read, and many orders at once: the others get their turn."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from kit.brokers import Answer, ScriptedBroker
from kit.builders import ACCOUNT
from kit.clock import settle_down
from kit.fleet import Fleet, a_fleet
from signalfleet.domain.ids import AccountId
from signalfleet.domain.trading.records import CopyOutcome

ONE_LEG = "BUY GOLD 2350 SL 2340 TP 2360"
SECOND = AccountId("a_second")


@pytest.fixture
async def fleet() -> AsyncIterator[Fleet]:
    """A user with a second account, whose worker has not started yet."""
    async with a_fleet(started=False) as fleet:
        account = await fleet.mine.accounts.get(ACCOUNT)
        assert account is not None
        await fleet.mine.accounts.put(replace(account, account_id=SECOND, version=0))
        fleet.brokers[SECOND] = ScriptedBroker(fleet.clock)
        yield fleet


async def test_an_account_that_cannot_be_read_does_not_hold_up_the_others(fleet: Fleet) -> None:
    fleet.brokers[SECOND].unreadable = True
    await fleet.start()
    number = await fleet.say(ONE_LEG, wait=12)
    assert len(fleet.broker.entries) == 1
    assert fleet.brokers[SECOND].received == []
    (skipped,) = [copy for copy in await fleet.copies(number) if copy.account == SECOND]
    assert (skipped.outcome, skipped.reason) == (CopyOutcome.SKIPPED, "not_reconciled")


async def test_after_a_start_all_accounts_get_some_seconds_for_their_first_look(
    fleet: Fleet,
) -> None:
    fleet.brokers[SECOND].unreadable = True
    await fleet.start()
    await fleet.say(ONE_LEG, wait=1)
    assert fleet.broker.entries == []
    fleet.brokers[SECOND].unreadable = False
    await settle_down(10)
    assert len(fleet.broker.entries) == len(fleet.brokers[SECOND].entries) == 1


async def test_orders_that_settle_close_together_share_the_looks_that_follow_them() -> None:
    targets = " ".join(f"TP {price}" for price in (2360, 2365, 2370, 2375, 2380))
    async with a_fleet() as fleet:
        fleet.broker.answers.extend(Answer(takes=takes) for takes in (0.2, 0.4, 0.6, 0.8, 1.0))
        before = len(fleet.broker.looks)
        await fleet.say(f"BUY GOLD 2350 SL 2340 {targets}", wait=5)
        assert len(fleet.broker.entries) == 5
        assert len(fleet.broker.looks) - before <= 5, "one a second, whatever has settled"
