"""The migrations make the model, the statements fit both dialects, and the file is private."""

import sqlite3
import stat
import threading
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateIndex, CreateTable

from kit.store_rows import CELL
from signalfleet.adapters.sql import SqlStore, migrate
from signalfleet.adapters.sql.migrate import migration_config
from signalfleet.adapters.sql.schema import REVISION, metadata
from signalfleet.adapters.sql.sqlite import (
    database_path,
    is_on_network,
    open_reader,
    open_writer,
)
from signalfleet.adapters.sql.statements import Statements
from signalfleet.adapters.sql.texts import PostgresqlTexts, SqliteTexts, Statement
from signalfleet.ports.errors import RefusedError, StoreUnavailableError


def tables_in(path: Path) -> dict[str, str]:
    """What the database says of its tables and indexes, spaces and quotes aside."""
    connection = sqlite3.connect(path)
    try:
        found = connection.execute(
            "SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL"
        ).fetchall()
    finally:
        connection.close()
    return {
        name: "".join(sql.replace('"', "").split())
        for name, sql in found
        if name != "alembic_version"
    }


def test_the_migrations_make_the_model(path: Path, tmp_path: Path) -> None:
    made = tmp_path / "made.db"
    for file, work in ((made, metadata.create_all), (path, None)):
        engine = sa.create_engine(f"sqlite:///{file}")
        with engine.begin() as connection:
            if work:
                work(connection)
            assert compare_metadata(MigrationContext.configure(connection), metadata) == []
        engine.dispose()
    # Word by word too, for the comparison above does not look at checks and partial indexes.
    assert tables_in(path) == tables_in(made)


def test_this_release_works_with_the_newest_migration() -> None:
    assert ScriptDirectory.from_config(migration_config()).get_heads() == [REVISION]


def test_migrating_again_changes_nothing(path: Path) -> None:
    before = tables_in(path)
    migrate(str(path))
    assert tables_in(path) == before


def test_two_that_migrate_at_once_wait_for_each_other(tmp_path: Path) -> None:
    path = tmp_path / "both.db"
    errors: list[BaseException] = []

    def run() -> None:
        try:
            migrate(str(path))
        except BaseException as e:  # noqa: BLE001 - Looked at below.
            errors.append(e)

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert "messages" in tables_in(path)


def test_the_tables_can_be_made_on_postgresql() -> None:
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    for table in metadata.sorted_tables:
        text = str(CreateTable(table).compile(dialect=dialect))
        assert "CREATE TABLE" in text
        for index in table.indexes:
            assert "CREATE" in str(CreateIndex(index).compile(dialect=dialect))
    assert "volume NUMERIC NOT NULL" in str(
        CreateTable(metadata.tables["trades"]).compile(dialect=dialect)
    )


def test_every_statement_has_a_text_for_both_dialects() -> None:
    texts = {
        name: {
            one: text.text
            for one, text in vars(Statements(made)).items()
            if isinstance(text, Statement)
        }
        for name, made in (("sqlite", SqliteTexts()), ("postgresql", PostgresqlTexts()))
    }
    assert texts["sqlite"].keys() == texts["postgresql"].keys()
    assert len(texts["sqlite"]) > 50
    assert texts["postgresql"]["fence"].endswith("FOR SHARE OF slot_fence")


def test_every_statement_is_understood_by_sqlite(path: Path) -> None:
    connection = sqlite3.connect(path)
    try:
        for one in vars(Statements(SqliteTexts())).values():
            if isinstance(one, Statement):
                params = dict.fromkeys(one.names)
                connection.execute(f"EXPLAIN {one.text}", params).fetchall()
    finally:
        connection.close()


@pytest.mark.parametrize(
    ("statement", "index"),
    [
        ("unread", "messages_new"),
        ("recent_messages", "messages_by_arrival"),
        ("open_intents", "intents_open"),
        ("intents_of_trade", "intents_by_trade"),
        ("live_trades", "trades_live"),
        ("live_trades_of_account", "trades_live"),
        ("trades_of_signal", "trades_by_signal"),
        ("recent_signals", "signals_by_time"),
        ("recent_signals_of_chat", "signals_by_chat"),
        ("users_of_slot", "users_by_slot"),
        ("wishes_since", "bots_by_rev"),
    ],
)
def test_lists_are_read_by_an_index(path: Path, statement: str, index: str) -> None:
    assert index in plan_of(path, statement)


