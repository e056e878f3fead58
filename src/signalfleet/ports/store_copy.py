"""Rows as they are, for moving everything from one store to another. Nothing else reads them."""

from collections.abc import Mapping, Sequence
from typing import Protocol, TypeAlias

from signalfleet.domain.ids import UserId

Cell: TypeAlias = str | int | None
"""Amounts are text in plain digits, so that equal rows are equal in every store."""
CopiedRow: TypeAlias = Mapping[str, Cell]
Tables: TypeAlias = Mapping[str, Sequence[CopiedRow]]
"""All rows of one user by table, those first that others refer to."""


class RowAccess(Protocol):
    """A store's rows by the names of tables and columns of the SQL schema."""

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

    async def tables_of(self, user: UserId) -> Tables:
        """Return all rows of a user, in any order; nothing for one who is not there."""
        ...

    def as_kept(self, user: UserId, tables: Tables) -> Tables:
        """Return rows as this store gives them back once they are in it."""
        ...

    async def replace_user(self, user: UserId, tables: Tables) -> None:
        """Make these the only rows of the user; one who is there is there with all of them."""
        ...

    async def delete_user(self, user: UserId) -> None: ...

    async def shared_rows(self, table: str) -> Sequence[CopiedRow]: ...

    async def replace_shared(self, table: str, rows: Sequence[CopiedRow]) -> None: ...

    async def close_gaps(self) -> None:
        """Let counters go on above everything that was copied."""
        ...
