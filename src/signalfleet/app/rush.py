"""Orders go first: what only follows up waits while many bots are on the way to theirs."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

FEW: Final = 8
"""So many at once are no rush."""
PATIENCE_S: Final = 2.0


class Rush:
    """Counts, for all bots of a process, who is between a message and the answer to its order.

    A post that reaches a thousand bots is a thousand orders; each look and notice between them
    would make the last of them later.
    """

    def __init__(self) -> None:
        self._under_way = 0
        self._calm = asyncio.Event()

    @contextmanager
    def part(self) -> Iterator[None]:
        """What is inside is on the way to an order."""
        self._under_way += 1
        if self._under_way > FEW:
            self._calm.clear()
        try:
            yield
        finally:
            self._under_way -= 1
            if self._under_way <= FEW:
                self._calm.set()

    async def over(self) -> None:
        """Wait until few are under way, for a moment at the most."""
        if self._under_way <= FEW:
            return
        try:
            async with asyncio.timeout(PATIENCE_S):
                await self._calm.wait()
        except TimeoutError:
            pass
