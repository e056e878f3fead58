"""Which calls may use what is kept in reserve, and the permits that keep it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from enum import IntEnum


class Lane(IntEnum):
    """Why a call is made. Only entries, and what is asked for their sake, respect the reserves."""

    PROTECTIVE = 0
    LOOK = 1
    ENTRY = 2


class Permits:
    """At most `most` calls at once, `entry` of them for entries; protective ones go first."""

    __slots__ = ("_free", "_free_entry", "_waiting")

    def __init__(self, most: int, entry: int) -> None:
        self._free = most
        self._free_entry = entry
        self._waiting: tuple[list[asyncio.Future[None]], list[asyncio.Future[None]]] = ([], [])

    @asynccontextmanager
    async def hold(self, lane: Lane) -> AsyncIterator[None]:
        await self.acquire(lane)
        try:
            yield
        finally:
            self.release(lane)

    async def acquire(self, lane: Lane) -> None:
        is_entry = lane is Lane.ENTRY
        if self._has_room(is_entry=is_entry) and not self._waiting[is_entry]:
            self._take(is_entry=is_entry)
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting[is_entry].append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.release(lane)  # Its turn came in the same moment: hand it on.
            raise

    def release(self, lane: Lane) -> None:
        self._free += 1
        self._free_entry += lane is Lane.ENTRY
        if self._waiting[False] or self._waiting[True]:
            self._wake()

    def _wake(self) -> None:
        for is_entry in (False, True):
            queue = self._waiting[is_entry]
            while queue and self._has_room(is_entry=is_entry):
                turn = queue.pop(0)
                if not turn.done():
                    self._take(is_entry=is_entry)
                    turn.set_result(None)

    def _has_room(self, *, is_entry: bool) -> bool:
        return self._free > 0 and (not is_entry or self._free_entry > 0)

    def _take(self, *, is_entry: bool) -> None:
        self._free -= 1
        self._free_entry -= is_entry
