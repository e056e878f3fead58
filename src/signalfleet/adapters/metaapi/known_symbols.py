"""The names of an account's symbols, kept where the next process finds them.

Asking for them costs 500 credits, and a restart of a thousand bots would ask a thousand times.
"""

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from typing import Final

from signalfleet.adapters.metaapi.limits import SYMBOLS_AGE_S
from signalfleet.domain.accounts.keys import Key
from signalfleet.ports.cache import Cache

LISTS: Final = 256
"""How many different lists are remembered: those of brokers' servers and their kinds of account."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownSymbols:
    cache: Cache
    key: Key

    async def get(self, fetch: Callable[[], Awaitable[frozenset[str]]]) -> frozenset[str]:
        """Return what is known, else what `fetch` finds."""
        known = _names(await self.cache.get(self.key))
        if known:
            return known
        names = await fetch()
        if names:
            keep = timedelta(seconds=SYMBOLS_AGE_S)
            await self.cache.put(self.key, json.dumps(sorted(names)), keep)
        return names


@lru_cache(maxsize=LISTS)
def one_for_all(names: frozenset[str]) -> frozenset[str]:
    """Return an equal set, the same one each time.

    A broker lists some thousand names, and all its accounts of a kind the same: a set for each of
    a thousand bots would weigh more than the bots.
    """
    return names


def _names(text: str | None) -> frozenset[str]:
    """Read what was kept; anything that is not a list of names counts as nothing."""
    try:
        found = json.loads(text or "[]")
    except ValueError:
        return frozenset()
    if not isinstance(found, list) or not all(isinstance(name, str) and name for name in found):
        return frozenset()
    return frozenset(found)
