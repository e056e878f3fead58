"""Points at every call of the ports where a test can let a worker die."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, cast

from signalfleet.domain.ids import UserId
from signalfleet.ports.broker import Broker, Gate
from signalfleet.ports.store import Store


class Tap:
    """Counts the points that are passed; at the chosen one everything stops for ever."""

    def __init__(self, stop_at: int | None = None) -> None:
        self.stop_at = stop_at
        self.passed: list[str] = []
        self.reached = asyncio.Event()

    async def point(self, name: str) -> None:
        if self.reached.is_set():
            await asyncio.Event().wait()  # The process is dead: nothing of it goes on.
        self.passed.append(name)
        if len(self.passed) == self.stop_at:
            self.reached.set()
            await asyncio.Event().wait()

    def store(self, store: Store) -> Store:
        return cast("Store", _Store(store, self))

    def broker(self, broker: Broker) -> Broker:
        return cast("Broker", _Tapped("broker", broker, self))


class _Tapped:
    """Forwards everything and passes a point before and after each call."""

    def __init__(self, name: str, target: object, tap: Tap) -> None:
        self._name, self._target, self._tap = name, target, tap

    def __getattr__(self, attribute: str) -> Any:
        value = getattr(self._target, attribute)
        if not callable(value):
            return value
        if attribute == "submit":
            return self._submit
        return self._around(attribute, value)

    def _around(
        self, attribute: str, method: Callable[..., Awaitable[object]]
    ) -> Callable[..., Awaitable[object]]:
        async def call(*args: object, **named: object) -> object:
            await self._tap.point(f"{self._name}.{attribute}:before")
            result = await method(*args, **named)
            await self._tap.point(f"{self._name}.{attribute}:after")
            return result

        return call

    async def _submit(self, order: object, gate: Gate) -> object:
        await self._tap.point("broker.submit:before")
        target: Any = self._target
        outcome = await target.submit(order, gate)
        await self._tap.point("broker.submit:after")
        return outcome


class _Store:
    def __init__(self, store: Store, tap: Tap) -> None:
        self._store, self._tap = store, tap

    def user(self, user: UserId) -> Any:
        return _UserStore(self._store.user(user), self._tap)

    def __getattr__(self, attribute: str) -> Any:
        return getattr(self._store, attribute)


class _UserStore:
    def __init__(self, store: object, tap: Tap) -> None:
        self._store, self._tap = store, tap

    def __getattr__(self, attribute: str) -> Any:
        value = getattr(self._store, attribute)
        if attribute in {"journal", "inbox"}:
            return _Tapped(attribute, value, self._tap)
        return value
