"""Reads on PostgreSQL, on a few connections of the loop that opened them."""

import asyncio
from collections.abc import Sequence
from typing import Final, TypeVar

from signalfleet.adapters.sql.errors import translated
from signalfleet.adapters.sql.postgresql import Connection, Pool, open_pool
from signalfleet.adapters.sql.postgresql_engine import as_users
from signalfleet.adapters.sql.session import Operation, Params, Row
from signalfleet.adapters.sql.texts import Statement
from signalfleet.adapters.sql.waves import DRIVER_ERRORS, run_alone
from signalfleet.domain.ids import UserId
from signalfleet.ports.errors import StoreUnavailableError

T = TypeVar("T")

READERS: Final = 4
READ_TIMEOUT_S: Final = 2.0
CLOSE_GRACE_S: Final = 5.0
_BEGIN: Final = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"


class PostgresqlReaders:
    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._is_closed = False

    @classmethod
    async def open(cls, url: str) -> "PostgresqlReaders":
        return cls(await open_pool(url, READERS))

    async def run(
        self,
        operation: Operation[T],
        user: UserId | None = None,
        *,
        is_long: bool = False,  # noqa: ARG002 - Nobody waits for the database in the loop.
    ) -> T:
        if self._is_closed:
            raise StoreUnavailableError("the store is closed")
        try:
            async with asyncio.timeout(READ_TIMEOUT_S), self._pool.acquire() as connection:
                return await _run(connection, operation, user)
        except TimeoutError as e:
            raise StoreUnavailableError("the store is too slow now") from e
        except DRIVER_ERRORS as e:
            raise translated(e) from e

    async def rows(
        self, sql: Statement, params: Params, user: UserId | None = None, *, is_long: bool = False
    ) -> Sequence[Row]:
        return await self.run(lambda session: session.rows(sql, params), user, is_long=is_long)

    async def aclose(self) -> None:
        if self._is_closed:
            return
        self._is_closed = True
        try:
            async with asyncio.timeout(CLOSE_GRACE_S):
                await self._pool.close()
        except TimeoutError:
            self._pool.terminate()


async def _run(connection: Connection, operation: Operation[T], user: UserId | None) -> T:
    try:
        await connection.execute(f"{_BEGIN}; {as_users(() if user is None else (user,))}")
        answer = await run_alone(connection, operation)
        await connection.execute("COMMIT")
    except BaseException:
        # Cheaper to make a new one than to find out in what state this one is.
        connection.terminate()
        raise
    return answer
