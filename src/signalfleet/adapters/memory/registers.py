"""Registers in memory, for one process: tests, drills and simulations."""

import asyncio
import json
import re
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from signalfleet.ports.bus import Plain
from signalfleet.ports.errors import ConflictError, TemporaryError
from signalfleet.ports.registers import Register

_KEY: Final = re.compile(r"[A-Za-z0-9_-]{1,80}(?:\.[A-Za-z0-9_-]{1,80}){0,7}")


class MemoryRegisters:
    """Port Registers. `set_connected` and `wipe` play what can happen to a real one."""

    def __init__(self) -> None:
        # What was deleted stays as a mark without a value, as it does in NATS for a while.
        self._rows: dict[str, tuple[str | None, int]] = {}
        self._revision = 0
        self._connected = True
        self._watchers: list[_Watcher] = []

    def set_connected(self, connected: bool) -> None:  # noqa: FBT001 - A state, said in its name.
        """While it is not connected every call fails, and watchers hear nothing."""
        came_back = connected and not self._connected
        self._connected = connected
        if came_back:
            self._tell_all_again()

    def wipe(self) -> None:
        """Lose everything, as a server does that comes back without its files."""
        self._rows.clear()
        self._revision = 0
        self._tell_all_again()

    async def get(self, key: str) -> Register | None:
        self._require(key)
        register = _register(key, *self._rows.get(key, (None, 0)))
        return None if register.value is None else register

    async def put(self, key: str, value: Plain, revision: int) -> int:
        self._require(key)
        self._require_revision(key, revision)
        self._revision += 1
        self._rows[key] = (json.dumps(dict(value), allow_nan=False), self._revision)
        self._tell(_register(key, *self._rows[key]))
        return self._revision

    async def delete(self, key: str, revision: int) -> None:
        self._require(key)
        self._require_revision(key, revision)
        if revision:
            self._revision += 1
            self._rows[key] = (None, self._revision)
            self._tell(_register(key, *self._rows[key]))

    @asynccontextmanager
    async def watch(self, prefix: str) -> AsyncIterator[AsyncIterator[Register | None]]:
        self._require(prefix)
        watcher = _Watcher(prefix)
        self._tell_everything(watcher)
        self._watchers.append(watcher)
        try:
            yield watcher
        finally:
            self._watchers.remove(watcher)

    def _require(self, key: str) -> None:
        if not _KEY.fullmatch(key):
            raise ValueError("a register's name is 1 to 8 words of a-z A-Z 0-9 _ -, with dots")
        if not self._connected:
            raise TemporaryError("the registers cannot be reached")

    def _require_revision(self, key: str, revision: int) -> None:
        value, stored = self._rows.get(key, (None, 0))
        if revision != (0 if value is None else stored):
            raise ConflictError(f"the register {key} was changed by somebody else")

    def _tell(self, register: Register) -> None:
        for watcher in self._watchers:
            watcher.hear(register)

    def _tell_all_again(self) -> None:
        for watcher in self._watchers:
            self._tell_everything(watcher)

    def _tell_everything(self, watcher: "_Watcher") -> None:
        for key, row in self._rows.items():
            watcher.hear(_register(key, *row))
        watcher.hear(None)


class _Watcher:
    """What one reader has not taken yet of the names under a prefix."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._told: deque[Register | None] = deque()
        self._arrived = asyncio.Event()

    def hear(self, register: Register | None) -> None:
        if register is None or _is_under(register.key, self._prefix):
            self._told.append(register)
            self._arrived.set()

    def __aiter__(self) -> AsyncIterator[Register | None]:
        return self

    async def __anext__(self) -> Register | None:
        while not self._told:
            self._arrived.clear()
            await self._arrived.wait()
        return self._told.popleft()


def _is_under(key: str, prefix: str) -> bool:
    return key == prefix or key.startswith(f"{prefix}.")


def _register(key: str, text: str | None, revision: int) -> Register:
    value = None if text is None else json.loads(text)
    return Register(key=key, value=value, revision=revision)
