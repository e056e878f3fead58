"""Batches on PostgreSQL: one transaction for the operations of up to 256 users.

What fails after it wrote something would take the others with it, so the batch is rolled back, and
who is to blame runs again alone, the others again together.
"""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Final

from signalfleet.adapters.sql.errors import translated
from signalfleet.adapters.sql.postgresql import Connection, connect, require_walls
from signalfleet.adapters.sql.session import Undo
from signalfleet.adapters.sql.waves import DRIVER_ERRORS, LOST, Unsure, Wave, run_alone
from signalfleet.adapters.sql.writer import AnyJob
from signalfleet.domain.ids import UserId
from signalfleet.ports.errors import (
    PortError,
    RefusedError,
    StoreInDoubtError,
    StoreUnavailableError,
)

TOGETHER_TRIES: Final = 3
CLOSE_TIMEOUT_S: Final = 2.0
_ASK_AGAIN_S: Final = (0.0, 0.2, 0.5, 1.0, 2.0)
# Resources, the operator, the system, a lock held for long: each one alone would only wait again.
_EVERYBODYS: Final = ("53", "55", "57", "58", "XX")
_IN_DOUBT: Final = "the connection was lost at the commit; what was asked may be written"
_IDS: Final = re.compile(r"[a-z0-9_,]*")


class _InDoubtError(Exception):
    """The answer to a commit is lost; `is_written` says what the server knows of it, if it does."""

    def __init__(self, *, is_written: bool | None) -> None:
        super().__init__()
        self.is_written = is_written


class PostgresqlEngine:
    """Owns the connection that writes, and the loop that it lives in."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._runner = asyncio.Runner(loop_factory=asyncio.new_event_loop)
        self._connection: Connection | None = None

    def open(self) -> None:
        """Connect and look whether we may start; raises what is wrong."""
        try:
            self._runner.run(self._connected())
        except BaseException:
            self.close()
            raise

    def run_batch(self, jobs: Sequence[AnyJob]) -> None:
        self._runner.run(self._run_batch(jobs))

    def close(self) -> None:
        self._runner.run(self._disconnect())
        self._runner.close()

    async def _run_batch(self, jobs: Sequence[AnyJob]) -> None:
        alone = [job for job in jobs if job.user is None]
        left = [job for job in jobs if job.user is not None]
        for _ in range(TOGETHER_TRIES):
            if len(left) <= 1:
                break
            guilty = await self._run_together(left)
            alone += guilty
            left = [job for job in left if job not in guilty] if guilty else []
        for job in [*left, *alone]:
            await self._run_one(job)

    async def _run_together(self, jobs: Sequence[AnyJob]) -> Sequence[AnyJob]:
        """Run jobs in one transaction; return who spoiled it, then nothing is written."""
        users = {job.user for job in jobs if job.user is not None}
        wave: Wave | None = None
        try:
            async with self._transaction(users) as connection:
                wave = Wave(connection, jobs)
                await wave.run()
        except Unsure:
            return jobs if wave is None else wave.guilty or wave.suspects
        except _InDoubtError as e:
            _doubt(jobs, e)
        except DRIVER_ERRORS as e:
            if wave is not None and not _is_everybodys(e):
                return wave.suspects or jobs
            _fail(jobs, translated(e))
        except PortError as e:
            _fail(jobs, e)
        return ()

    async def _run_one(self, job: AnyJob) -> None:
        job.answer = job.error = None
        users = () if job.user is None else (job.user,)
        try:
            async with self._transaction(users) as connection:
                job.answer = await run_alone(connection, job.operation)
        except Undo as e:
            job.answer = e.answer
        except _InDoubtError as e:
            _doubt([job], e)
        except DRIVER_ERRORS as e:
            job.error = translated(e)
        except Exception as e:  # noqa: BLE001 - It belongs to who asked.
            job.error = e

    @contextlib.asynccontextmanager
    async def _transaction(self, users: Iterable[UserId]) -> AsyncIterator[Connection]:
        """Give a connection that sees these users' rows, until the end of the transaction."""
        begin = f"BEGIN; {as_users(users)}"
        connection = await self._connected()
        try:
            await connection.execute(begin)
        except LOST:
            # It was lost while nobody used it, as by a restart of the server.
            connection.terminate()
            connection = await self._connected()
            await connection.execute(begin)
        try:
            yield connection
            xid = await connection.fetchval("SELECT pg_current_xact_id_if_assigned()::text")
        except BaseException:
            await self._roll_back(connection)
            raise
        try:
            await connection.execute("COMMIT")
        except LOST as e:
            connection.terminate()
            if xid is not None:
                raise _InDoubtError(is_written=await self._is_committed(xid)) from e

    async def _roll_back(self, connection: Connection) -> None:
        try:
            await connection.execute("ROLLBACK")
        except DRIVER_ERRORS:
            connection.terminate()

    async def _is_committed(self, xid: str) -> bool | None:
        """Ask the server what became of a transaction; None if it cannot tell in time."""
        for pause_s in _ASK_AGAIN_S:
            await asyncio.sleep(pause_s)
            with contextlib.suppress(*DRIVER_ERRORS, PortError):
                connection = await self._connected()
                status = await connection.fetchval("SELECT pg_xact_status($1::text::xid8)", xid)
                if status != "in progress":
                    return {"committed": True, "aborted": False}.get(status)
        return None

    async def _connected(self) -> Connection:
        if self._connection is None or self._connection.is_closed():
            connection = await connect(self._url)
            try:
                await require_walls(connection)
            except BaseException:
                connection.terminate()
                raise
            self._connection = connection
        return self._connection

    async def _disconnect(self) -> None:
        if self._connection is not None:
            try:
                await self._connection.close(timeout=CLOSE_TIMEOUT_S)
            except DRIVER_ERRORS:
                self._connection.terminate()


def as_users(users: Iterable[UserId]) -> str:
    """Return the statement that lets the transaction see these users' rows and no others."""
    ids = ",".join(users)
    if not _IDS.fullmatch(ids):
        raise RefusedError("this is no user id")
    return f"SELECT set_config('app.user_ids', '{ids}', true)"


def _is_everybodys(error: Exception) -> bool:
    state = getattr(error, "sqlstate", None) or ""
    return isinstance(error, LOST) or state.startswith(_EVERYBODYS)


def _fail(jobs: Iterable[AnyJob], error: Exception) -> None:
    for job in jobs:
        job.error = error


def _doubt(jobs: Iterable[AnyJob], doubt: _InDoubtError) -> None:
    if doubt.is_written:
        return
    if doubt.is_written is None:
        _fail(jobs, StoreInDoubtError(_IN_DOUBT))
    else:
        _fail(jobs, StoreUnavailableError("the connection was lost; nothing is written"))
