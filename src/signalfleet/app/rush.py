"""Orders go first: what only follows up waits while bots are on the way to theirs."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Final

FEW: Final = 8
"""So many at once are no rush."""
PATIENCE_S: Final = 2.0
LONG_PATIENCE_S: Final = 10.0
"""What nobody waits for can stand back longer: a post to a thousand may take five seconds."""
LANES: Final = 4
"""So many follow up at once, of all bots of the process."""
LOOKS_APART_S: Final = 0.005
ROUTINE_APART_S: Final = 0.02
"""Of looks that nothing has led to, while orders are under way."""
TURN_PATIENCE_S: Final = 0.05
"""So long a turn waits for the orders that are under way: 80 turns a second are the least."""


class Rush:
    """Counts, for all bots of a process, who is between a message and the answer to its order.

    A post that reaches a thousand bots is a thousand orders; each look and notice between them
    would make the last of them later. So would a thousand bots that all follow up at once.
    """

    def __init__(self) -> None:
        self._under_way = 0
        self._calm = asyncio.Event()
        self._idle = asyncio.Event()
        self._lanes = asyncio.Semaphore(LANES)
        self._next_look = 0.0
        self._next_routine = 0.0

    @contextmanager
    def part(self) -> Iterator[None]:
        """What is inside is on the way to an order."""
        self._enter()
        try:
            yield
        finally:
            self._leave()

    async def give_way(self) -> None:
        """Let the others' orders that are under way go first, for a moment at the most.

        For whoever is inside its own `part` and has had more than its share: nobody waits for it
        meanwhile, so that two who give way do not wait for each other.
        """
        self._leave()
        try:
            if self._under_way:
                await _wait(self._idle, TURN_PATIENCE_S)
        finally:
            self._enter()

    def _enter(self) -> None:
        self._under_way += 1
        self._idle.clear()
        if self._under_way > FEW:
            self._calm.clear()

    def _leave(self) -> None:
        self._under_way -= 1
        if self._under_way <= FEW:
            self._calm.set()
        if not self._under_way:
            self._idle.set()

    async def over(self, patience_s: float = PATIENCE_S) -> None:
        """Wait until few are under way, for a moment at the most."""
        if self._under_way > FEW:
            await _wait(self._calm, patience_s)

    async def before_look(self, *, is_routine: bool) -> None:
        """Wait until a look at an account may begin: after one post a thousand are due at once."""
        await self.over(LONG_PATIENCE_S)
        now = asyncio.get_running_loop().time()
        if is_routine:
            begin = max(self._next_routine, now)
            self._next_routine = begin + (ROUTINE_APART_S if self._under_way else LOOKS_APART_S)
        else:
            begin = max(self._next_look, now)
            self._next_look = begin + LOOKS_APART_S
        if begin > now:
            await asyncio.sleep(begin - now)

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Have a turn at work that no order waits for: few have one at once, between two orders."""
        await self.over(LONG_PATIENCE_S)
        async with self._lanes:
            if self._under_way:
                await _wait(self._idle, TURN_PATIENCE_S)
            yield


async def _wait(event: asyncio.Event, patience_s: float) -> None:
    try:
        async with asyncio.timeout(patience_s):
            await event.wait()
    except TimeoutError:
        pass
