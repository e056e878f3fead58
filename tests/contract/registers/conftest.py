"""Opens all registers of the project for the one suite."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from kit.wall_clock import WallClock
from signalfleet.adapters.memory.registers import MemoryRegisters
from signalfleet.adapters.nats.bus import NatsBus
from signalfleet.adapters.nats.server import EmbeddedNats
from signalfleet.ports.registers import Registers


@pytest.fixture(params=["memory", pytest.param("nats", marks=pytest.mark.loopback)])
async def registers(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Registers]:
    if request.param == "memory":
        yield MemoryRegisters()
        return
    clock = WallClock()
    async with (
        EmbeddedNats(data_dir=tmp_path / "data", run_dir=tmp_path / "run", clock=clock) as server,
        await NatsBus.connect(server.url, server.token, clock=clock) as bus,
    ):
        yield bus.registers()
