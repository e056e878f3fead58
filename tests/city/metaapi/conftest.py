from collections.abc import AsyncIterator

import pytest

from kit.metaapi import Caller, a_caller


@pytest.fixture
async def caller() -> AsyncIterator[Caller]:
    async with a_caller() as caller:
        yield caller
