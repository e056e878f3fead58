"""A bot that uses too much is slowed down, told of, started anew, and in the end held."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

import pytest

from kit.brokers import Answer
from kit.builders import CHAT, USER
from kit.chat_script import a_message, posted
from kit.clock import LoopClock, settle_down, until
from kit.counting_metrics import CountingMetrics
from kit.fleet import Fleet, a_fleet
from signalfleet.app.rush import TURN_PATIENCE_S
from signalfleet.bots.budgets import CPU_OVER, BotBudget, Budgets
from signalfleet.bots.health import HealthDesk
from signalfleet.bots.process_memory import ProcessMemory
from signalfleet.domain.accounts.bot_state import BotState
from signalfleet.domain.accounts.budgets import BotLimits
from signalfleet.domain.accounts.notices import NoticeKind, NoticeLevel, level_of
from signalfleet.domain.ids import ChannelId, slot
from signalfleet.ports.chat_source import ChatBatch, Origin, Posted
from signalfleet.ports.errors import RefusedError
from signalfleet.ports.inbox import MessageState

ONE_LEG = "BUY GOLD 2350 SL 2340 TP 2360"
NOISY = ChannelId(-1009)
MB = 2**20
SECOND_NS = 1_000_000_000


class Hog:
    """Something of the broker's that grows; the bot holds it and nobody else does."""

    def __init__(self, inner: object) -> None:
        self.inner = inner
        self.hoard: list[bytes] = []

    def __getattr__(self, name: str) -> object:
        return getattr(self.inner, name)


@dataclass(slots=True)
class Kept:
    """A fleet whose bots are measured; `cpu` is what the process has used."""

    fleet: Fleet
    budgets: Budgets
    hogs: list[Hog]
    spent: list[float]
    resident: list[int]

    @property
    def budget(self) -> BotBudget:
        return self.budgets.of(USER)

    async def use(self, seconds: float, times: int = 1) -> None:
        """Let the bot use the processor once in each of so many seconds."""
        for _ in range(times):
            self.budget.meter.add(int(seconds * SECOND_NS), None)
            self.spent[0] += seconds
            await settle_down(1.0)

    @property
    def throttled_by_cpu(self) -> bool:
        return self.budget.throttled_by == CPU_OVER

    async def notices(self) -> list[str]:
        stored = await self.fleet.mine.notices.recent(50)
        return [one.notice.kind.value for one in stored]

    async def stored(self) -> tuple[BotState, str | None]:
        status = await self.fleet.mine.bot.status()
        return status.state, status.reason


@asynccontextmanager
async def keeping(limits: BotLimits | None = None) -> AsyncIterator[Kept]:
    clock, metrics, spent, resident = LoopClock(), CountingMetrics(), [0.0], [0]
    hogs: list[Hog] = []

    def wrap(broker: object) -> Hog:
        hogs.append(Hog(broker))
        return hogs[-1]

    budgets = Budgets(
        clock,
        metrics,
        limits,
        memory=ProcessMemory(1000, lambda: resident[0]),
        cpu=lambda: spent[0],
    )
    async with a_fleet(budgets=budgets, wrap_broker=wrap) as fleet, asyncio.TaskGroup() as tasks:
        running = tasks.create_task(budgets.run())
        yield Kept(fleet, budgets, hogs, spent, resident)
        running.cancel()


