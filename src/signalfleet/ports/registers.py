"""Small values that all processes of a cell see: who is alive, who owns what, what is planned."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from signalfleet.ports.bus import Plain


@dataclass(frozen=True, slots=True, kw_only=True)
class Register:
    """A value and the revision that the next write must name; a deleted one has no value."""

    key: str
    value: Plain | None
    revision: int


class Registers(Protocol):
    """Compare-and-set over names of a-z A-Z 0-9 _ - joined by dots.

    Not a system of record: all of it can be lost, and whoever uses it must survive that.
    TemporaryError if it cannot be reached; whether a write had an effect is then unknown.
    """

    async def get(self, key: str) -> Register | None: ...

    async def put(self, key: str, value: Plain, revision: int) -> int:
        """Replace the value under its revision, 0 for one that does not exist; return the new one.

        ConflictError, and nothing written, if another write came first.
        """
        ...

    async def delete(self, key: str, revision: int) -> None:
        """Remove it; ConflictError if it is another one by now."""
        ...

    def watch(self, prefix: str) -> AbstractAsyncContextManager[AsyncIterator[Register | None]]:
        """Tell all that is there, then None, then each change in order.

        What was deleted of late is told too, without a value.
        After a lost connection all is told again, with None after it; it may repeat itself.
        """
        ...
