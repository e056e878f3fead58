"""One life of the worker: every call it makes passes through here, and may be its last.

A life that ended can touch nothing: its tasks unwind, but each call they try is refused. What it
had handed to the broker before goes on there, as it would after a power cut.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final

from signalfleet.ports.errors import StoreUnavailableError


class EndedError(Exception):
    """The life is over; nothing it does counts any more."""


class Life:
    """Counts the points that are passed and ends at the chosen one."""

    def __init__(self, number: int, crash_at: int | None, judge: "Judge") -> None:
        self.number = number
        self.task: asyncio.Task[None] | None = None
        self.alive = True
        self.passed = 0
        self.last_point = ""
        self._crash_at = crash_at
        self._judge = judge

    async def point(self, name: str) -> None:
        """Pass a point: crash here, be late here, or go on."""
        self.require()
        self.passed += 1
        self.last_point = name
        self._judge.passed(self)
        if self.passed == self._crash_at:
            self._judge.note(f"life {self.number} crashes at {name} ({self.passed})")
            self.end()
            await asyncio.Event().wait()
        delay = self._judge.delay()
        if delay:
            await asyncio.sleep(delay)
            self.require()

    def spare(self) -> None:
        """Crash no more."""
        self._crash_at = None

    def require(self) -> None:
        if not self.alive:
            raise EndedError(f"life {self.number} is over")

    def end(self) -> None:
        """As a power cut: from now on nothing can be touched."""
        self.alive = False
        if self.task is not None:
            self.task.cancel()


class Judge:
    """What a life asks the world: delays and faults. The world overrides it."""

    def passed(self, life: Life) -> None:
        raise NotImplementedError

    def note(self, text: str) -> None:
        raise NotImplementedError

    def delay(self) -> float:
        raise NotImplementedError

    def store_fails(self) -> bool:
        raise NotImplementedError


class Port:
    """Forwards to a port's object, with a point before and after each call that is awaited."""

    def __init__(
        self, life: Life, name: str, target: object, *, judge: Judge | None = None
    ) -> None:
        self._life = life
        self._name = name
        self._target = target
        self._judge = judge

    def __getattr__(self, attribute: str) -> Any:  # noqa: ANN401 - a proxy of any port
        value = getattr(self._target, attribute)
        if not asyncio.iscoroutinefunction(value):
            return value
        call = self._call(attribute, value)
        self.__dict__[attribute] = call
        return call

    def _call(
        self, attribute: str, method: Callable[..., Awaitable[object]]
    ) -> Callable[..., Awaitable[object]]:
        name = f"{self._name}.{attribute}"
        life, judge = self._life, self._judge

        async def call(*args: object, **kwargs: object) -> object:
            await life.point(f"{name}:before")
            if judge is not None and judge.store_fails():
                judge.note(f"the store fails in {name}")
                raise StoreUnavailableError("simulated")
            result = await method(*args, **kwargs)
            await life.point(f"{name}:after")
            return result

        return call


class StorePort:
    """A store seen from one life."""

    def __init__(self, life: Life, store: Any, judge: Judge) -> None:  # noqa: ANN401 - any store
        self._life = life
        self._store = store
        self._judge = judge
        self._users: dict[str, UserStorePort] = {}
        self.fleet = Port(life, "fleet", store.fleet)

    def user(self, user_id: Any) -> "UserStorePort":  # noqa: ANN401 - forwarded
        found = self._users.get(user_id)
        if found is None:
            found = UserStorePort(self._life, self._store.user(user_id), self._judge)
            self._users[user_id] = found
        return found


PARTS: Final = "inbox journal channels accounts settings credentials bot notices quota".split()


class UserStorePort:
    def __init__(self, life: Life, store: Any, judge: Judge) -> None:  # noqa: ANN401 - any store
        self.user_id = store.user_id
        for part in PARTS:
            setattr(self, part, Port(life, part, getattr(store, part), judge=judge))
