"""How each store of the port is opened, empty, for one test. Shared by the contract suite."""

import shutil
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from kit.firebase import open_firebase
from kit.postgres import Postgres, required
from kit.store_rows import CELL
from signalfleet.adapters.memory import MemoryStore
from signalfleet.adapters.sql import SqlStore
from signalfleet.ports.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """What is made once for a session of tests."""

    folder: Path
    """Of this one test."""
    migrated: Path
    """An empty SQLite file of the newest schema."""
    postgres: Postgres | None


@asynccontextmanager
async def open_memory(_: Resources) -> AsyncIterator[Store]:
    async with aclosing(MemoryStore(cell=CELL)) as store:
        yield store


@asynccontextmanager
async def open_sqlite(resources: Resources) -> AsyncIterator[Store]:
    path = resources.folder / "store.db"
    shutil.copy(resources.migrated, path)
    async with aclosing(await SqlStore.open(f"sqlite:///{path}", cell=CELL)) as store:
        yield store


@asynccontextmanager
async def open_postgresql(resources: Resources) -> AsyncIterator[Store]:
    server = required(resources.postgres)
    server.empty()
    async with aclosing(await SqlStore.open(server.url("sf_worker"), cell=CELL)) as store:
        yield store


Opener = Callable[[Resources], AbstractAsyncContextManager[Store]]

OPENERS: Mapping[str, Opener] = {
    "memory": open_memory,
    "sqlite": open_sqlite,
    "postgresql": open_postgresql,
    "firebase": open_firebase,
}
