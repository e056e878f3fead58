"""The bus when its server dies, comes back, or comes back empty."""

import asyncio
import os
import shutil
import signal
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from kit.wall_clock import WallClock
from signalfleet.adapters.nats import limits
from signalfleet.adapters.nats.bus import NatsBus
from signalfleet.adapters.nats.server import EmbeddedNats
from signalfleet.domain.ids import UserId, slot
from signalfleet.ports.bus import LiveEvent, WorkDelivery, WorkItem
from signalfleet.ports.errors import RefusedError, TemporaryError

pytestmark = pytest.mark.loopback

ANN = UserId("u_mfrggzdfmztwq2lk")
SLOT = slot(ANN)


class Rig:
    """A server that is watched, and a bus on it."""

    def __init__(self, server: EmbeddedNats, bus: NatsBus, tasks: asyncio.TaskGroup) -> None:
        self.server = server
        self.bus = bus
        self.tasks = tasks

    def kill(self) -> None:
        assert self.server.pid is not None
        os.kill(self.server.pid, signal.SIGKILL)


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    clock = WallClock()
    async with (
        EmbeddedNats(data_dir=tmp_path, run_dir=tmp_path / "run", clock=clock) as server,
        asyncio.TaskGroup() as tasks,
        await NatsBus.connect(server.url, server.token, clock=clock) as bus,
    ):
        watching = tasks.create_task(server.watch())
        yield Rig(server, bus, tasks)
        watching.cancel()


async def eventually(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not holds():  # noqa: ASYNC110  # The client tells nobody when it notices.
            await asyncio.sleep(0.01)


def an_item(key: str = "k1") -> WorkItem:
    return WorkItem(user=ANN, kind="msg", key=key)


async def take(work: AsyncIterator[WorkDelivery]) -> WorkDelivery:
    async with asyncio.timeout(10):
        return await anext(work)


async def test_stored_work_survives_a_kill_of_the_server(rig: Rig) -> None:
    await rig.bus.publish_work(an_item())
    rig.kill()
    await eventually(lambda: not rig.bus.is_connected())
    await eventually(rig.bus.is_connected)
    async with rig.bus.work(SLOT, 1) as work:
        assert (await take(work)).item == an_item()


async def test_a_waiting_owner_gets_new_work_soon_after_the_server_is_back(rig: Rig) -> None:
    async with rig.bus.work(SLOT, 1) as work:
        waiting = rig.tasks.create_task(take(work))
        await asyncio.sleep(0.1)
        rig.kill()
        await eventually(lambda: not rig.bus.is_connected())
        await eventually(rig.bus.is_connected)
        await publish_patiently(rig.bus, an_item("after"))
        delivery = await waiting
        assert delivery.item.key == "after"
        await delivery.ack()


async def publish_patiently(bus: NatsBus, item: WorkItem) -> None:
    """As its callers do: the row in the store is tried again later."""
    async with asyncio.timeout(10):
        while True:
            try:
                await bus.publish_work(item)
            except TemporaryError:
                await asyncio.sleep(0.05)
            else:
                return


async def test_an_item_taken_before_the_crash_is_acknowledged_after_it_or_comes_again(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A killed server may have forgotten that it delivered: then the old acknowledgement fails."""
    monkeypatch.setattr(limits, "REQUEST_S", 1.0)
    await rig.bus.publish_work(an_item())
    async with rig.bus.work(SLOT, 1) as work:
        delivery = await take(work)
        rig.kill()
        await eventually(lambda: not rig.bus.is_connected())
        with pytest.raises(TemporaryError):
            await delivery.ack()
        await eventually(rig.bus.is_connected)
        try:
            await delivery.ack()
        except TemporaryError:
            again = await take(work)
            assert again.item == an_item()
            await again.ack()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await anext(work)


async def test_work_published_while_disconnected_is_refused_and_never_sent_late(rig: Rig) -> None:
    rig.kill()
    await eventually(lambda: not rig.bus.is_connected())
    with pytest.raises(TemporaryError):
        await rig.bus.publish_work(an_item())
    await eventually(rig.bus.is_connected)
    async with rig.bus.work(SLOT, 1) as work:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await anext(work)


async def test_events_while_disconnected_are_lost_without_an_error(rig: Rig) -> None:
    async with rig.bus.events(ANN) as events:
        rig.kill()
        await eventually(lambda: not rig.bus.is_connected())
        await rig.bus.publish_event(LiveEvent(user=ANN, kind="x", payload={"n": 1}))
        await eventually(rig.bus.is_connected)
        await rig.bus.publish_event(LiveEvent(user=ANN, kind="x", payload={"n": 2}))
        async with asyncio.timeout(5):
            assert (await anext(events)).payload == {"n": 2}


async def test_a_server_that_lost_its_disk_is_set_up_again(rig: Rig, tmp_path: Path) -> None:
    async with rig.bus.work(SLOT, 1) as work:
        waiting = rig.tasks.create_task(take(work))
        await asyncio.sleep(0.1)
        rig.kill()
        shutil.rmtree(tmp_path / "nats" / "jetstream")
        await eventually(lambda: not rig.bus.is_connected())
        await eventually(rig.bus.is_connected)
        await publish_patiently(rig.bus, an_item("after"))
        assert (await waiting).item.key == "after"


async def test_a_second_bus_accepts_the_stream_that_is_there(rig: Rig) -> None:
    async with await NatsBus.connect(rig.server.url, rig.server.token, clock=WallClock()) as second:
        await second.publish_work(an_item())
    async with rig.bus.work(SLOT, 1) as work:
        assert (await take(work)).item == an_item()


async def test_a_foreign_stream_of_our_name_is_refused(rig: Rig) -> None:
    jetstream = rig.bus._connection.jetstream
    await jetstream.delete_stream(limits.STREAM)
    await jetstream.add_stream(name=limits.STREAM, subjects=["other.>"])
    with pytest.raises(RefusedError, match="another program"):
        await NatsBus.connect(rig.server.url, rig.server.token, clock=WallClock())


async def test_a_message_that_is_none_of_ours_is_dropped(rig: Rig) -> None:
    await rig.bus._connection.jetstream.publish(f"sf.work.{SLOT}.{ANN}.msg", b"not json")
    await rig.bus.publish_work(an_item())
    async with rig.bus.work(SLOT, 1) as work:
        assert (await take(work)).item == an_item()


async def test_the_consumer_is_gone_when_the_owner_leaves(rig: Rig) -> None:
    async with rig.bus.work(SLOT, 3):
        (consumer,) = await rig.bus._connection.jetstream.consumers_info(limits.STREAM)
        assert consumer.name == f"s{SLOT}-e3"
    assert await rig.bus._connection.jetstream.consumers_info(limits.STREAM) == []


async def test_closing_is_bounded_when_the_server_hangs(rig: Rig) -> None:
    assert rig.server.pid is not None
    os.kill(rig.server.pid, signal.SIGSTOP)
    try:
        async with asyncio.timeout(limits.CLOSE_S + 2):
            await rig.bus.aclose()
    finally:
        os.kill(rig.server.pid, signal.SIGCONT)
