"""A cache keeps what it was given for a while, and may lose it at any time."""

import asyncio
from datetime import timedelta

from signalfleet.domain.accounts.keys import user_key
from signalfleet.domain.ids import UserId
from signalfleet.ports.cache import Cache

ANN = UserId("u_mfrggzdfmztwq2lk")
BOB = UserId("u_nbswy3dpo5xxe3de")
HOUR = timedelta(hours=1)


async def test_a_value_comes_back_until_it_is_deleted(cache: Cache) -> None:
    key = user_key(ANN, "symbols", "a_1")
    assert await cache.get(key) is None
    await cache.put(key, '["XAUUSD", "GOLD.é"]', HOUR)
    assert await cache.get(key) == '["XAUUSD", "GOLD.é"]'
    await cache.put(key, "", HOUR)
    assert await cache.get(key) == ""
    await cache.delete(key)
    await cache.delete(key)
    assert await cache.get(key) is None


async def test_a_value_is_gone_when_its_time_is_over(cache: Cache) -> None:
    key = user_key(ANN, "short")
    await cache.put(key, "x", timedelta(milliseconds=30))
    async with asyncio.timeout(5):
        while await cache.get(key) is not None:  # noqa: ASYNC110 - Only a look can tell.
            await asyncio.sleep(0.005)
    assert await cache.get(key) is None


async def test_users_and_parts_do_not_share_values(cache: Cache) -> None:
    await cache.put(user_key(ANN, "a", "b"), "ann", HOUR)
    for other in (user_key(BOB, "a", "b"), user_key(ANN, "a|b"), user_key(ANN, "a")):
        assert await cache.get(other) is None


async def test_what_is_too_large_is_not_kept_and_takes_the_old_value_along(cache: Cache) -> None:
    key = user_key(ANN, "large")
    await cache.put(key, "small", HOUR)
    await cache.put(key, "x" * (1024 * 1024 + 1), HOUR)
    assert await cache.get(key) is None


async def test_it_answers(cache: Cache) -> None:
    assert await cache.ping()
