"""What cannot be written down is not done; what cannot be known is not assumed."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import pytest

from kit.brokers import Answer
from kit.builders import USER
from kit.clock import settle_down
from kit.fleet import GOLD_BUY, Fleet, a_fleet
from signalfleet.ports.errors import StoreUnavailableError
from signalfleet.ports.store import Store

PARTS = frozenset({"inbox", "journal", "channels", "accounts", "settings", "bot", "notices"})
ONE_LEG = "BUY GOLD 2350 SL 2340 TP 2360"


@dataclass(slots=True)
class Trouble:
    """Names of store calls, such as journal.decide, that fail or hang just now."""

    failing: set[str] = field(default_factory=set)
    slow: dict[str, float] = field(default_factory=dict)

    def wrap(self, store: Store) -> Store:
        return _Troubled(store, self, "")  # type: ignore[return-value]


class _Troubled:
    def __init__(self, target: object, trouble: Trouble, name: str) -> None:
        self._target, self._trouble, self._name = target, trouble, name

    def __getattr__(self, attribute: str) -> object:
        found = getattr(self._target, attribute)
        if attribute == "user":
            return lambda user: _Troubled(found(user), self._trouble, "")
        if attribute in PARTS:
            return _Troubled(found, self._trouble, attribute)
        name = f"{self._name}.{attribute}"
        return self._call(name, found) if self._name and callable(found) else found

    def _call(
        self, name: str, method: Callable[..., Awaitable[object]]
    ) -> Callable[..., Awaitable[object]]:
        async def call(*args: object, **named: object) -> object:
            await settle_down(self._trouble.slow.get(name, 0.0))
            if name in self._trouble.failing:
                raise StoreUnavailableError("away")
            return await method(*args, **named)

        return call


@pytest.fixture
def trouble() -> Trouble:
    return Trouble()


async def test_a_message_that_cannot_be_stored_is_not_read(trouble: Trouble) -> None:
    """F1: it stays unread, and the source brings it again."""
    async with a_fleet(wrap_store=trouble.wrap) as fleet:
        trouble.failing.add("inbox.add")
        await fleet.say(GOLD_BUY, wait=3)
        assert fleet.broker.received == []
        assert await fleet.mine.inbox.recent() == ()


async def test_what_cannot_be_claimed_is_not_sent_and_goes_out_later(trouble: Trouble) -> None:
    """F2: the claim comes first."""
    async with a_fleet(wrap_store=trouble.wrap) as fleet:
        trouble.failing.add("journal.decide")
        number = await fleet.say(GOLD_BUY, wait=3)
        assert fleet.broker.received == []
        assert (await fleet.message(number)).state.value == "NEW"
        trouble.failing.clear()
        await settle_down(30)
        assert len(fleet.broker.entries) == 2


async def test_a_store_that_is_slow_for_long_pauses_entries_and_not_closes(
    trouble: Trouble,
) -> None:
    """F4: an outcome that could not be written down must not come about."""
    async with a_fleet(wrap_store=trouble.wrap) as fleet:
        await fleet.set_rules(max_signal_age="45")
        number = await fleet.say(ONE_LEG, wait=40)
        trouble.slow["inbox.add"] = 6.0
        trouble.slow["journal.settle"] = 1.5
        await fleet.say("BUY EURUSD 1.1000 SL 1.0950 TP 1.1100", wait=9)
        assert len(fleet.broker.entries) == 1
        await fleet.say("Close now", reply_to=number, wait=15)
        assert fleet.broker.book.positions == {}
        assert len(fleet.broker.entries) == 1


async def test_a_stop_that_cannot_be_read_holds_entries_back(fleet: Fleet) -> None:
    """F7: it may have been pressed."""
    desk = fleet.manager.active_bots[USER]._desk
    await settle_down(1)
    desk.halt_seen_at = fleet.clock.monotonic() - 15.1
    await fleet.say(ONE_LEG, wait=0.1)
    assert fleet.broker.entries == []
    assert await fleet.signals(fleet.last_message) == ()
    await settle_down(36)
    assert len(fleet.broker.entries) == 1, "it is read every five seconds"


async def test_nothing_is_decided_before_the_account_was_compared_with_the_broker() -> None:
    """F10: what was sent before the start is not known yet."""
    async with a_fleet(started=False) as fleet:
        fleet.broker.incomplete = True
        await fleet.start()
        number = await fleet.say(ONE_LEG, wait=20)
        assert fleet.broker.received == []
        assert (await fleet.message(number)).state.value == "NEW"
        fleet.broker.incomplete = False
        await settle_down(20)
        assert len(fleet.broker.entries) == 1


async def test_a_drain_ends_though_the_store_is_away_and_no_leg_is_lost_or_doubled(
    trouble: Trouble,
) -> None:
    """What waited is found as if it were being sent, and is proved absent before it goes out."""
    targets = " ".join(f"TP {price}" for price in (2360, 2365, 2370, 2375, 2380))
    async with a_fleet(wrap_store=trouble.wrap) as fleet:
        await fleet.set_rules(max_signal_age="300")
        fleet.broker.answers.extend([Answer(takes=2)] * 3)
        await fleet.say(f"BUY GOLD 2350 SL 2340 {targets}", wait=0.1)
        trouble.failing.add("journal.settle")
        await fleet.manager.drain()
        trouble.failing.clear()
        await fleet.restart()
        await settle_down(150)
        assert sorted(fleet.broker.opened().values()) == [1] * 5
