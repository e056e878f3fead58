"""Copies of a SQLite database while it is in use, and putting one in its place again.

A copy is marked as one: whatever becomes of the file, it does not trade before somebody arms it.
"""

import contextlib
import os
import sqlite3
from pathlib import Path
from typing import Final

from signalfleet.adapters.sql.errors import translated
from signalfleet.adapters.sql.sqlite import database_path
from signalfleet.ports.errors import RefusedError, StoreUnavailableError

PAGES_AT_ONCE: Final = 500
PAUSE_S: Final = 0.002
SCRUB_WAIT_MS: Final = 5_000
BESIDE: Final = ("-wal", "-shm", "-journal")
_MARK: Final = (
    "INSERT INTO arming (one, generation, entries_not_before) VALUES (1, 0, 0) "
    "ON CONFLICT (one) DO UPDATE SET generation = 0, entries_not_before = 0"
)


def back_up(database: str, target: Path) -> None:
    """Copy a database that may be in use into one file, checked and marked as a copy. Blocks."""
    source = database_path(database)
    if not source.is_file():
        raise RefusedError(f"there is no database at {source}")
    part = target.with_name(target.name + ".part")
    part.unlink(missing_ok=True)
    os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600))
    try:
        with (
            contextlib.closing(sqlite3.connect(f"{source.as_uri()}?mode=ro", uri=True)) as live,
            contextlib.closing(sqlite3.connect(part)) as copy,
        ):
            live.backup(copy, pages=PAGES_AT_ONCE, sleep=PAUSE_S)
            # One file without a log beside it.
            copy.execute("PRAGMA journal_mode=DELETE").fetchall()
            with copy:
                copy.execute(_MARK)
            _check(copy)
        _sync(part)
        part.replace(target)
        _sync(target.parent)
    except sqlite3.Error as error:
        raise translated(error) from error
    except OSError as error:
        raise StoreUnavailableError(f"{target} cannot be written: {error.strerror}") from error
    finally:
        part.unlink(missing_ok=True)


def scrub(database: str) -> None:
    """Bring what was deleted out of the log too, where old pages may still hold it. Blocks.

    The pages themselves are overwritten as rows are deleted.
    """
    path = database_path(database)
    try:
        with contextlib.closing(sqlite3.connect(f"{path.as_uri()}?mode=rw", uri=True)) as one:
            one.execute(f"PRAGMA busy_timeout={SCRUB_WAIT_MS}").fetchall()
            one.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    except sqlite3.Error as error:
        raise translated(error) from error


def inspect(copy: Path) -> str:
    """Check a copy and return whose it is: its installation's id. RefusedError if it is broken."""
    try:
        with contextlib.closing(
            sqlite3.connect(f"{copy.absolute().as_uri()}?mode=ro", uri=True)
        ) as connection:
            _check(connection)
            row = connection.execute("SELECT installation_id FROM installation").fetchone()
    except sqlite3.Error as error:
        name = type(error).__name__
        raise RefusedError(f"{copy} is not a backup of SignalFleet ({name})") from error
    if row is None:
        raise RefusedError(f"{copy} is of a database that was never used")
    return str(row[0])


def put_in_place(copy: Path, database: str, aside: str) -> Path | None:
    """Make a copy the database; return where the one that was there is now.

    Nothing may have the database open. The copy stays a copy: it is marked again.
    """
    target = database_path(database)
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    part = target.with_name(target.name + ".restoring")
    part.write_bytes(b"")
    part.chmod(0o600)
    try:
        with (
            contextlib.closing(
                sqlite3.connect(f"{copy.absolute().as_uri()}?mode=ro", uri=True)
            ) as a,
            contextlib.closing(sqlite3.connect(part)) as b,
        ):
            a.backup(b)
            with b:
                b.execute(_MARK)
            _check(b)
    except sqlite3.Error as error:
        part.unlink(missing_ok=True)
        raise translated(error) from error
    _sync(part)
    moved: Path | None = None
    for end in ("", *BESIDE):
        old = target.with_name(target.name + end)
        if old.exists():
            place = target.with_name(f"{target.name}.{aside}{end}")
            old.replace(place)
            moved = moved or place
    part.replace(target)
    _sync(target.parent)
    return moved


def _check(connection: sqlite3.Connection) -> None:
    found = [row[0] for row in connection.execute("PRAGMA integrity_check")]
    if found != ["ok"]:
        raise RefusedError(f"the copy is damaged: {found[0]}")


def _sync(path: Path) -> None:
    number = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(number)
    finally:
        os.close(number)
