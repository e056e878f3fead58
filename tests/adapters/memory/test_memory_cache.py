"""How much the cache of one process may hold."""

from datetime import timedelta

from kit.wall_clock import WallClock
from signalfleet.adapters.memory.cache import KEPT, MAX_ALL_BYTES, MAX_BYTES, MemoryCache
from signalfleet.domain.accounts.keys import user_key
from signalfleet.domain.ids import UserId

ANN = UserId("u_mfrggzdfmztwq2lk")
HOUR = timedelta(hours=1)
FITS = MAX_ALL_BYTES // MAX_BYTES
KEYS = [user_key(ANN, "part", str(number)) for number in range(FITS + 2)]


def large(number: int) -> str:
    return f"{number:04}" + "x" * (MAX_BYTES - 4)


async def found(cache: MemoryCache) -> list[int]:
    return [number for number, key in enumerate(KEYS) if await cache.get(key) is not None]


async def test_all_values_together_have_a_limit_and_the_oldest_go() -> None:
    cache = MemoryCache(WallClock())
    for number, key in enumerate(KEYS):
        await cache.put(key, large(number), HOUR)
    assert await found(cache) == list(range(2, FITS + 2))
    await cache.delete(KEYS[5])
    await cache.put(KEYS[0], large(0), HOUR)
    assert await found(cache) == [0, *(n for n in range(2, FITS + 2) if n != 5)]


async def test_equal_values_count_once_and_are_one_object() -> None:
    cache = MemoryCache(WallClock())
    for _ in range(2):
        for key in KEYS:
            await cache.put(key, large(1), HOUR)
    assert await found(cache) == list(range(FITS + 2))
    assert await cache.get(KEYS[0]) is await cache.get(KEYS[1])
    for key in KEYS[1:]:
        await cache.delete(key)
    for number, key in enumerate(KEYS[1:FITS]):
        await cache.put(key, large(number + 2), HOUR)
    assert await found(cache) == list(range(FITS))


async def test_there_are_never_more_values_than_may_be() -> None:
    cache = MemoryCache(WallClock())
    for number in range(KEPT + 1):
        await cache.put(user_key(ANN, "part", str(number)), "", HOUR)
    assert await cache.get(user_key(ANN, "part", "0")) is None
    assert await cache.get(user_key(ANN, "part", "1")) == ""
