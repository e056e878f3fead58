"""A Telegram session has one user at a time, in whatever process: a second one would kill it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, cast

import pytest

from kit.builders import USER
from kit.clock import LoopClock, settle_down, until
from kit.store_rows import CELL, a_profile
from signalfleet.adapters.memory import MemoryStore
from signalfleet.bots.session_hold import BOT_LASTS, DESK_LASTS
from signalfleet.bots.session_use import SessionUse
from signalfleet.domain.ids import UserId
from signalfleet.ports.chat_source import ChatSink
from signalfleet.ports.errors import (
    FencedError,
    PortError,
    SignInRequiredError,
    StoreUnavailableError,
    TemporaryError,
)
from signalfleet.ports.store import Store


@dataclass(slots=True)
class Wire:
    """Counts who is connected with the one key, as Telegram would."""

    now: int = 0
    most: int = 0
    closed: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Source:
    """Connected while it runs; ends when it is closed, or with an error that it is given."""

    wire: Wire
    name: str
    error: Exception | None = None
    over: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self, _sink: ChatSink | None) -> None:
        self.wire.now += 1
        self.wire.most = max(self.wire.most, self.wire.now)
        try:
            await self.over.wait()
            if self.error is not None:
                raise self.error
        finally:
            self.wire.now -= 1
            self.wire.closed.append(self.name)

    async def aclose(self) -> None:
        self.over.set()


@dataclass(slots=True)
class Process:
    """One worker: it owns the user's slot under `epoch`."""

    use: SessionUse
    epoch: int
    wire: Wire
    ended: list[BaseException | None] = field(default_factory=list)

    def source(self, name: str, error: Exception | None = None) -> Source:
        return Source(self.wire, name, error)

    async def read(self, source: Source) -> None:
        try:
            await self.use.watched(USER, source).run(None)  # type: ignore[arg-type]
        except PortError as error:
            self.ended.append(error)
        else:
            self.ended.append(None)


@dataclass(slots=True)
class Scene:
    store: MemoryStore
    clock: LoopClock
    wire: Wire = field(default_factory=Wire)

    def process(self, epoch: int) -> Process:
        use = SessionUse(self.store, self.clock, epoch_of=lambda _user: epoch)
        return Process(use, epoch, self.wire)


@pytest.fixture
async def scene() -> Scene:
    store = MemoryStore(cell=CELL)
    await store.fleet.add_user(a_profile(USER))
    return Scene(store, LoopClock())


@asynccontextmanager
async def running(process: Process, *sources: Source) -> AsyncIterator[None]:
    async with asyncio.TaskGroup() as tasks:
        keeping = tasks.create_task(process.use.run())
        started = [keeping, *(tasks.create_task(process.read(source)) for source in sources)]
        await settle_down(0.1)
        yield
        for task in started:
            task.cancel()


async def test_a_desk_of_another_process_gets_nothing_while_a_bot_reads(scene: Scene) -> None:
    first, second = scene.process(1), scene.process(1)
    async with running(first, first.source("bot")):
        assert await second.use.elsewhere(USER) == first.use.name
        assert await first.use.elsewhere(USER) is None
        with pytest.raises(TemporaryError, match="using Telegram"):
            async with second.use.alone(USER, patience_s=5):
                raise AssertionError("two at once")
        await settle_down(600)  # It is renewed, however long the bot reads.
        assert await second.use.elsewhere(USER) == first.use.name
    assert await second.use.elsewhere(USER) is None
    async with second.use.alone(USER):
        pass


async def test_a_bot_waits_for_the_desk_of_another_process(scene: Scene) -> None:
    first, second = scene.process(1), scene.process(2)
    source = second.source("bot")
    async with first.use.alone(USER), running(second, source):
        await settle_down(20)
        assert scene.wire.now == 0
    await settle_down(1)
    async with running(second, second.source("again")):
        assert scene.wire.now == 1
    assert scene.wire.most == 1


async def test_a_desk_that_died_keeps_nobody_out_for_long(scene: Scene) -> None:
    dead, other = scene.process(1), scene.process(1)
    await dead.use._holds.take(USER)
    async with running(other, other.source("bot")):
        await settle_down(DESK_LASTS.total_seconds() - 5)
        assert scene.wire.now == 0
        await settle_down(10)
        assert scene.wire.now == 1


async def test_the_next_owner_of_the_slot_need_not_wait_and_the_old_one_lets_go(
    scene: Scene,
) -> None:
    old, new = scene.process(1), scene.process(2)
    async with running(old, old.source("old")):
        assert await new.use._holds.take(USER, new.epoch)
        await until(lambda: bool(old.ended))
        assert isinstance(old.ended[0], FencedError)
        assert scene.wire.now == 0


