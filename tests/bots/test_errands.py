"""Work that is a task only while there is something to do."""

import asyncio
from contextvars import ContextVar

import pytest

from kit.clock import settle_down
from signalfleet.ports.errands import Errand, LightEvent

whose: ContextVar[str] = ContextVar("whose", default="nobody")


def others() -> int:
    return len(asyncio.all_tasks()) - 1


class Work:
    """Counts its runs; each lasts until `go`, if that is closed."""

    def __init__(self) -> None:
        self.runs = 0
        self.most = 0
        self.now = 0
        self.owners: list[str] = []
        self.go = LightEvent()
        self.go.set()
        self.errand = Errand("work", self.run)

    async def run(self) -> None:
        self.runs += 1
        self.now += 1
        self.most = max(self.most, self.now)
        self.owners.append(whose.get())
        try:
            await self.go.wait()
        finally:
            self.now -= 1


async def test_nothing_is_there_until_it_is_asked_for_and_nothing_afterwards() -> None:
    work = Work()
    async with asyncio.TaskGroup() as tasks:
        before = others()
        work.errand.begin(tasks)
        await settle_down(1)
        assert (work.runs, others()) == (0, before)
        work.errand.ask()
        await settle_down(1)
        assert (work.runs, others()) == (1, before)


async def test_what_was_asked_before_it_began_is_done() -> None:
    work = Work()
    work.errand.ask()
    async with asyncio.TaskGroup() as tasks:
        work.errand.begin(tasks)
        await settle_down(1)
        assert work.runs == 1


async def test_what_is_asked_meanwhile_is_done_once_more_and_never_twice_at_once() -> None:
    work = Work()
    work.go.clear()
    async with asyncio.TaskGroup() as tasks:
        work.errand.begin(tasks)
        work.errand.ask()
        await settle_down(1)
        for _ in range(3):
            work.errand.ask()
        work.go.set()
        await settle_down(1)
    assert (work.runs, work.most) == (2, 1)


async def test_it_runs_in_the_context_of_who_began_it_whoever_asks() -> None:
    work = Work()
    async with asyncio.TaskGroup() as tasks:
        whose.set("this bot")
        work.errand.begin(tasks)
        whose.set("another bot")
        work.errand.ask()
    assert work.owners == ["this bot"]


async def test_what_fails_ends_the_group_and_what_is_asked_then_is_left() -> None:
    async def fail() -> None:
        raise ValueError("broken")

    errand = Errand("work", fail)

    async def live() -> None:
        async with asyncio.TaskGroup() as tasks:
            errand.begin(tasks)
            errand.ask()
            try:
                await settle_down(60)
            finally:
                errand.ask()

    with pytest.raises(ExceptionGroup) as caught:
        await live()
    assert isinstance(caught.value.exceptions[0], ValueError)
    errand.ask()
    await settle_down(1)


async def test_it_begins_anew_with_another_group() -> None:
    work = Work()
    work.go.clear()

    async def live() -> None:
        async with asyncio.TaskGroup() as tasks:
            work.errand.begin(tasks)
            work.errand.ask()

    for runs in (1, 2):
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(live(), 1)
        assert (work.runs, work.now) == (runs, 0)


async def test_who_waits_for_an_event_goes_on_when_it_is_set() -> None:
    event, passed = LightEvent(), list[int]()

    async def wait(number: int) -> None:
        await event.wait()
        passed.append(number)

    async with asyncio.TaskGroup() as tasks:
        given_up = tasks.create_task(wait(0))
        for number in (1, 2):
            tasks.create_task(wait(number))
        await settle_down(1)
        given_up.cancel()
        assert passed == []
        event.set()
        event.clear()
    assert sorted(passed) == [1, 2]
    assert not event.is_set()
