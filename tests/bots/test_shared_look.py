"""One look at the store for all bots: it finds what changed, and asks each bot only then."""

from collections import Counter
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any, cast

from kit.builders import ACCOUNT, CHAT, USER
from kit.chat_script import a_message, posted
from kit.clock import settle_down
from kit.fleet import GOLD_BUY, a_fleet
from signalfleet.app.execute_gate import entries_paused
from signalfleet.app.rush import LANES
from signalfleet.domain.settings.choices import CopyState
from signalfleet.domain.trading.intents import IntentState
from signalfleet.ports.store import Store

LOOK_S = 5.0


@dataclass
class Asked:
    """A store whose users' parts count what they are asked."""

    store: Store
    counts: Counter[str] = field(default_factory=Counter)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.store, name)

    def user(self, user: Any) -> Any:
        return _AskedUser(self.store.user(user), self.counts)


@dataclass
class _AskedUser:
    mine: Any
    counts: Counter[str]

    def __getattr__(self, name: str) -> Any:
        self.counts[name] += 1
        return getattr(self.mine, name)


async def test_an_idle_bot_asks_the_store_nothing() -> None:
    asked: list[Asked] = []

    def wrap(store: Store) -> Store:
        asked.append(Asked(store))
        return cast("Store", asked[-1])

    async with a_fleet(wrap_store=wrap) as fleet:
        await settle_down(2 * LOOK_S)
        asked[-1].counts.clear()
        await settle_down(8 * LOOK_S)
        assert asked[-1].counts["bot"] == 0
        assert asked[-1].counts["accounts"] == 0
        assert asked[-1].counts["channels"] == 0
        assert fleet.manager.active_bots


async def test_a_stop_that_nobody_told_the_bot_of_counts_within_one_look() -> None:
    async with a_fleet() as fleet:
        await settle_down(2 * LOOK_S)
        await fleet.mine.bot.set_halted(halted=True)
        await settle_down(LOOK_S + 0.5)
        number = await fleet.say(GOLD_BUY)
        assert fleet.broker.entries == []
        (record,) = await fleet.signals(number)
        assert record.reason == "halted"


async def test_a_bot_of_which_the_look_says_nothing_looks_for_itself() -> None:
    async with a_fleet() as fleet:
        bot = fleet.manager.active_bots[USER]
        await fleet.mine.bot.set_halted(halted=True)
        bot.looked(fleet.clock.monotonic(), None, is_back=False)
        await settle_down()
        number = await fleet.say(GOLD_BUY)
        (record,) = await fleet.signals(number)
        assert record.reason == "halted"


async def test_what_a_lost_wake_up_left_unread_is_found_by_the_look() -> None:
    async with a_fleet() as fleet:
        await settle_down(2 * LOOK_S)
        epoch = fleet.manager.epoch_of(USER)
        batch = posted(a_message(CHAT, 7, GOLD_BUY, fleet.clock.now()))
        await fleet.mine.inbox.add(batch, fleet.clock.now(), epoch)
        await settle_down(LOOK_S + 0.5)
        assert len(fleet.broker.entries) == 2
        assert await fleet.in_state(IntentState.HELD) == []


async def test_who_waits_for_a_turn_at_what_follows_up_knows_of_its_stop_meanwhile() -> None:
    async with a_fleet() as fleet, AsyncExitStack() as others:
        await settle_down(2 * LOOK_S)
        desk = fleet.manager.active_bots[USER]._desk
        for _ in range(LANES):
            await others.enter_async_context(desk.rush.turn())
        await fleet.say(GOLD_BUY)
        assert fleet.broker.entries
        await settle_down(30)
        assert entries_paused(desk) is None
        await fleet.mine.settings.put("states", {"user": "paused"}, 0)
        await settle_down(LOOK_S + 0.5)
        assert desk.states.of(ACCOUNT) is CopyState.PAUSED, "what others wrote waits for nobody"


async def test_while_the_store_is_away_no_bot_knows_of_its_stop() -> None:
    async with a_fleet() as fleet:
        await settle_down(2 * LOOK_S)
        desk = fleet.manager.active_bots[USER]._desk
        assert entries_paused(desk) is None
        fleet.store.is_down = True
        await settle_down(16)
        assert entries_paused(desk) == "stop_unknown"
        fleet.store.is_down = False
        await settle_down(LOOK_S + 2)
        assert entries_paused(desk) is None