def test_what_may_protect_is_told_from_what_is_new_and_not_from_all_messages(path: Path) -> None:
    plan = plan_of(path, "protective")
    assert plan.count("SEARCH messages USING INDEX messages_new") == 2
    assert plan.count("messages USING") == 2


def plan_of(path: Path, statement: str) -> str:
    text = getattr(Statements(SqliteTexts()), statement).text
    names = ("user_id", "account_id", "trade_id", "signal_id", "chat_id", "cell", "slot")
    params = dict.fromkeys((*names, "wish_rev"), "x") | {"limit": 1}
    connection = sqlite3.connect(path)
    try:
        plan = connection.execute(f"EXPLAIN QUERY PLAN {text}", params).fetchall()
    finally:
        connection.close()
    return "\n".join(row[3] for row in plan)


async def test_a_database_that_was_never_migrated_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RefusedError, match="migrate"):
        await SqlStore.open(str(tmp_path / "empty.db"), cell=CELL)


async def test_a_database_of_another_release_is_refused(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.commit()
    connection.close()
    with pytest.raises(RefusedError, match="9999"):
        await SqlStore.open(str(path), cell=CELL)


async def test_a_file_that_is_no_database_is_unavailable(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    path.write_text("this is not a database, and long enough to be taken for one" * 20)
    with pytest.raises(StoreUnavailableError):
        await SqlStore.open(str(path), cell=CELL)


async def test_nobody_else_may_read_the_files(path: Path, store: SqlStore) -> None:
    await store.fleet.installation()
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    files = [path, path.with_name("store.db-wal"), path.with_name("store.db-shm")]
    assert [stat.S_IMODE(file.stat().st_mode) for file in files] == [0o600] * 3


async def test_a_file_that_others_could_read_is_closed_to_them(path: Path) -> None:
    path.chmod(0o644)
    await (await SqlStore.open(str(path), cell=CELL)).aclose()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


async def test_closing_leaves_one_file(path: Path) -> None:
    await (await SqlStore.open(str(path), cell=CELL)).aclose()
    assert [file.name for file in path.parent.iterdir()] == ["store.db"]


def test_the_database_syncs_each_commit(path: Path) -> None:
    writer = open_writer(path)
    reader = open_reader(path)
    try:
        found = {
            name: writer.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("journal_mode", "synchronous", "foreign_keys", "secure_delete")
        }
        with pytest.raises(sqlite3.OperationalError):
            reader.execute("DELETE FROM users")
    finally:
        reader.close()
        writer.close()
    assert found == {
        "journal_mode": "wal",
        "synchronous": 2,
        "foreign_keys": 1,
        "secure_delete": 1,
    }


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ("sqlite:////var/data/x.db", "/var/data/x.db"),
        ("/var/data/x.db", "/var/data/x.db"),
        ("sqlite:///x.db", str(Path.cwd() / "x.db")),
        ("x.db", str(Path.cwd() / "x.db")),
    ],
)
def test_a_path_and_an_address_name_the_same_file(given: str, path: str) -> None:
    assert database_path(given) == Path(path)


@pytest.mark.parametrize(
    "given", ["", "sqlite://", "sqlite:///", ":memory:", "postgresql://h/d", "firebase://x"]
)
def test_what_names_no_file_is_refused(given: str) -> None:
    with pytest.raises(RefusedError):
        database_path(given)


@pytest.mark.parametrize(
    ("folder", "expected"),
    [("/srv/data/x", True), ("/srv/other", False), ("/home/me", True), ("/tmp", False)],
)
def test_a_network_file_system_is_recognised(folder: str, expected: object) -> None:
    mounts = (
        "/dev/sda1 / ext4 rw 0 0\n"
        "server:/x /srv/data nfs4 rw 0 0\n"
        "//box/share /home cifs rw 0 0\n"
        "garbage\n"
    )
    assert is_on_network(Path(folder), mounts) is expected
    assert is_on_network(Path(folder), "") is False