async def test_a_hold_that_was_given_back_is_not_renewed(scene: Scene) -> None:
    """A renewal may be under way when the bot ends."""
    process = scene.process(1)
    holds = process.use._holds
    assert await holds.take(USER, process.epoch)
    await holds.release(USER)
    assert not await holds.renew(USER, process.epoch)
    async with scene.process(1).use.alone(USER, patience_s=1):
        pass


async def test_an_older_owner_cannot_take_it_back(scene: Scene) -> None:
    old, new = scene.process(1), scene.process(2)
    async with running(new, new.source("new")), running(old, old.source("old")):
        await settle_down(300)
        assert (scene.wire.now, scene.wire.most) == (1, 1)


async def test_a_bot_whose_hold_cannot_be_renewed_lets_go_before_it_ends(scene: Scene) -> None:
    first = scene.process(1)
    async with running(first, first.source("bot")):
        begun = scene.clock.now()
        scene.store.is_down = True
        await until(lambda: bool(first.ended), 300)
        assert isinstance(first.ended[0], TemporaryError)
        assert scene.clock.now() - begun < BOT_LASTS
    assert scene.wire.now == 0


@dataclass(slots=True)
class Slow:
    """A store whose settings hang for `hangs_s` and then fail."""

    store: MemoryStore
    hangs_s: float = 0.0

    def user(self, user: UserId) -> Any:
        return _SlowUser(self.store.user(user), self)


@dataclass(slots=True)
class _SlowUser:
    mine: Any
    slow: Slow

    @property
    def settings(self) -> "_SlowUser":
        return self

    async def _hang(self) -> None:
        if self.slow.hangs_s:
            await asyncio.sleep(self.slow.hangs_s)
            raise StoreUnavailableError("the store is too slow now")

    async def get(self, *words: Any) -> Any:
        await self._hang()
        return await self.mine.settings.get(*words)

    async def put(self, *words: Any) -> Any:
        await self._hang()
        return await self.mine.settings.put(*words)


@pytest.mark.parametrize("hangs_s", [2.0, 12.0, 16.0, 17.0, 18.0])
async def test_a_hold_is_let_go_in_time_though_the_store_takes_long_to_fail(
    scene: Scene, hangs_s: float
) -> None:
    slow = Slow(scene.store)
    use = SessionUse(cast("Store", slow), scene.clock)
    first = Process(use, 1, scene.wire)
    async with running(first), asyncio.TaskGroup() as tasks:
        await settle_down(3.9)
        tasks.create_task(first.read(first.source("bot")))
        await settle_down(0.1)
        begun = scene.clock.now()
        slow.hangs_s = hangs_s
        await until(lambda: bool(first.ended), 300)
        assert scene.clock.now() - begun < BOT_LASTS
    assert scene.wire.now == 0


async def test_a_store_that_is_away_for_a_moment_costs_nothing(scene: Scene) -> None:
    first = scene.process(1)
    async with running(first, first.source("bot")):
        scene.store.is_down = True
        await settle_down(40)
        scene.store.is_down = False
        await settle_down(600)
        assert (scene.wire.now, first.ended) == (1, [])


async def test_a_bots_own_end_comes_out_as_it_is(scene: Scene) -> None:
    process = scene.process(1)
    revoked = SignInRequiredError("revoked", reason="revoked")
    for error in (revoked, StoreUnavailableError("full"), None):
        source = process.source("bot", error)
        source.over.set()
        await process.read(source)
    assert process.ended == [revoked, process.ended[1], None]
    assert isinstance(process.ended[1], StoreUnavailableError)
    assert process.use.directory(USER) is None


async def test_who_is_evicted_ends_and_the_desk_has_the_session(scene: Scene) -> None:
    process = scene.process(1)
    source = process.source("bot")
    async with running(process, source):
        await process.use.evict(USER)
        async with process.use.alone(USER):
            assert scene.wire.now == 0
        assert process.ended == [None]


async def test_many_processes_that_want_it_at_once_have_it_one_after_the_other(
    scene: Scene,
) -> None:
    inside, most, done = 0, 0, 0

    async def visit(process: Process) -> None:
        nonlocal inside, most, done
        async with process.use.alone(USER, patience_s=300):
            inside += 1
            most = max(most, inside)
            await scene.clock.sleep(timedelta(seconds=1))
            inside -= 1
            done += 1

    async with asyncio.TaskGroup() as tasks:
        for number in range(6):
            tasks.create_task(visit(scene.process(number + 1)))
    assert (most, done) == (1, 6)
