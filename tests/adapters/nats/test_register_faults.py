"""Registers when their server dies, comes back, or comes back empty, and when one of three dies."""

import asyncio
import os
import shutil
import signal
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import nats
import pytest

from kit.nats_cluster import NatsCluster, running_cluster
from kit.wall_clock import WallClock
from signalfleet.adapters.nats.bus import NatsBus
from signalfleet.adapters.nats.server import EmbeddedNats
from signalfleet.ports.errors import ConflictError, TemporaryError
from signalfleet.ports.registers import Register, Registers
from signalfleet.ports.secrets import Secret

pytestmark = pytest.mark.loopback

KEY = "lease.w.a.0.1"


class Rig:
    def __init__(self, server: EmbeddedNats, bus: NatsBus) -> None:
        self.server = server
        self.bus = bus
        self.registers = bus.registers()

    async def kill(self) -> None:
        assert self.server.pid is not None
        os.kill(self.server.pid, signal.SIGKILL)
        await eventually(lambda: not self.bus.is_connected())

    async def until_back(self) -> None:
        await eventually(self.bus.is_connected)


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    clock = WallClock()
    async with (
        EmbeddedNats(data_dir=tmp_path, run_dir=tmp_path / "run", clock=clock) as server,
        asyncio.TaskGroup() as tasks,
        await NatsBus.connect(server.url, server.token, clock=clock) as bus,
    ):
        watching = tasks.create_task(server.watch())
        yield Rig(server, bus)
        watching.cancel()


async def eventually(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(15):
        while not holds():  # noqa: ASYNC110  # The client tells nobody when it notices.
            await asyncio.sleep(0.01)


async def put_when_it_can(registers: Registers, value: int, revision: int) -> int:
    """Write as a worker does: again after an unknown outcome, under what stands there now."""
    async with asyncio.timeout(20):
        while True:
            try:
                return await registers.put(KEY, {"n": value}, revision)
            except TemporaryError:
                await asyncio.sleep(0.05)
            except ConflictError:
                found = await registers.get(KEY)
                if found is not None and found.value == {"n": value}:
                    return found.revision
                raise


async def until_told(told: AsyncIterator[Register | None], value: int) -> None:
    async with asyncio.timeout(15):
        while True:
            register = await anext(told)
            if register is not None and register.value == {"n": value}:
                return


async def leader_of_leases(cluster: NatsCluster) -> int:
    client = await nats.connect(cluster.url.split(","), token=cluster.token)
    try:
        stream = await client.jetstream().stream_info("KV_sf_lease")
    finally:
        await client.close()
    assert stream.config.num_replicas == 3
    assert stream.cluster is not None
    return int(str(stream.cluster.leader).removeprefix("n"))


async def test_what_was_written_is_there_after_a_crash_and_watchers_hear_all_again(
    rig: Rig,
) -> None:
    revision = await rig.registers.put(KEY, {"n": 1}, 0)
    async with rig.registers.watch("lease") as told:
        await until_told(told, 1)
        await rig.kill()
        with pytest.raises(TemporaryError):
            await rig.registers.put(KEY, {"n": 2}, revision)
        await rig.until_back()
        await until_told(told, 1)
        assert await put_when_it_can(rig.registers, 3, revision) > revision
        await until_told(told, 3)


async def test_after_a_loss_of_all_files_registers_begin_anew(rig: Rig, tmp_path: Path) -> None:
    for number in range(3):
        found = await rig.registers.get(KEY)
        await rig.registers.put(KEY, {"n": number}, 0 if found is None else found.revision)
    async with rig.registers.watch("lease") as told:
        await until_told(told, 2)
        await rig.kill()
        shutil.rmtree(tmp_path / "nats" / "jetstream")
        await rig.until_back()
        async with asyncio.timeout(15):
            while await anext(told) is not None:
                pass
        with pytest.raises(ConflictError):
            await put_when_it_can(rig.registers, 4, 3)
        assert await put_when_it_can(rig.registers, 5, 0) == 1
        await until_told(told, 5)


async def test_nothing_is_kept_to_be_written_later(rig: Rig) -> None:
    revision = await rig.registers.put(KEY, {"n": 1}, 0)
    await rig.kill()
    for value in range(2, 5):
        with pytest.raises(TemporaryError):
            await rig.registers.put(KEY, {"n": value}, revision)
    await rig.until_back()
    await put_when_it_can(rig.registers, 9, revision)
    found = await rig.registers.get(KEY)
    assert found is not None
    assert found.value == {"n": 9}


async def test_a_cluster_of_three_writes_on_when_the_leader_of_the_registers_is_killed() -> None:
    clock = WallClock()
    async with running_cluster() as cluster:
        bus = await NatsBus.connect(cluster.url, Secret(cluster.token), clock=clock, replicas=3)
        async with bus, bus.registers().watch("lease") as told:
            registers = bus.registers()
            revision = await put_when_it_can(registers, 1, 0)
            await until_told(told, 1)
            cluster.kill(await leader_of_leases(cluster))
            killed = time.monotonic()
            revision = await put_when_it_can(registers, 2, revision)
            assert time.monotonic() - killed < 15
            await until_told(told, 2)
            with pytest.raises(ConflictError):
                await registers.put(KEY, {"n": 3}, revision - 1)
