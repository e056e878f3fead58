"""What the whole product needs: time, and a browser that tells all that went wrong in it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from kit.browser import chromium
from kit.watched_page import WatchedPage


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents and item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(120))


@pytest.fixture
async def page() -> AsyncIterator[WatchedPage]:
    async with chromium() as browser:
        context = await browser.new_context(viewport={"width": 1360, "height": 900})
        yield await WatchedPage.open(context)
        await context.close()
