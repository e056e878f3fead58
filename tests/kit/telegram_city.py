"""What tests against the loopback Telegram server share."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

from telethon import TelegramClient
from telethon.crypto import AuthKey
from telethon.sessions import MemorySession

PHONE = "+1 555 0100"
PATIENCE_S = 5.0

MakeClient = Callable[..., Awaitable[Any]]


class Inbox:
    """Collects the raw updates that a client hands to its handlers."""

    def __init__(self) -> None:
        self._arrived: asyncio.Queue[Any] = asyncio.Queue()

    async def add(self, update: Any) -> None:
        await self._arrived.put(update)

    async def take(self) -> Any:
        async with asyncio.timeout(PATIENCE_S):
            return await self._arrived.get()

    async def texts(self, count: int) -> list[str]:
        """Return the next texts; the library also hands out its empty wrappers, without any."""
        found: list[str] = []
        while len(found) < count:
            message = getattr(await self.take(), "message", None)
            if message is not None:
                found.append(message.message)
        return found

    @property
    def is_empty(self) -> bool:
        return self._arrived.empty()


class Clock:
    """Real time, moved on by hand."""

    def __init__(self) -> None:
        self.ahead_s = 0.0

    def time(self) -> float:
        return time.time() + self.ahead_s


async def eventually(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not condition():  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.01)


def stock_client(session: tuple[int, str, int, bytes | None], **options: Any) -> Any:
    """Return an unmodified client, not connected; a session is (dc, host, port, key)."""
    memory = MemorySession()
    memory.set_dc(*session[:3])
    memory.auth_key = AuthKey(session[3])
    settings = {
        "request_retries": 1,
        "connection_retries": 3,
        "retry_delay": 0.05,
        "flood_sleep_threshold": 0,
        "raise_last_call_error": True,
        "sequential_updates": True,
        **options,
    }
    client = TelegramClient(memory, 1, "hash", **settings)
    client.parse_mode = None
    return client
