"""Use of a key service: counted, and for one that is far away kept for a while."""

from collections import OrderedDict
from datetime import timedelta
from typing import Final

from signalfleet.domain.ids import UserId
from signalfleet.ports.clock import Clock
from signalfleet.ports.errors import RefusedError, TemporaryError
from signalfleet.ports.metrics import Metrics
from signalfleet.ports.sealed import WrappedKey
from signalfleet.ports.secrets import KeyService

KEPT_FOR: Final = timedelta(minutes=15)
MOST_KEPT: Final = 20_000
UNWRAPS: Final = "signalfleet_key_unwraps_total"


class WatchedKeyService:
    """Counts unwraps by their outcome: a burst of them may be a theft of everything.

    With `kept_for` an unwrapped key is used again for so long, at most, so that running bots do
    not notice a key service that is away. New users' keys, and keys not seen lately, need it.
    """

    def __init__(
        self, keys: KeyService, clock: Clock, metrics: Metrics, *, kept_for: timedelta | None = None
    ) -> None:
        self._keys = keys
        self._clock = clock
        self._metrics = metrics
        self._kept_for = kept_for
        self._kept: OrderedDict[tuple[UserId, str], tuple[bytes, float]] = OrderedDict()

    async def versions(self) -> tuple[str, ...]:
        return await self._keys.versions()

    async def generate(self, user: UserId, key_version: int) -> WrappedKey:
        return await self._keys.generate(user, key_version)

    async def unwrap(self, user: UserId, key: WrappedKey) -> bytes:
        address, now = (user, key.wrapped), self._clock.monotonic()
        self._drop_old(now)
        kept = self._kept.get(address)
        if kept is not None:
            return kept[0]
        try:
            data_key = await self._keys.unwrap(user, key)
        except RefusedError:
            self._metrics.count(UNWRAPS, outcome="refused")
            raise
        except TemporaryError:
            self._metrics.count(UNWRAPS, outcome="unreachable")
            raise
        self._metrics.count(UNWRAPS, outcome="opened")
        if self._kept_for is not None:
            self._kept[address] = (data_key, now + self._kept_for.total_seconds())
            if len(self._kept) > MOST_KEPT:
                self._kept.popitem(last=False)
        return data_key

    async def rewrap(self, user: UserId, key: WrappedKey) -> WrappedKey:
        return await self._keys.rewrap(user, key)

    def _drop_old(self, now: float) -> None:
        # All live equally long, so the oldest stand in front.
        while self._kept:
            address, (_, until) = next(iter(self._kept.items()))
            if until > now:
                return
            del self._kept[address]

    def __repr__(self) -> str:
        return f"WatchedKeyService({self._keys!r})"
