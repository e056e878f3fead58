"""Names of symbols that another process asked for are not asked for again."""

from contextlib import aclosing
from datetime import timedelta

import pytest

from kit.metaapi_rig import ACCOUNT, Rig, another
from kit.wall_clock import WallClock
from signalfleet.adapters.memory.cache import MemoryCache
from signalfleet.adapters.metaapi.known_symbols import KnownSymbols
from signalfleet.domain.accounts.keys import user_key
from signalfleet.domain.ids import UserId

pytestmark = pytest.mark.loopback
KEY = user_key(UserId("u_mfrggzdfmztwq2lk"), "symbols", "a_1")
OTHER = user_key(UserId("u_nbswy3dpo5xxe3de"), "symbols", "a_1")


def asked(rig: Rig) -> int:
    return sum(1 for path in rig.stub.paths() if path.endswith("/symbols"))


async def test_a_second_broker_of_the_account_asks_the_cache_alone(rig: Rig) -> None:
    async with aclosing(MemoryCache(WallClock())) as cache:
        restarted = another(rig, account_id="a", token="t1")
        for broker in (rig.broker, restarted):
            broker.known_symbols = KnownSymbols(cache=cache, key=KEY)
        names = await rig.broker.symbols()
        assert await restarted.symbols() == names
        assert asked(rig) == 1


@pytest.mark.parametrize("kept", ["", "{}", "[1]", '[""]', "not json", "[]"])
async def test_what_is_no_list_of_names_counts_as_nothing(rig: Rig, kept: str) -> None:
    async with aclosing(MemoryCache(WallClock())) as cache:
        await cache.put(KEY, kept, timedelta(hours=1))
        rig.broker.known_symbols = KnownSymbols(cache=cache, key=KEY)
        assert await rig.broker.symbols() == {"EURUSD", "GBPUSD"}
        assert asked(rig) == 1


async def test_accounts_with_the_same_names_have_one_set_of_them(rig: Rig) -> None:
    other = another(rig, account_id=ACCOUNT, token="t2")
    assert await rig.broker.symbols() is await other.symbols()
    assert asked(rig) == 2


async def test_users_do_not_share_names(rig: Rig) -> None:
    async with aclosing(MemoryCache(WallClock())) as cache:
        await cache.put(OTHER, '["GOLD"]', timedelta(hours=1))
        rig.broker.known_symbols = KnownSymbols(cache=cache, key=KEY)
        assert "GOLD" not in await rig.broker.symbols()
