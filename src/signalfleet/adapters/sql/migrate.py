"""Brings a database to the newest schema."""

import asyncio
import io
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Final

import asyncpg
import sqlalchemy as sa
from sqlalchemy.pool import ConnectionPoolEntry, NullPool

from signalfleet.adapters.sql.errors import translated
from signalfleet.adapters.sql.postgresql import Connection, connect, is_postgresql
from signalfleet.adapters.sql.schema import REVISION
from signalfleet.adapters.sql.security import walls_sql
from signalfleet.adapters.sql.sqlite import LOCK_WAIT_MS, database_path, prepare_file
from signalfleet.adapters.sql.waves import DRIVER_ERRORS
from signalfleet.ports.errors import RefusedError

# What migrates takes half a second to load, and most starts find the newest schema.
if TYPE_CHECKING:
    from alembic.config import Config

_MIGRATIONS: Final = Path(__file__).parent / "migrations"
_LONGEST: Final = "30min"
_LOCK: Final = "SELECT pg_advisory_lock(hashtextextended('signalfleet migrate', 0))"
_LIMITS: Final = (
    f"SET statement_timeout = '{_LONGEST}'; SET lock_timeout = '10s'; "
    f"SET idle_in_transaction_session_timeout = '{_LONGEST}'"
)


def migrate(path_or_url: str, to: str = "head") -> None:
    """Run all missing migrations in one transaction; two processes at once wait for each other.

    Blocks; meant for the start of a process, before its event loop does anything else. On
    PostgreSQL the role must be the owner of the tables.
    """
    if is_postgresql(path_or_url):
        asyncio.run(_migrate_postgresql(path_or_url, to))
        return
    path = database_path(path_or_url)
    prepare_file(path)
    if to == "head" and _is_newest(path):
        return
    _migrate_sqlite(path, to)


def _is_newest(path: Path) -> bool:
    """Look without a lock: what is the newest schema stays so."""
    with closing(sqlite3.connect(path, timeout=LOCK_WAIT_MS / 1000)) as connection:
        try:
            found = connection.execute("SELECT version_num FROM alembic_version").fetchall()
        except sqlite3.OperationalError:
            return False
    return found == [(REVISION,)]


def _migrate_sqlite(path: Path, to: str) -> None:
    from alembic import command  # noqa: PLC0415

    engine = sa.create_engine(sa.URL.create("sqlite", database=str(path)), poolclass=NullPool)
    sa.event.listen(engine, "connect", _leave_transactions_to_us)
    sa.event.listen(engine, "begin", _begin_alone)
    with engine.connect() as connection, connection.begin():
        command.upgrade(migration_config(connection), to)


def migration_config(connection: sa.Connection | None = None) -> "Config":
    from alembic.config import Config  # noqa: PLC0415

    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    return config


def migration_script(since: str | None, to: str = "head") -> str:
    """Return the SQL for PostgreSQL that leads from one revision to another."""
    from alembic import command  # noqa: PLC0415

    script = io.StringIO()
    config = migration_config()
    config.output_buffer = script
    command.upgrade(config, f"{since or 'base'}:{to}", sql=True)
    return script.getvalue()


async def _migrate_postgresql(url: str, to: str) -> None:
    try:
        connection = await connect(url)
    except DRIVER_ERRORS as e:
        raise translated(e) from e
    try:
        await connection.execute(_LIMITS, timeout=None)
        await connection.execute(_LOCK, timeout=None)
        since = await _revision(connection)
        async with connection.transaction():
            if since != REVISION:
                await connection.execute(migration_script(since, to), timeout=None)
            if to in ("head", REVISION):
                await connection.execute(walls_sql(), timeout=None)
    except asyncpg.InsufficientPrivilegeError as e:
        raise RefusedError(
            "this role may not migrate; use the owner of the tables, sf_owner"
        ) from e
    except asyncpg.UndefinedObjectError as e:
        raise RefusedError(
            "a role is missing; run the output of `signalfleet store roles` as a superuser first"
        ) from e
    except DRIVER_ERRORS as e:
        raise translated(e) from e
    finally:
        await connection.close()


async def _revision(connection: Connection) -> str | None:
    if await connection.fetchval("SELECT to_regclass('public.alembic_version')") is None:
        return None
    found: str | None = await connection.fetchval("SELECT version_num FROM alembic_version")
    return found


def _leave_transactions_to_us(connection: object, _record: ConnectionPoolEntry) -> None:
    # The driver would commit before each CREATE TABLE, and a broken migration would stay half done.
    connection.isolation_level = None  # type: ignore[attr-defined]
    connection.execute(f"PRAGMA busy_timeout={LOCK_WAIT_MS * 20}")  # type: ignore[attr-defined]


def _begin_alone(connection: sa.Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")
