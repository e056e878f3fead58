"""Each step of a bot's tasks is put down to the bot, and nothing else is changed by it."""

import asyncio
import contextvars
import time
from collections.abc import AsyncIterator, Coroutine
from typing import Any

import pytest
import structlog

from kit.builders import USER
from signalfleet.bots.meters import (
    SAID_EVERY_NS,
    BotMeter,
    Metered,
    current_bot,
    in_context_of,
    metered_tasks,
    where,
)

BURN_S = 0.1


@pytest.fixture
async def meter() -> AsyncIterator[BotMeter]:
    with metered_tasks():
        yield BotMeter(USER)


def burn(seconds: float = BURN_S) -> float:
    """Work for so long, and return how long that took while others worked too."""
    begun, end = time.perf_counter(), time.thread_time() + seconds
    while time.thread_time() < end:
        pass
    return time.perf_counter() - begun


async def in_bot(meter: BotMeter, work: Coroutine[Any, Any, Any]) -> Any:
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(work, name="listen", context=in_context_of(meter))
    return task.result()


class TestAttribution:
    async def test_a_burn_is_put_down_to_the_bot_to_the_millisecond(self, meter: BotMeter) -> None:
        took: list[float] = []

        async def work() -> None:
            await asyncio.sleep(0)
            took.append(burn())

        await in_bot(meter, work())
        assert meter.ns / 1e9 == pytest.approx(took[0], abs=0.005)
        assert meter.worst_ns / 1e9 == pytest.approx(took[0], abs=0.005)
        assert meter.steps == 2

    async def test_waiting_costs_nothing(self, meter: BotMeter) -> None:
        await in_bot(meter, asyncio.sleep(3600))
        assert meter.ns < 50_000_000

    async def test_tasks_begun_by_a_bots_tasks_are_the_bots(self, meter: BotMeter) -> None:
        took: list[float] = []

        async def grandchild() -> None:
            took.append(burn())

        async def child() -> None:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(grandchild())

        async def work() -> None:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(child())

        await in_bot(meter, work())
        assert meter.ns / 1e9 == pytest.approx(took[0], abs=0.005)

    async def test_a_library_that_hands_on_a_copied_context_is_seen_through(
        self, meter: BotMeter
    ) -> None:
        async def late() -> None:
            burn(0.02)

        async def work() -> None:
            context = contextvars.copy_context()
            loop = asyncio.get_running_loop()
            await loop.create_task(late(), context=context)

        await in_bot(meter, work())
        assert meter.ns >= 20_000_000

    async def test_other_tasks_are_left_as_they_are(self, meter: BotMeter) -> None:
        async def work() -> None:
            burn(0.02)

        async with asyncio.TaskGroup() as tasks:
            task = tasks.create_task(work())
        assert (meter.ns, meter.steps) == (0, 0)
        assert not isinstance(task.get_coro(), Metered)

    async def test_two_bots_are_told_apart(self, meter: BotMeter) -> None:
        other = BotMeter(USER)

        async def work(seconds: float) -> None:
            for _ in range(4):
                burn(seconds)
                await asyncio.sleep(0)

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(work(0.02), context=in_context_of(meter))
            tasks.create_task(work(0.0), context=in_context_of(other))
        assert meter.ns > 80_000_000
        assert other.ns < 40_000_000
        assert current_bot.get() is None


