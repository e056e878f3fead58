"""Whatever released schema a database has, `migrate` brings it here with its rows, on both."""

import asyncio
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.ext.asyncio import create_async_engine

from kit.postgres import Postgres, required
from signalfleet.adapters.sql import SCHEMA_REVISION, migrate
from signalfleet.adapters.sql.migrate import migration_config, migration_script
from signalfleet.adapters.sql.schema import metadata
from signalfleet.domain.accounts.notices import NoticeLevel

WORDS = {
    ("accounts", "broker"): "paper",
    ("accounts", "mode"): "PAPER",
    ("bots", "state"): "OFF",
    ("bots", "wish"): "ON",
    ("channels", "mode"): "on",
    ("copies", "outcome"): "FILLED",
    ("intents", "lane"): "ENTRY",
    ("intents", "state"): "SENDING",
    ("messages", "state"): "NEW",
    ("messages", "via"): "LIVE",
    ("notices", "level"): next(iter(NoticeLevel)).value,
    ("trades", "state"): "OPEN",
}
"""What checks want; every other column takes a text or a number of its type."""
USERS = ("u_mfrggzdfmztwq2lk", "u_nbswy3dpo5xxe3de")

Rows = dict[str, list[dict[str, Any]]]


def revisions() -> list[str]:
    script = ScriptDirectory.from_config(migration_config())
    return [one.revision for one in reversed(list(script.walk_revisions()))]


def a_row(table: sa.Table, number: int) -> dict[str, object]:
    row: dict[str, object] = {}
    for column in table.columns:
        if column.name == "user_id":
            row[column.name] = USERS[number]
        elif (table.name, column.name) in WORDS:
            row[column.name] = WORDS[table.name, column.name]
        elif column.name == "one":
            row[column.name] = 1
        elif isinstance(column.type, sa.Integer):
            row[column.name] = number + 1
        else:
            row[column.name] = f"1{number}"
    return row


def filled(schema: sa.MetaData) -> list[tuple[sa.Table, dict[str, object]]]:
    """Two rows for each table, of two users; tables with one row have one."""
    return [
        (table, a_row(table, number))
        for table in schema.sorted_tables
        if table.name != "alembic_version"
        for number in range(1 if "one" in table.columns else 2)
    ]


def schema_of(path: Path) -> sa.MetaData:
    engine = sa.create_engine(f"sqlite:///{path}")
    schema = sa.MetaData()
    schema.reflect(engine)
    engine.dispose()
    return schema


def is_kept(before: Rows, after: Rows) -> bool:
    """Tell whether every row is there as it was, whatever columns came or went."""
    for table, rows in before.items():
        for old, new in zip(rows, after[table], strict=True):
            shared = old.keys() & new.keys()
            if not shared or any(str(old[name]) != str(new[name]) for name in shared):
                return False
    return True


def in_order(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(rows, key=lambda row: sorted((name, str(value)) for name, value in row.items()))


def rows_in(path: Path, schema: sa.MetaData) -> Rows:
    with closing(sqlite3.connect(path)) as connection:
        connection.row_factory = sqlite3.Row
        return {
            table.name: in_order(
                [dict(row) for row in connection.execute(str(sa.select(sa.text("*"), table)))]
            )
            for table in schema.sorted_tables
            if table.name != "alembic_version"
        }


@pytest.mark.parametrize("revision", revisions())
def test_a_file_of_any_release_is_brought_here_with_its_rows(revision: str, tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    migrate(str(path), revision)
    schema = schema_of(path)
    engine = sa.create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        for table, row in filled(schema):
            connection.execute(table.insert(), row)
    engine.dispose()
    before = rows_in(path, schema)
    assert all(before.values())
    migrate(str(path))
    assert is_kept(before, rows_in(path, schema))


@dataclass
class Server:
    """One database of the server, for a migration to work on."""

    postgres: Postgres
    name: str = "spare"

    @property
    def owner(self) -> str:
        return self.postgres.url("sf_owner", self.name)

    @property
    def root(self) -> str:
        return self.postgres.root.replace("signalfleet_test", self.name)

    def ask(self, what: "Callable[[asyncpg.Connection[Any]], Any]") -> Any:
        return self.postgres.ask(self.root, what)


@pytest.fixture
def server(postgres: Postgres | None) -> Iterator[Server]:
    found = Server(required(postgres))
    found.postgres.make(found.name)
    yield found
    found.postgres.run(found.postgres.address, f"DROP DATABASE {found.name}")


@pytest.mark.parametrize("revision", revisions())
def test_a_database_of_any_release_is_brought_here_with_its_rows(
    revision: str, tmp_path: Path, server: Server
) -> None:
    path = tmp_path / "store.db"
    migrate(str(path), revision)
    schema = schema_of(path)
    server.postgres.run(server.owner, migration_script(None, revision))

    async def fill(connection: "asyncpg.Connection[Any]") -> None:
        for table, row in filled(schema):
            values = sa.insert(table).values(row).compile(compile_kwargs={"literal_binds": True})
            await connection.execute(str(values))

    async def read(connection: "asyncpg.Connection[Any]") -> Rows:
        return {
            table.name: in_order(
                [dict(row) for row in await connection.fetch(str(sa.select(table)))]
            )
            for table in schema.sorted_tables
            if table.name != "alembic_version"
        }

    server.ask(fill)
    before = server.ask(read)
    assert all(before.values())
    migrate(server.owner)
    assert is_kept(before, server.ask(read))


async def test_on_postgresql_the_migrations_make_the_model(server: Server) -> None:
    await asyncio.to_thread(migrate, server.owner)
    engine = create_async_engine(
        "postgresql+asyncpg://", async_creator=lambda: asyncpg.connect(server.root)
    )
    try:
        async with engine.connect() as connection:
            differences = await connection.run_sync(
                lambda sync: compare_metadata(MigrationContext.configure(sync), metadata)
            )
    finally:
        await engine.dispose()
    assert differences == []


def test_migrating_postgresql_again_changes_nothing(server: Server) -> None:
    async def walls(connection: "asyncpg.Connection[Any]") -> list[str]:
        found = await connection.fetch(
            "SELECT tablename || policyname || coalesce(qual, '') AS one FROM pg_policies "
            "UNION ALL SELECT proname || proowner::regrole FROM pg_proc WHERE proname LIKE 'sf_%' "
            "UNION ALL SELECT grantee || table_name || privilege_type "
            "FROM information_schema.table_privileges WHERE table_schema = 'public' ORDER BY 1"
        )
        return [row["one"] for row in found]

    migrate(server.owner)
    before = server.ask(walls)
    migrate(server.owner)
    assert server.ask(walls) == before
    assert any("sf_definer" in one for one in before)


def test_the_newest_revision_is_the_one_that_this_release_needs() -> None:
    assert revisions()[-1] == SCHEMA_REVISION
