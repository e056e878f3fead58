"""Who gets one of a worker's places for bots, and who waits for the next one."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime

from signalfleet.domain.ids import UserId


@dataclass(frozen=True, slots=True, order=True)
class Rank:
    """Whose turn is first: those who pay, then who has waited longest."""

    is_free_tier: bool
    since: datetime
    user: UserId


class Admission:
    """So many bots at once; the others wait in line."""

    def __init__(self, places: int) -> None:
        self._free = places
        self._waiting: dict[UserId, tuple[Rank, asyncio.Future[None]]] = {}

    @property
    def waiting(self) -> int:
        """Return how many wait for a place."""
        return len(self._waiting)

    def places_in_line(self) -> Mapping[UserId, int]:
        """Return who waits, with the place in the line: 1 is the next."""
        line = sorted(rank for rank, _ in self._waiting.values())
        return {rank.user: place for place, rank in enumerate(line, start=1)}

    @asynccontextmanager
    async def place(self, rank: Rank) -> AsyncIterator[None]:
        """Hold a place inside the block; wait for one in the order of ranks."""
        await self._take(rank)
        try:
            yield
        finally:
            self._give_back()

    def is_full(self) -> bool:
        return self._free <= 0

    async def _take(self, rank: Rank) -> None:
        if self._free > 0:
            self._free -= 1
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting[rank.user] = (rank, turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._give_back()  # The place came at the moment of the end.
            raise
        finally:
            if self._waiting.get(rank.user, (rank, None))[1] is turn:
                del self._waiting[rank.user]

    def _give_back(self) -> None:
        waiting = [one for one in self._waiting.values() if not one[1].done()]
        if not waiting:
            self._free += 1
            return
        _, turn = min(waiting, key=lambda one: one[0])
        turn.set_result(None)
