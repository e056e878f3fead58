"""Work that waits without a task: what a thousand idle bots would else hold a thousand times."""

import asyncio
from collections.abc import Awaitable, Callable
from contextvars import Context, copy_context


class Errand:
    """Work that runs when it is asked for, one run at a time; in between nothing waits.

    From `begin` on it is a task of the given group, in the context of whoever began it. Asked for
    while it runs, it runs once more. What fails in it ends the group, as of any other task.
    """

    __slots__ = ("_context", "_is_asked", "_is_running", "_name", "_tasks", "_work")

    def __init__(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        self._name = name
        self._work = work
        self._tasks: asyncio.TaskGroup | None = None
        self._context: Context | None = None
        self._is_asked = False
        self._is_running = False

    def begin(self, tasks: asyncio.TaskGroup) -> None:
        """Belong to this group from now on; what was asked for before begins at once."""
        self._tasks, self._context = tasks, copy_context()
        self._is_running = False
        if self._is_asked:
            self._start()

    def ask(self) -> None:
        """Have it run, now or as soon as it has begun."""
        self._is_asked = True
        if not self._is_running:
            self._start()

    def caught_up(self) -> None:
        """Say from within that all that was asked for so far is done."""
        self._is_asked = False

    def _start(self) -> None:
        if self._tasks is None or self._context is None:
            return
        running = self._run()
        try:
            self._tasks.create_task(running, name=self._name, context=self._context.copy())
        except RuntimeError:  # The group is ending.
            running.close()
        else:
            self._is_running = True

    async def _run(self) -> None:
        try:
            while self._is_asked:
                self._is_asked = False
                await self._work()
        finally:
            self._is_running = False


class LightEvent:
    """An asyncio.Event that weighs next to nothing while nobody waits for it."""

    __slots__ = ("_is_set", "_waiters")

    def __init__(self) -> None:
        self._is_set = False
        self._waiters: list[asyncio.Future[None]] | None = None

    def is_set(self) -> bool:
        return self._is_set

    def set(self) -> None:
        self._is_set = True
        for waiter in self._waiters or ():
            if not waiter.done():
                waiter.set_result(None)

    def clear(self) -> None:
        self._is_set = False

    async def wait(self) -> None:
        """Wait until it is set."""
        if self._is_set:
            return
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if self._waiters is None:
            self._waiters = []
        self._waiters.append(waiter)
        try:
            await waiter
        finally:
            self._waiters.remove(waiter)
            if not self._waiters:
                self._waiters = None
