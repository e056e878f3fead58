"""What all parts of the store share: the writer, the readers, the statements and the fence."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol, TypeVar

from signalfleet.adapters.sql.session import Operation, Params, Row, Session
from signalfleet.adapters.sql.statements import Statements
from signalfleet.adapters.sql.texts import Statement
from signalfleet.adapters.sql.writer import HOT_TIMEOUT_S, Writer
from signalfleet.domain.ids import UserId
from signalfleet.ports.errors import FencedError

T = TypeVar("T")

SLOW_TIMEOUT_S: Final = 10.0


class Reading(Protocol):
    async def run(
        self, operation: Operation[T], user: UserId | None = None, *, is_long: bool = False
    ) -> T:
        """Run an operation on one consistent state of the database, the newest committed one.

        `is_long`: it reads many rows, so that others should not wait for it.
        """
        ...

    async def rows(
        self, sql: Statement, params: Params, user: UserId | None = None, *, is_long: bool = False
    ) -> Sequence[Row]:
        """Return the rows of one statement, which is a state of its own."""
        ...

    async def aclose(self) -> None: ...


@dataclass(slots=True, kw_only=True)
class Database:
    """`user` is whose rows are touched; without one only tables that belong to nobody are."""

    cell: str
    sql: Statements
    writer: Writer
    readers: Reading
    user: UserId | None = None
    is_postgresql: bool = False

    def of(self, user: UserId) -> "Database":
        return Database(
            cell=self.cell,
            sql=self.sql,
            writer=self.writer,
            readers=self.readers,
            user=user,
            is_postgresql=self.is_postgresql,
        )

    async def write(self, operation: Operation[T], *, hot: bool = True) -> T:
        timeout_s = HOT_TIMEOUT_S if hot else SLOW_TIMEOUT_S
        return await self.writer.run(operation, timeout_s, user=self.user)

    async def write_fenced(self, user: UserId, epoch: int, operation: Operation[T]) -> T:
        """Write for a user under the epoch that owns the user's slot, or not at all.

        The look at the fence is in the same transaction as the rows, so it stands for all of them.
        """
        fence = {"user_id": user, "cell": self.cell, "epoch": epoch}

        async def fenced(session: Session) -> T:
            if await session.row(self.sql.fence, fence) is None:
                raise FencedError("this epoch does not own the user's slot")
            return await operation(session)

        return await self.write(fenced)

    async def rows(self, sql: Statement, params: Params, *, is_long: bool = False) -> Sequence[Row]:
        return await self.readers.rows(sql, params, self.user, is_long=is_long)

    async def row(self, sql: Statement, params: Params) -> Row | None:
        rows = await self.readers.rows(sql, params, self.user)
        return rows[0] if rows else None

    async def rows_of_each(self, sql: Statement, params: Sequence[Params]) -> Sequence[Row]:
        """Return the rows for each of the parameters, in their order, from one state."""
        if len(params) == 1:
            return await self.rows(sql, params[0])
        return await self.readers.run(lambda one: one.rows_of_each(sql, params), self.user)