class TestWhatPasses:
    async def test_the_value_that_is_returned(self, meter: BotMeter) -> None:
        async def work() -> str:
            await asyncio.sleep(0)
            return "done"

        assert await in_bot(meter, work()) == "done"

    async def test_the_very_exception_that_is_raised(self, meter: BotMeter) -> None:
        error = ValueError("mine")

        async def work() -> None:
            await asyncio.sleep(0)
            raise error

        with pytest.raises(ExceptionGroup) as caught:
            await in_bot(meter, work())
        assert caught.value.exceptions == (error,)

    async def test_a_cancellation_in_every_await(self, meter: BotMeter) -> None:
        """Each step is cancelled once, the first before it began; no wait swallows it."""
        event, lock = asyncio.Event(), asyncio.Lock()
        await lock.acquire()
        ended: list[str] = []

        async def work(at: int) -> None:
            try:
                await asyncio.sleep(0)
                if at == 2:
                    await event.wait()
                if at == 3:
                    async with lock:
                        pass
                if at == 4:
                    async with asyncio.TaskGroup() as tasks:
                        tasks.create_task(event.wait())
                if at == 5:
                    async with asyncio.timeout(60):
                        await event.wait()
                if at == 6:
                    await asyncio.shield(event.wait())
                await asyncio.sleep(60)
            finally:
                ended.append(f"{at}")

        loop = asyncio.get_running_loop()
        for at in range(7):
            task = loop.create_task(work(at), context=in_context_of(meter))
            for _ in range(at and 3):
                await asyncio.sleep(0)
            task.cancel("stop")
            with pytest.raises(asyncio.CancelledError, match="stop"):
                await task
            assert task.cancelled()
        event.set()
        await asyncio.sleep(0)
        assert ended == ["1", "2", "3", "4", "5", "6"], "the first one had not begun"

    async def test_a_cancellation_that_is_caught(self, meter: BotMeter) -> None:
        async def work() -> str:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                return "kept"
            return ""

        task = asyncio.get_running_loop().create_task(work(), context=in_context_of(meter))
        await asyncio.sleep(0)
        task.cancel()
        assert await task == "kept"

    async def test_a_time_limit(self, meter: BotMeter) -> None:
        async def work() -> None:
            async with asyncio.timeout(5):
                await asyncio.sleep(60)

        with pytest.raises(ExceptionGroup) as caught:
            await in_bot(meter, work())
        assert isinstance(caught.value.exceptions[0], TimeoutError)

    async def test_the_names_by_which_tasks_are_printed(self, meter: BotMeter) -> None:
        async def work() -> None:
            await asyncio.sleep(60)

        task = asyncio.get_running_loop().create_task(
            work(), name="listen:u", context=in_context_of(meter)
        )
        await asyncio.sleep(0)
        assert "work() running at" in repr(task)
        assert [frame.f_code.co_name for frame in task.get_stack()] == ["work"]
        task.cancel()
        await asyncio.wait([task])


class TestSlowSteps:
    @pytest.fixture(autouse=True)
    def _loud(self) -> None:
        structlog.reset_defaults()

    async def test_are_logged_with_the_place_where_they_ended(self, meter: BotMeter) -> None:
        async def work() -> None:
            burn(0.06)
            await asyncio.sleep(1)

        with structlog.testing.capture_logs() as logs:
            await in_bot(meter, work())
        (line,) = (one for one in logs if one["event"] == "slow_step")
        assert (line["user_id"], line["task"]) == (USER, "listen")
        assert line["ms"] >= 60
        assert any("test_meters.py" in place and "work" in place for place in line["at"])
        assert [ns > 60_000_000 for ns in meter.take_long()] == [True]
        assert meter.take_long() == []

    async def test_that_end_the_task_name_it_at_least(self, meter: BotMeter) -> None:
        async def work() -> None:
            burn(0.06)

        with structlog.testing.capture_logs() as logs:
            await in_bot(meter, work())
        (line,) = (one for one in logs if one["event"] == "slow_step")
        assert "work" in line["at"][0]

    async def test_are_counted_and_said_once_a_minute(self, meter: BotMeter) -> None:
        async def work() -> None:
            for _ in range(3):
                burn(0.06)
                await asyncio.sleep(0)

        with structlog.testing.capture_logs() as logs:
            await in_bot(meter, work())
            assert meter.said_at is not None
            meter.said_at -= SAID_EVERY_NS
            await in_bot(meter, work())
        lines = [one for one in logs if one["event"] == "slow_step"]
        assert [one["not_said"] for one in lines] == [0, 2]
        assert meter.slow == 6

    def test_the_place_of_what_has_not_begun_is_its_first_line(self) -> None:
        async def work() -> None: ...

        coro = work()
        assert "work" in where(coro)[0]
        coro.close()


async def test_the_loop_is_as_it_was_afterwards() -> None:
    loop = asyncio.get_running_loop()
    before = loop.get_task_factory()
    with metered_tasks():
        assert loop.get_task_factory() is not before
    assert loop.get_task_factory() is before
