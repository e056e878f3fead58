"""Batches on SQLite.

The operations of a batch run one after the other in one transaction. If one fails that had written
something, the batch is rolled back and runs again with a savepoint round each operation, which
costs half as much again. If the transaction itself breaks, everything runs again one by one.
"""

import contextlib
import sqlite3
import time
from collections.abc import Sequence
from typing import Final

from signalfleet.adapters.sql.errors import translated
from signalfleet.adapters.sql.session import Done, Params, Row, Undo, finished
from signalfleet.adapters.sql.sqlite import LOCK_WAIT_MS
from signalfleet.adapters.sql.texts import Statement
from signalfleet.adapters.sql.writer import AnyJob

FIRST_PAUSE_S: Final = 0.0003
LAST_PAUSE_S: Final = 0.005
_PRIMARY: Final = 0xFF
"""The part of an error's code that says what it is; the rest says where it came from."""


class SqliteSession:
    """Runs statements on a connection at once. Used by one thread at a time."""

    __slots__ = ("_cursor",)

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._cursor = connection.cursor()

    def run(self, sql: Statement, params: Params) -> Done[int]:
        return Done(self._cursor.execute(sql.text, params).rowcount)

    def run_all(self, sql: Statement, params: Sequence[Params]) -> Done[int]:
        if len(params) == 1:
            return Done(self._cursor.execute(sql.text, params[0]).rowcount)
        return Done(self._cursor.executemany(sql.text, params).rowcount if params else 0)

    def row(self, sql: Statement, params: Params) -> Done[Row | None]:
        return Done(self._cursor.execute(sql.text, params).fetchone())

    def rows(self, sql: Statement, params: Params) -> Done[Sequence[Row]]:
        return Done(self._cursor.execute(sql.text, params).fetchall())

    def rows_of_each(self, sql: Statement, params: Sequence[Params]) -> Done[Sequence[Row]]:
        execute, text = self._cursor.execute, sql.text
        return Done([row for one in params for row in execute(text, one)])

    def lock(self, name: str) -> Done[None]:  # noqa: ARG002 - There is one writer at a time anyway.
        return Done(None)


class SqliteEngine:
    """Owns the connection that writes."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        # Whoever has to wait for the lock looks again here.
        connection.execute("PRAGMA busy_timeout=0")
        self._session = SqliteSession(connection)

    def run_batch(self, jobs: Sequence[AnyJob]) -> None:
        try:
            self._begin()
        except sqlite3.Error as e:
            # Another process holds the lock for long: each one alone would only wait again.
            _fail(jobs, e)
            return
        try:
            if self._run_quickly(jobs):
                self._connection.execute("COMMIT")
                return
            self._connection.execute("ROLLBACK")
            self._begin()
            for job in jobs:
                self._run_guarded(job)
            self._connection.execute("COMMIT")
        except sqlite3.Error as e:
            self._roll_back()
            if len(jobs) == 1:
                _fail(jobs, e)
                return
            for job in jobs:
                self.run_batch([job])

    def close(self) -> None:
        self._connection.close()

    def _begin(self) -> None:
        """Take the one lock of all who write; wait for it as long as a call may take.

        SQLite itself looks again after pauses that grow to 100 ms, while another worker's batch
        takes a few: then nobody writes for the rest of the pause.
        """
        until, pause = time.monotonic() + LOCK_WAIT_MS / 1000, FIRST_PAUSE_S
        while True:
            try:
                self._connection.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError as e:
                is_taken = e.sqlite_errorcode & _PRIMARY == sqlite3.SQLITE_BUSY
                if not is_taken or time.monotonic() >= until:
                    raise
            else:
                return
            time.sleep(pause)  # noqa: TID251 - The writer has a thread of its own.
            pause = min(1.25 * pause, LAST_PAUSE_S)

    def _run_quickly(self, jobs: Sequence[AnyJob]) -> bool:
        """Run all without a way back; False if one failed that had written something."""
        connection = self._connection
        for job in jobs:
            job.answer = job.error = None
            before = connection.total_changes
            try:
                job.answer = finished(job.operation(self._session))
            except Undo as e:
                job.answer = e.answer
            except sqlite3.Error as e:
                if not connection.in_transaction:
                    raise
                job.error = translated(e)
            except Exception as e:  # noqa: BLE001 - It belongs to who asked.
                job.error = e
            else:
                continue
            if connection.total_changes != before:
                return False
        return True

    def _run_guarded(self, job: AnyJob) -> None:
        """Run one that can be undone alone; raises only if the transaction of all is lost."""
        execute = self._connection.execute
        job.answer = job.error = None
        execute("SAVEPOINT one")
        try:
            job.answer = finished(job.operation(self._session))
        except Undo as e:
            job.answer = e.answer
        except sqlite3.Error as e:
            if not self._connection.in_transaction:
                raise
            job.error = translated(e)
        except Exception as e:  # noqa: BLE001 - It belongs to who asked.
            job.error = e
        else:
            execute("RELEASE one")
            return
        execute("ROLLBACK TO one")
        execute("RELEASE one")

    def _roll_back(self) -> None:
        if self._connection.in_transaction:
            with contextlib.suppress(sqlite3.Error):  # The next transaction will say what is wrong.
                self._connection.execute("ROLLBACK")


def _fail(jobs: Sequence[AnyJob], error: sqlite3.Error) -> None:
    for job in jobs:
        job.error = translated(error)
