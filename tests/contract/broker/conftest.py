"""Opens every broker of the project for the one suite."""

from collections.abc import AsyncIterator

import pytest

from kit.broker_houses import HOUSES, House


@pytest.fixture(params=sorted(HOUSES))
async def house(request: pytest.FixtureRequest) -> AsyncIterator[House]:
    async with HOUSES[request.param]() as house:
        yield house
