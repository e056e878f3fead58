"""Brings a database to the newest schema."""

from pathlib import Path
from typing import Final

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from sqlalchemy.pool import ConnectionPoolEntry, NullPool

from signalfleet.adapters.sql.sqlite import LOCK_WAIT_MS, database_path, prepare_file

_MIGRATIONS: Final = Path(__file__).parent / "migrations"


def migrate(path_or_url: str) -> None:
    """Run all missing migrations in one transaction; two processes at once wait for each other.

    Blocks; meant for the start of a process, before its event loop does anything else.
    """
    path = database_path(path_or_url)
    prepare_file(path)
    engine = sa.create_engine(sa.URL.create("sqlite", database=str(path)), poolclass=NullPool)
    sa.event.listen(engine, "connect", _leave_transactions_to_us)
    sa.event.listen(engine, "begin", _begin_alone)
    with engine.connect() as connection, connection.begin():
        command.upgrade(migration_config(connection), "head")


def migration_config(connection: sa.Connection | None = None) -> Config:
    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    return config


def _leave_transactions_to_us(connection: object, _record: ConnectionPoolEntry) -> None:
    # The driver would commit before each CREATE TABLE, and a broken migration would stay half done.
    connection.isolation_level = None  # type: ignore[attr-defined]
    connection.execute(f"PRAGMA busy_timeout={LOCK_WAIT_MS * 20}")  # type: ignore[attr-defined]


def _begin_alone(connection: sa.Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")
