import asyncio
import random
from decimal import Decimal

import aiohttp
import pytest
from aiohttp import web

from kit.metaapi import TOKEN, Caller
from signalfleet_sim.market.clock import WallClock
from signalfleet_sim.market.seeded import SeededMarket
from signalfleet_sim.metaapi.server import MetaApiServer

pytestmark = pytest.mark.loopback


async def test_a_mounted_application_serves_below_its_prefix() -> None:
    clock = WallClock()
    server = MetaApiServer(SeededMarket(clock, random.Random(1)), clock=clock)
    outer = web.Application()
    outer.add_subapp("/broker", server.app)
    runner = web.AppRunner(outer, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    server.base_url = f"http://127.0.0.1:{runner.addresses[0][1]}/broker"
    async with aiohttp.ClientSession() as session:
        caller = Caller(server, session, server.add_account(token=TOKEN))
        await caller.open()
        link = await caller.prov("PUT", f"accounts/{caller.account}/configuration-link")
        assert link.body["configurationLink"].startswith(f"{server.base_url}/prov/configure/")
        refused = await caller.control("POST", "faults", json={"fault": "refuse"})
        assert refused.status == 400
    await runner.cleanup()
    assert server.urls["METAAPI_CLIENT_URL"] == f"{server.base_url}/client/{{region}}"


async def test_the_market_moves_by_itself_and_hits_what_a_script_aims_at() -> None:
    clock = WallClock()
    market = SeededMarket(clock, random.Random(3))
    server = MetaApiServer(market, clock=clock, rng=random.Random(4), tick_s=0.01)
    async with server, aiohttp.ClientSession() as session:
        caller = Caller(server, session, server.add_account(token=TOKEN))
        position = await caller.open(symbol="XAUUSD", takeProfit=2351, stopLoss=2300)
        market.steer("XAUUSD", Decimal(2351), 0.2)
        async with asyncio.timeout(5):
            while True:
                account = (await caller.control("GET", f"accounts/{caller.account}")).body
                if not account["positions"]:
                    break
        closing = account["deals"][-1]
        assert (closing["positionId"], closing["reason"]) == (position, "DEAL_REASON_TP")


async def test_two_servers_with_one_seed_tell_the_same_story() -> None:
    stories = []
    for _ in range(2):
        clock = WallClock()
        server = MetaApiServer(SeededMarket(clock, random.Random(1)), rng=random.Random(2))
        account = server.add_account(token=TOKEN)
        stories.append((account, server.control_token, server.world.new_token()))
    assert stories[0] == stories[1]
