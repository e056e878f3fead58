"""Values that may be lost at any time, shared by all processes where there is somewhere to."""

from datetime import timedelta
from typing import Protocol

from signalfleet.domain.accounts.keys import Key


class Cache(Protocol):
    """Nothing here raises for a cache that is away: then nothing is found and nothing is kept.

    Keys come from domain.accounts.keys alone. Never secrets, never what the store must know.
    """

    @property
    def is_shared(self) -> bool:
        """Tell whether other processes see the same values now."""
        ...

    async def get(self, key: Key) -> str | None: ...

    async def put(self, key: Key, value: str, keep: timedelta) -> None:
        """Keep a value of at most 1 MiB for a time; a larger one is not kept."""
        ...

    async def delete(self, key: Key) -> None: ...

    async def ping(self) -> bool:
        """Ask whether the cache answers now."""
        ...

    async def aclose(self) -> None: ...
