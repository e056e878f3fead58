"""The last look before an order leaves: every rule that holds it back, and what it lets by."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import timedelta

import pytest

from kit.brokers import REFUSED_CONNECTION
from kit.builders import ACCOUNT, USER
from kit.clock import settle_down
from kit.fleet import Fleet, a_fleet
from signalfleet.app.execute_gate import check_gate
from signalfleet.app.store_pulse import StorePulse
from signalfleet.app.user_desk import UserDesk
from signalfleet.domain.ids import UserId
from signalfleet.domain.trading.intents import CloseLeg, Intent
from signalfleet.domain.trading.records import CopyOutcome
from signalfleet.ports.errors import NotSentError

ONE_LEG = "BUY GOLD 2350 SL 2340 TP 2360"


@dataclass(slots=True)
class HandLease:
    """A hold of ten seconds on the slot, as old as the test says."""

    age: float = 0.0
    ttl_s: float = 10.0

    def age_s(self) -> float:
        return self.age


async def held_entry(fleet: Fleet) -> tuple[UserDesk, Intent]:
    """Return the user's desk and an entry that did not leave, with a fresh price at hand."""
    fleet.broker.answers.extend([REFUSED_CONNECTION] * 100)
    await fleet.say(ONE_LEG, wait=0)
    desk = fleet.manager.active_bots[USER]._desk
    (intent,) = await fleet.intents()
    await desk.accounts[ACCOUNT].quote("XAUUSD")
    return desk, intent


def refusal(desk: UserDesk, intent: Intent) -> str | None:
    try:
        check_gate(desk, intent)
    except NotSentError as error:
        return error.reason
    return None


def a_close(intent: Intent) -> Intent:
    return replace(intent, command=CloseLeg())


async def test_a_fresh_entry_at_a_fresh_price_passes(fleet: Fleet) -> None:
    desk, intent = await held_entry(fleet)
    assert refusal(desk, intent) is None


Change = Callable[[Fleet, UserDesk], Awaitable[None]]


async def halt(fleet: Fleet, desk: UserDesk) -> None:
    desk.halted = True


async def slow_store(fleet: Fleet, desk: UserDesk) -> None:
    now = desk.clock.monotonic()
    desk.pulse.committed(now - 6.0, now - 4.5)


async def no_clock(fleet: Fleet, desk: UserDesk) -> None:
    desk.clock_offset = None


async def clock_behind(fleet: Fleet, desk: UserDesk) -> None:
    desk.clock_offset = timedelta(seconds=10.5)


async def clock_ahead(fleet: Fleet, desk: UserDesk) -> None:
    desk.clock_offset = timedelta(seconds=-10.5)


async def old_lease(fleet: Fleet, desk: UserDesk) -> None:
    desk.lease = HandLease(age=6.0)


async def ending_lease(fleet: Fleet, desk: UserDesk) -> None:
    desk.lease = HandLease(age=4.5)


async def old_price(fleet: Fleet, desk: UserDesk) -> None:
    quotes = desk.accounts[ACCOUNT]._quotes
    quotes["XAUUSD"] = (quotes["XAUUSD"][0], desk.clock.monotonic() - 2.1)


async def no_price(fleet: Fleet, desk: UserDesk) -> None:
    desk.accounts[ACCOUNT]._quotes.clear()


def at_price(bid: str, ask: str) -> Change:
    async def change(fleet: Fleet, desk: UserDesk) -> None:
        fleet.broker.price(bid, ask)
        await desk.accounts[ACCOUNT].quote("XAUUSD")

    return change


async def too_late(fleet: Fleet, desk: UserDesk) -> None:
    fleet.clock.offset = timedelta(seconds=46)
    await desk.accounts[ACCOUNT].quote("XAUUSD")


