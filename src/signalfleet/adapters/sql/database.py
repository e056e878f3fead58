"""What all parts of the store share: the writer, the readers, the statements and the fence."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeVar

from signalfleet.adapters.sql.readers import Readers
from signalfleet.adapters.sql.session import Session
from signalfleet.adapters.sql.statements import Statements
from signalfleet.adapters.sql.writer import HOT_TIMEOUT_S, Writer
from signalfleet.domain.ids import UserId
from signalfleet.ports.errors import FencedError

T = TypeVar("T")

SLOW_TIMEOUT_S: Final = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Database:
    cell: str
    sql: Statements
    writer: Writer
    readers: Readers

    async def write(self, operation: Callable[[Session], T], *, hot: bool = True) -> T:
        return await self.writer.run(operation, HOT_TIMEOUT_S if hot else SLOW_TIMEOUT_S)

    async def write_fenced(self, user: UserId, epoch: int, operation: Callable[[Session], T]) -> T:
        """Write for a user under the epoch that owns the user's slot, or not at all.

        The look at the fence is in the same transaction as the rows, so it stands for all of them.
        """
        fence = {"user_id": user, "cell": self.cell, "epoch": epoch}

        def fenced(session: Session) -> T:
            if session.row(self.sql.fence, fence) is None:
                raise FencedError("this epoch does not own the user's slot")
            return operation(session)

        return await self.write(fenced)

    async def read(self, operation: Callable[[Session], T]) -> T:
        return await self.readers.run(operation)
