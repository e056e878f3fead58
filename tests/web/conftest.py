"""Sites for tests of the web role."""

from collections.abc import AsyncIterator

import pytest

from kit.wall_clock import WallClock
from kit.web_scene import CELL, a_full_day
from kit.web_site import Site, serve
from signalfleet.adapters.memory.store import MemoryStore


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    """A site whose demo user has a full day behind; the visitor is not signed in."""
    store = MemoryStore(cell=CELL)
    await a_full_day(store, WallClock().now())
    async with serve(store) as opened:
        yield opened


@pytest.fixture
async def home(site: Site) -> Site:
    """The same with the visitor signed in."""
    await site.sign_in()
    return site