@pytest.mark.parametrize(
    ("change", "rule", "is_for_entries_only"),
    [
        (halt, "halted", True),
        (slow_store, "store_slow", True),
        (no_clock, "clock_unknown", True),
        (clock_behind, "clock_wrong", True),
        (clock_ahead, "clock_wrong", True),
        (old_lease, "lease_over", False),
        (ending_lease, "lease_ending", True),
        (old_price, "stale_quote", True),
        (no_price, "stale_quote", True),
        (too_late, "too_old", True),
        (at_price("2352.50", "2352.60"), "price_moved", True),
        (at_price("2340.00", "2340.10"), "sl_passed", True),
        (at_price("2360.00", "2360.10"), "tp_passed", True),
    ],
    ids=(
        "halt slow-store no-clock clock-behind clock-ahead old-lease ending-lease old-price "
        "no-price too-late moved stop-passed target-passed"
    ).split(),
)
async def test_each_rule_holds_an_entry_back(
    fleet: Fleet, change: Change, rule: str, is_for_entries_only: bool
) -> None:
    desk, intent = await held_entry(fleet)
    await change(fleet, desk)
    assert refusal(desk, intent) == rule
    assert {"rule": rule} in fleet.metrics.labels_of("signalfleet_gate_refused_total")
    assert refusal(desk, a_close(intent)) == (None if is_for_entries_only else rule)


async def test_a_better_price_holds_nothing_back(fleet: Fleet) -> None:
    desk, intent = await held_entry(fleet)
    await at_price("2346.00", "2346.10")(fleet, desk)
    assert refusal(desk, intent) is None


async def test_a_lease_that_is_young_enough_lets_entries_pass(fleet: Fleet) -> None:
    desk, intent = await held_entry(fleet)
    desk.lease = HandLease(age=3.9)
    assert refusal(desk, intent) is None


async def test_the_age_counts_by_the_clock_that_dated_the_message(fleet: Fleet) -> None:
    desk, intent = await held_entry(fleet)
    desk.clock_offset = timedelta(seconds=-9)
    fleet.clock.offset = timedelta(seconds=50)
    await desk.accounts[ACCOUNT].quote("XAUUSD")
    assert refusal(desk, intent) is None


async def test_a_lease_of_the_worker_reaches_the_gate() -> None:
    lease = HandLease(age=6.0)
    users: list[UserId] = []

    def lease_of(user: UserId) -> HandLease:
        users.append(user)
        return lease

    async with a_fleet(lease_of=lease_of) as fleet:
        number = await fleet.say(ONE_LEG, wait=2)
        assert fleet.broker.entries == []
        assert (await fleet.message(number)).state.value == "NEW"
        lease.age = 0.5
        await settle_down(31)
        assert len(fleet.broker.entries) == 1
        assert set(users) == {USER}


async def test_a_slow_store_pauses_entries_until_it_is_quick_again(fleet: Fleet) -> None:
    pulse = fleet.manager.active_bots[USER]._desk.pulse
    now = fleet.clock.monotonic()
    pulse.committed(now - 6.0, now - 0.1)
    assert pulse.is_slow(fleet.clock.monotonic())
    number = await fleet.say(ONE_LEG, wait=1)
    assert len(fleet.broker.entries) == 1, "a quick write of the message ends the pause"
    (record,) = await fleet.signals(number)
    assert record.outcome is CopyOutcome.FILLED


def test_one_slow_commit_alone_pauses_nothing() -> None:
    pulse = StorePulse()
    pulse.committed(0.0, 1.5)
    assert not pulse.is_slow(1.5)
    pulse.committed(2.0, 5.5)
    assert pulse.is_slow(5.5)
    assert not pulse.is_slow(40.0), "without news it is taken for well again"
    pulse.committed(40.0, 40.1)
    assert not pulse.is_slow(41.0)


@pytest.mark.parametrize("seconds", [None, 10.5, -10.5], ids=["unknown", "behind", "ahead"])
async def test_no_signal_is_entered_with_a_wrong_clock(seconds: float | None) -> None:
    async with a_fleet() as fleet:
        desk = fleet.manager.active_bots[USER]._desk
        offset = None if seconds is None else timedelta(seconds=seconds)
        fleet.source.clock_offset = offset
        desk.clock_offset = offset
        number = await fleet.say(ONE_LEG, wait=2)
        assert fleet.broker.entries == []
        assert await fleet.signals(number) == ()
        fleet.source.clock_offset = timedelta(0)
        await settle_down(36)
        assert len(fleet.broker.entries) == 1


async def test_a_clock_that_is_off_by_little_raises_an_alarm_once(fleet: Fleet) -> None:
    fleet.source.clock_offset = timedelta(seconds=3)
    await settle_down(30)
    assert fleet.metrics.counts["signalfleet_clock_alerts_total", ()] == 1
    await fleet.say(ONE_LEG)
    assert len(fleet.broker.entries) == 1
