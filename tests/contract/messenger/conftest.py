"""Opens every messenger for the one suite."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from kit.messengers import Post, open_post


@pytest.fixture(params=["telegram", "email", "push"])
async def post(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Post]:
    async with open_post(request.param, tmp_path) as opened:
        yield opened
