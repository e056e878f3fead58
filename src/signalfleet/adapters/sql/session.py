"""One connection inside one transaction: what an operation works with.

An operation is written once and awaits nothing but its session, so that either database can run
it: SQLite answers at once inside the writer's thread, PostgreSQL by a round trip, for the
operations of many users side by side.
"""

from collections.abc import Awaitable, Callable, Generator, Iterator, Mapping, Sequence
from typing import Any, Final, Generic, Protocol, TypeAlias, TypeVar

from signalfleet.adapters.sql.texts import Statement

T = TypeVar("T")

SHORT: Final = 200

Params: TypeAlias = Mapping[str, object]


class Row(Protocol):
    """A result row, by column name; each column's type is known to the mapping that reads it."""

    def __getitem__(self, column: str, /) -> Any: ...  # noqa: ANN401

    def __iter__(self) -> Iterator[Any]:
        """Give the values in the order of the columns."""
        ...


class Undo(Exception, Generic[T]):  # noqa: N818 - An answer, not an error.
    """Ends an operation with an answer and without what it has written so far."""

    def __init__(self, answer: T) -> None:
        super().__init__()
        self.answer = answer


class Session(Protocol):
    def run(self, sql: Statement, params: Params) -> Awaitable[int]:
        """Run a statement that writes; return how many rows it touched."""
        ...

    def run_all(self, sql: Statement, params: Sequence[Params]) -> Awaitable[int]:
        """Run it for each of them; return how many rows were touched in all."""
        ...

    def row(self, sql: Statement, params: Params) -> Awaitable[Row | None]: ...

    def rows(self, sql: Statement, params: Params) -> Awaitable[Sequence[Row]]: ...

    def rows_of_each(self, sql: Statement, params: Sequence[Params]) -> Awaitable[Sequence[Row]]:
        """Return the rows for each of the parameters, in their order."""
        ...

    def lock(self, name: str) -> Awaitable[None]:
        """Let nobody else pass here under this name until our transaction is over."""
        ...


Operation: TypeAlias = Callable[[Session], Awaitable[T]]


class Done(Generic[T]):
    """An answer that is there already."""

    __slots__ = ("_answer",)

    def __init__(self, answer: T) -> None:
        self._answer = answer

    def __await__(self) -> Generator[None, None, T]:
        yield from ()
        return self._answer


def is_long(params: Params) -> bool:
    """Tell whether a question with these parameters may be answered by many rows."""
    limit = params.get("limit")
    return isinstance(limit, int) and limit > SHORT


def finished(work: Awaitable[T]) -> T:
    """Run to its end an operation whose session answers at once."""
    try:
        next(work.__await__())
    except StopIteration as end:
        answer: T = end.value
        return answer
    raise RuntimeError("an operation may wait for its session only")
