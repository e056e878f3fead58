"""The shared cache in Redis or Valkey."""

from collections.abc import Awaitable
from datetime import timedelta
from typing import Final, TypeVar

import structlog
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from signalfleet.adapters.redis.limits import (
    FIRST_PAUSE_S,
    KEY_PREFIX,
    LONGEST_PAUSE_S,
    MAX_VALUE_BYTES,
    TIMEOUT_S,
)
from signalfleet.domain.accounts.keys import Key
from signalfleet.ports.clock import Clock
from signalfleet.ports.metrics import Metrics

log = structlog.get_logger(__name__)
T = TypeVar("T")

AWAY: Final = "signalfleet_cache_fallback_active"


class RedisCache:
    """Asks once and briefly; after a failure not again for 1, 2, 4 ... 32 seconds."""

    def __init__(self, url: str, *, clock: Clock, metrics: Metrics) -> None:
        self._clock, self._metrics = clock, metrics
        self._redis = Redis.from_url(
            url,
            decode_responses=True,
            socket_timeout=TIMEOUT_S,
            socket_connect_timeout=TIMEOUT_S,
            retry=Retry(NoBackoff(), 0),
        )
        self._pause_s = 0.0
        self._not_before = 0.0
        metrics.gauge(AWAY, 0)

    @property
    def is_shared(self) -> bool:
        return self._pause_s == 0.0

    async def get(self, key: Key) -> str | None:
        found = await self._asked(self._redis.get(KEY_PREFIX + key))
        return found if isinstance(found, str) else None

    async def put(self, key: Key, value: str, keep: timedelta) -> None:
        if len(value.encode()) > MAX_VALUE_BYTES:
            await self.delete(key)
            return
        await self._asked(self._redis.set(KEY_PREFIX + key, value, px=keep))

    async def delete(self, key: Key) -> None:
        await self._asked(self._redis.delete(KEY_PREFIX + key))

    async def ping(self) -> bool:
        return bool(await self._asked(self._redis.ping()))

    async def aclose(self) -> None:
        await self._redis.aclose()

    async def _asked(self, call: Awaitable[T]) -> T | None:
        if self._clock.monotonic() < self._not_before:
            # Never awaited, never sent.
            getattr(call, "close", lambda: None)()
            return None
        try:
            answer = await call
        except (RedisError, OSError, TimeoutError, UnicodeDecodeError) as error:
            self._went(type(error).__name__)
            return None
        self._came()
        return answer

    def _went(self, kind: str) -> None:
        if self._pause_s == 0.0:
            self._metrics.gauge(AWAY, 1)
            log.warning("cache_unavailable", kind=kind)
        self._pause_s = min(max(self._pause_s * 2, FIRST_PAUSE_S), LONGEST_PAUSE_S)
        self._not_before = self._clock.monotonic() + self._pause_s

    def _came(self) -> None:
        if self._pause_s:
            self._metrics.gauge(AWAY, 0)
            log.info("cache_recovered")
        self._pause_s = 0.0
