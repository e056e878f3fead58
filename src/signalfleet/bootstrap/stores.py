"""Which store STORE_URL names, and how it is opened. New kinds of stores are added here."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from signalfleet.adapters.sql import SqlStore, database_path, migrate
from signalfleet.bootstrap.firebase import StoreRole, open_firebase, open_firebase_rows
from signalfleet.bootstrap.settings import ConfigurationError, Settings
from signalfleet.ports.store import Store
from signalfleet.ports.store_copy import RowAccess


async def prepare_store(settings: Settings) -> None:
    """Bring a store of this machine to the newest schema; a server's waits for its operator.

    There `signalfleet migrate` is a step of its own, under a role that the product does not have.
    """
    if settings.database.startswith("sqlite:"):
        await asyncio.to_thread(migrate, settings.database)


async def connect_store(settings: Settings, role: StoreRole = StoreRole.BOTH) -> Store:
    """Open the store; RefusedError if it must not be used, StoreUnavailableError if not now."""
    if settings.database.startswith("firebase:"):
        return await open_firebase(settings, role)
    return await SqlStore.open(settings.database, cell=settings.cell)


@asynccontextmanager
async def open_rows(settings: Settings, *, must_exist: bool) -> AsyncIterator[RowAccess]:
    """Open a store for copying; ConfigurationError if its kind cannot be copied."""
    if settings.database.startswith("firebase:"):
        async with open_firebase_rows(settings) as rows:
            yield rows
        return
    if not settings.database.startswith(("sqlite:", "postgresql:")):
        raise ConfigurationError(
            "only stores at sqlite:///, postgresql:// and firebase:// can be copied"
        )
    is_file = settings.database.startswith("sqlite:")
    if must_exist and is_file and not database_path(settings.database).is_file():
        raise ConfigurationError("there is no file at the address of the store to copy")
    await prepare_store(settings)
    store = await SqlStore.open(settings.database, cell=settings.cell)
    try:
        yield store.rows
    finally:
        await store.aclose()