class TestTooMuchOfTheProcessor:
    async def test_is_slowed_down_shown_and_told_once(self) -> None:
        async with keeping() as kept:
            await kept.use(2.5)
            assert await kept.stored() == (BotState.THROTTLED, "cpu_limit")
            await kept.use(0.01, times=5)
            assert (await kept.notices()).count("bot_throttled") == 1
            await settle_down(20)
            assert await kept.stored() == (BotState.RUNNING, None)

    async def test_holds_back_entries_until_it_is_calm_again(self) -> None:
        async with keeping() as kept:
            await kept.use(2.5)
            await kept.fleet.say(ONE_LEG, wait=3)
            assert kept.fleet.broker.entries == []
            await settle_down(15)
            assert len(kept.fleet.broker.entries) == 1

    async def test_does_not_hold_back_what_closes_a_trade(self) -> None:
        async with keeping() as kept:
            number = await kept.fleet.say(ONE_LEG, wait=2)
            await kept.use(10)
            await kept.fleet.say("Close now", reply_to=number, wait=2)
            assert (await kept.stored())[0] is BotState.THROTTLED
            assert kept.fleet.broker.book.positions == {}

    async def test_an_entry_stored_before_waits_too_and_a_close_passes_it(self) -> None:
        async with keeping() as kept:
            number = await kept.fleet.say(ONE_LEG, wait=2)
            await kept.use(10)
            await kept.fleet.say("SELL EURUSD 1.1 SL 1.11 TP 1.09", wait=0.5)
            await kept.fleet.say("Close now", reply_to=number, wait=0.5)
            assert len(kept.fleet.broker.entries) == 1
            assert kept.fleet.broker.book.positions == {}

    async def test_takes_in_a_tenth_of_the_posts_that_others_may(self) -> None:
        async with keeping() as kept:
            await kept.use(2.5)
            before = kept.budget.messages
            for first in range(1000, 1060):
                await kept.fleet.bring(_many(first, 1), wait=0)
            await settle_down(5)
            assert kept.throttled_by_cpu
            assert 20 <= kept.budget.messages - before <= 20 + 5 * 2 + 1
            await settle_down(30)
            assert kept.budget.messages - before == 60
            assert await kept.stored() == (BotState.RUNNING, None)

    async def test_looks_at_its_inbox_twice_a_second_at_the_most(self) -> None:
        """Each look reads again what waits, and the others' orders would wait for that."""
        async with keeping() as kept:
            for is_slowed in (False, True):
                await kept.budget.before_look()
                begun = kept.fleet.clock.monotonic()
                for _ in range(4):
                    await kept.budget.before_look()
                took = kept.fleet.clock.monotonic() - begun
                assert took == pytest.approx(2.0 if is_slowed else 0.0)
                await kept.use(10)

    async def test_gives_way_to_the_orders_of_others_long_before(self) -> None:
        half = TURN_PATIENCE_S / 2
        async with keeping() as kept:
            fleet = kept.fleet
            with fleet.manager._services.rush.part():
                number = await fleet.say(ONE_LEG, wait=half)
                assert len(fleet.broker.entries) == 1
                await kept.use(0.5)
                assert kept.budget.throttled_by is None
                await fleet.say("BUY LIMIT GOLD 2345 SL 2335 TP 2360", wait=half)
                assert len(fleet.broker.entries) == 1
                await settle_down(TURN_PATIENCE_S)
                assert len(fleet.broker.entries) == 2
                await fleet.say("Close now", reply_to=number, wait=half)
                assert fleet.broker.book.positions == {}

    async def test_that_gives_way_while_it_is_stopped_decides_nothing_more(self) -> None:
        async with keeping() as kept:
            fleet = kept.fleet
            fleet.broker.answers.append(Answer(takes=2))
            await kept.use(0.5)
            await fleet.say(ONE_LEG, wait=0)
            with fleet.manager._services.rush.part():
                number = await fleet.say("BUY LIMIT GOLD 2345 SL 2335 TP 2360", wait=0)
                # It waits for the first order's answer, longer than the bot gives way.
                await fleet.manager.drain()
            assert len(fleet.broker.entries) == 1
            assert (await fleet.message(number)).state is MessageState.NEW

    async def test_has_not_had_its_share_by_a_little_work_over_a_long_time(self) -> None:
        async with keeping() as kept:
            await kept.use(0.02, times=60)
            assert not kept.budget.has_had_its_share()
            await kept.use(0.3)
            assert kept.budget.has_had_its_share()
            await settle_down(5)
            assert not kept.budget.has_had_its_share()

    async def test_for_more_than_five_minutes_starts_the_bot_anew(self) -> None:
        async with keeping() as kept:
            sources = len(kept.fleet.sources)
            await kept.use(60)
            assert kept.budget.throttle.since is not None
            kept.budget.throttle.since -= 300
            await settle_down(12)
            assert len(kept.fleet.sources) == sources + 1
            assert kept.fleet.metrics.labels_of("signalfleet_bot_recycles_total") == [
                {"reason": "cpu_limit"}
            ]
            assert "bot_recycled" in await kept.notices()

    async def test_three_steps_of_more_than_a_second_start_it_anew(self) -> None:
        async with keeping(BotLimits(cpu_percent=100)) as kept:
            sources = len(kept.fleet.sources)
            await kept.use(1.2, times=3)
            await settle_down(5)
            assert len(kept.fleet.sources) == sources + 1

    async def test_a_process_that_was_frozen_is_nobodys_fault(self) -> None:
        async with keeping() as kept:
            for _ in range(4):
                kept.budget.meter.add(20 * SECOND_NS, None)
                kept.spent[0] += 0.001
                await settle_down(1.0)
            assert await kept.stored() == (BotState.RUNNING, None)
            assert kept.fleet.metrics.labels_of("signalfleet_bot_recycles_total") == []

    async def test_steps_on_a_busy_machine_count_by_what_they_really_used(self) -> None:
        async with keeping() as kept:
            for _ in range(100):
                kept.budget.meter.add(SECOND_NS // 10, None)  # Twice what five percent allow.
                kept.spent[0] += 0.02
                await settle_down(1.0)
            assert await kept.stored() == (BotState.RUNNING, None)


class TestTooManyMessages:
    async def test_are_taken_in_at_the_pace_that_is_allowed(self) -> None:
        async with keeping() as kept:
            for first in range(1000, 2000, 100):
                await kept.fleet.bring(_many(first), wait=0)
            await settle_down(1)
            assert kept.budget.messages <= 400
            assert await kept.stored() == (BotState.THROTTLED, "message_limit")
            await settle_down(60)
            assert kept.budget.messages == 1000, "nothing is lost, it is later"
            assert await kept.stored() == (BotState.RUNNING, None)
            assert (await kept.notices()).count("bot_throttled") == 1

    async def test_a_steady_flood_is_one_too_though_each_message_waits_a_moment_only(self) -> None:
        async with keeping() as kept:
            for first in range(1000, 1400):
                await kept.fleet.bring(_many(first, 1), wait=0)
            await settle_down(1)
            assert await kept.stored() == (BotState.RUNNING, None)
            await settle_down(5)
            assert await kept.stored() == (BotState.THROTTLED, "message_limit")
            assert (await kept.notices()).count("bot_throttled") == 1

    async def test_of_one_channel_do_not_hold_back_a_close_in_another(self) -> None:
        async with keeping() as kept:
            number = await kept.fleet.say(ONE_LEG, wait=2)
            for first in range(1000, 1800):
                await kept.fleet.bring(_many(first, 1, chat=NOISY), wait=0)
            await settle_down(25)
            assert await kept.stored() == (BotState.THROTTLED, "message_limit")
            assert len(await kept.fleet.mine.inbox.unread(300)) > 200, "more than a look reads"
            now = kept.fleet.clock.now()
            close = a_message(CHAT, number + 1, "Close now", now, reply_to=number)
            await kept.fleet.manager.active_bots[USER].store(posted(close))
            await settle_down(2)
            assert (await kept.stored())[0] is BotState.THROTTLED
            assert kept.fleet.broker.book.positions == {}

    async def test_a_burst_after_a_quiet_time_is_taken_at_once(self) -> None:
        async with keeping() as kept:
            await kept.fleet.bring(_many(1000), wait=0)
            await kept.fleet.bring(_many(1100), wait=0.2)
            assert kept.budget.messages == 200
            assert await kept.stored() == (BotState.RUNNING, None)


class TestTooMuchMemory:
    async def test_is_found_on_the_bot_and_starts_it_anew(self) -> None:
        async with keeping() as kept:
            kept.hogs[-1].hoard.append(bytes(60 * MB))
            await until(lambda: len(kept.hogs) == 2)
            assert kept.fleet.metrics.labels_of("signalfleet_bot_recycles_total") == [
                {"reason": "memory_limit"}
            ]
            await until(lambda: kept.fleet.state is BotState.RUNNING)
            await kept.fleet.say(ONE_LEG, wait=2)
            assert len(kept.fleet.broker.entries) == 1, "the new one trades"

    async def test_a_tenth_of_the_limit_trims_what_is_kept_for_speed(self) -> None:
        async with keeping() as kept:
            await settle_down(3)
            assert kept.fleet.source.trimmed == 0
            kept.hogs[-1].hoard.append(bytes(6 * MB))
            await settle_down(3)
            assert kept.fleet.source.trimmed > 0
            assert 6 * MB < kept.budget.memory_bytes < 7 * MB
            assert len(kept.hogs) == 1

    async def test_an_order_on_its_way_settles_first(self) -> None:
        async with keeping() as kept:
            number = await kept.fleet.say(ONE_LEG, wait=0)
            kept.hogs[-1].hoard.append(bytes(60 * MB))
            await until(lambda: len(kept.hogs) == 2)
            await settle_down(5)
            assert len(kept.fleet.broker.entries) == 1
            (trade,) = await kept.fleet.trades(number)
            assert trade.state.is_live


class TestHeld:
    @staticmethod
    async def thrice(kept: Kept) -> None:
        for count in range(1, 4):
            kept.budget.recycle("memory_limit")
            await settle_down(2)
            assert kept.budget.recycles.count == count

    async def test_three_times_within_an_hour(self) -> None:
        async with keeping() as kept:
            await self.thrice(kept)
            assert await kept.stored() == (BotState.QUARANTINED, "memory_limit")
            assert "bot_held" in await kept.notices()
            assert kept.fleet.manager.active_bots == {}

    async def test_neither_time_nor_the_users_wish_frees_it(self) -> None:
        async with keeping() as kept:
            await self.thrice(kept)
            await kept.fleet.mine.bot.set_wish(on=True, by="test")
            await settle_down(7200)
            assert (await kept.stored())[0] is BotState.QUARANTINED

    async def test_an_operator_does(self) -> None:
        async with keeping() as kept:
            await self.thrice(kept)
            desk = HealthDesk(kept.fleet.manager.seats, kept.budgets)
            await desk.answer({"op": "release", "user": USER})
            await until(lambda: kept.fleet.state is BotState.RUNNING)
            kept.budget.recycle("memory_limit")
            await settle_down(2)
            assert kept.fleet.state is BotState.RUNNING, "the count began anew"


class TestAFullProcess:
    async def test_lets_nobody_new_in_until_there_is_room(self) -> None:
        async with keeping() as kept:
            kept.resident[0] = 860
            await settle_down(2)
            await kept.fleet.mine.bot.set_wish(on=False, by="test")
            await settle_down(10)
            await kept.fleet.mine.bot.set_wish(on=True, by="test")
            await settle_down(10)
            assert await kept.stored() == (BotState.QUEUED, "memory_full")
            kept.resident[0] = 500
            await until(lambda: kept.fleet.state is BotState.RUNNING)

    async def test_starts_its_largest_bots_anew(self) -> None:
        async with keeping() as kept:
            kept.resident[0] = 925
            await settle_down(1.2)
            kept.resident[0] = 500
            await settle_down(5)
            assert kept.fleet.metrics.labels_of("signalfleet_bot_recycles_total") == [
                {"reason": "process_memory"}
            ]
            assert not kept.budgets.exhausted.is_set()

    async def test_asks_for_its_own_end_at_last(self) -> None:
        async with keeping() as kept:
            kept.resident[0] = 975
            await settle_down(1.2)
            assert kept.budgets.exhausted.is_set()


class TestTheOperatorSees:
    async def test_how_a_bot_is_and_why(self) -> None:
        async with keeping() as kept:
            await kept.use(2.5)
            await settle_down(8)
            await kept.use(2.5)
            desk = HealthDesk(kept.fleet.manager.seats, kept.budgets)
            answer = await desk.answer({"op": "list", "slot": slot(USER)})
            bots = answer["bots"]
            assert isinstance(bots, list)
            (shown,) = bots
            assert (shown["user"], shown["state"], shown["reason"]) == (
                *(USER, "THROTTLED", "cpu_limit"),
            )
            assert shown["link"] == "live"
            assert 0.05 < shown["cpu"] < 1
            assert await desk.answer({"op": "list", "slot": (slot(USER) + 1) % 512}) == {"bots": []}

    @pytest.mark.parametrize("user", ["u_nobody", None, "", "x" * 300], ids=str)
    async def test_that_there_is_nobody_to_let_go(self, user: object) -> None:
        async with keeping() as kept:
            desk = HealthDesk(kept.fleet.manager.seats, kept.budgets)
            with pytest.raises(RefusedError, match="no bot here"):
                await desk.answer({"op": "release", "user": user})

    async def test_that_a_bot_that_runs_is_not_held(self) -> None:
        async with keeping() as kept:
            desk = HealthDesk(kept.fleet.manager.seats, kept.budgets)
            with pytest.raises(RefusedError, match="RUNNING"):
                await desk.answer({"op": "release", "user": USER})

    async def test_how_use_is_spread_over_bots(self) -> None:
        async with keeping() as kept:
            await settle_down(12)
            metrics = kept.budgets._metrics
            assert isinstance(metrics, CountingMetrics)
            assert len(metrics.distributions["signalfleet_bot_cpu_ratio"]) == 1
            (memory,) = metrics.distributions["signalfleet_bot_memory_bytes"]
            assert 0 < memory < 5 * MB


def _many(first: int, count: int = 100, chat: ChannelId = CHAT) -> ChatBatch:
    at = LoopClock().now() - timedelta(seconds=1)
    items = tuple(
        Posted(message=a_message(chat, number, f"hello {number}", at))
        for number in range(first, first + count)
    )
    return ChatBatch(chat=chat, origin=Origin.REPAIR, items=items)


def test_the_kinds_of_notices_say_how_much_they_matter() -> None:
    assert level_of(NoticeKind.BOT_HELD) is NoticeLevel.MONEY
    assert level_of(NoticeKind.BOT_THROTTLED) is NoticeLevel.ATTENTION
