"""The configured store, for commands that need nothing else of the product."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from signalfleet.bootstrap.platform import make_directories
from signalfleet.bootstrap.settings import Settings
from signalfleet.bootstrap.stores import connect_store, prepare_store
from signalfleet.ports.store import Store


@asynccontextmanager
async def open_store(settings: Settings) -> AsyncIterator[Store]:
    """Open the store beside a product that may be running on it."""
    make_directories(settings.data_dir)
    await prepare_store(settings)
    store = await connect_store(settings)
    try:
        yield store
    finally:
        await store.aclose()
