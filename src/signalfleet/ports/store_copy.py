"""Rows as they are, for moving everything from one store to another. Nothing else reads them."""

from collections.abc import Mapping, Sequence
from typing import Protocol, TypeAlias

from signalfleet.domain.ids import UserId

Cell: TypeAlias = str | int | None
"""Amounts are text in plain digits, so that equal rows are equal in every store."""
CopiedRow: TypeAlias = Mapping[str, Cell]


class RowAccess(Protocol):
    """A store's rows by the names of tables and columns of the SQL schema."""

    @property
    def user_tables(self) -> Sequence[str]:
        """Return the tables whose rows belong to a user, in the order in which they are filled."""
        ...

    @property
    def shared_tables(self) -> Sequence[str]:
        """Return the other tables; the one that says that a store is in use comes last."""
        ...

    async def is_live(self) -> bool:
        """Tell whether a product was ever started on this store."""
        ...

    async def users(self, after: str, limit: int) -> tuple[UserId, ...]:
        """Return the next users in the order of their ids."""
        ...

    async def rows_of(self, user: UserId, table: str) -> Sequence[CopiedRow]:
        """Return the rows in the order of their keys."""
        ...

    async def replace_user(self, user: UserId, tables: Mapping[str, Sequence[CopiedRow]]) -> None:
        """Make these the only rows of the user, as one unit."""
        ...

    async def delete_user(self, user: UserId) -> None: ...

    async def shared_rows(self, table: str) -> Sequence[CopiedRow]: ...

    async def replace_shared(self, table: str, rows: Sequence[CopiedRow]) -> None: ...

    async def close_gaps(self) -> None:
        """Let counters go on above everything that was copied."""
        ...
