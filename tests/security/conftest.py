"""Two tenants on one site whose worker answers every question with a refusal."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from kit.tenants import Tenants, two_tenants
from signalfleet.adapters.secrets import IntakeSealer, new_intake_keys
from signalfleet.domain.ids import SLOTS
from signalfleet.ports.bus import Plain
from signalfleet.ports.errors import RefusedError


async def refuse(question: Plain) -> Plain:
    raise RefusedError(f"this cannot be done: {len(question)}")


@pytest.fixture
async def tenants() -> AsyncIterator[Tenants]:
    sealer = IntakeSealer(new_intake_keys()[1])
    async with two_tenants(sealer=sealer) as opened, asyncio.TaskGroup() as tasks:
        serving = [
            tasks.create_task(opened.site.bus.serve(address, refuse))
            for address in ("c1.login", *(f"c1.slot.{number}" for number in range(SLOTS)))
        ]
        yield opened
        for task in serving:
            task.cancel()
