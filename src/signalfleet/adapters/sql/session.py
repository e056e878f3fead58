"""One connection inside one transaction: what an operation works with."""

import sqlite3
from collections.abc import Mapping
from typing import Any, Generic, Protocol, TypeVar

T = TypeVar("T")


class Row(Protocol):
    """A result row, by column name; each column's type is known to the mapping that reads it."""

    def __getitem__(self, column: str, /) -> Any: ...  # noqa: ANN401


class Undo(Exception, Generic[T]):  # noqa: N818 - An answer, not an error.
    """Ends an operation with an answer and without what it has written so far."""

    def __init__(self, answer: T) -> None:
        super().__init__()
        self.answer = answer


class Session:
    """Runs compiled statements on a connection. Used by one thread at a time."""

    __slots__ = ("_connection",)

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def run(self, sql: str, params: Mapping[str, object]) -> int:
        """Run a statement that writes; return how many rows it touched."""
        return self._connection.execute(sql, params).rowcount

    def row(self, sql: str, params: Mapping[str, object]) -> Row | None:
        row: Row | None = self._connection.execute(sql, params).fetchone()
        return row

    def rows(self, sql: str, params: Mapping[str, object]) -> list[Row]:
        rows: list[Row] = self._connection.execute(sql, params).fetchall()
        return rows
