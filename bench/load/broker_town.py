"""The simulated MetaApi of a load, in a process of its own: a token and an account for each user.

The market's prices stand still, so that what is asked to be filled is filled. `orders` gives what
was executed since the last time, with the times at which each request came in and was answered.
"""

import asyncio
import gc
import sys
import time
from dataclasses import replace
from decimal import Decimal
from random import Random
from typing import Final

from bench.load.pipe import Facts, allow_files, say, serve
from bench.load.plan import REGION, LoadPlan
from signalfleet_sim.market.clock import WallClock
from signalfleet_sim.market.seeded import SeededMarket
from signalfleet_sim.metaapi.credits import PLENTY_OF_CREDITS
from signalfleet_sim.metaapi.server import MetaApiServer
from signalfleet_sim.metaapi.world import Habits

STOCKS: Final = 2_000
"""Real brokers list some thousand names, of which signals speak of a few."""


class BrokerTown:
    def __init__(self, plan: LoadPlan) -> None:
        self._plan = plan
        clock = WallClock()
        self.server = MetaApiServer(
            SeededMarket(clock, Random(plan.seed), volatility=0.0),
            clock=clock,
            rng=Random(plan.seed),
            habits=Habits(trade_latency_s=plan.latency_s, stocks=STOCKS),
            credit_rules=PLENTY_OF_CREDITS,
        )
        self._told = 0

    async def open(self) -> Facts:
        await self.server.start()
        accounts = []
        for _ in range(self._plan.users):
            token = self.server.world.new_token()
            account = self.server.add_account(token=token, region=REGION, balance=10_000_000)
            accounts.append([account, token])
        return {
            "metaapi_url": self.server.base_url,
            "control_token": self.server.control_token,
            "accounts": accounts,
        }

    async def obey(self, question: Facts) -> Facts:
        match question["do"]:
            case "orders":
                return {"orders": self._orders()}
            case "fault":
                return self.server.add_fault(question["fault"], **question["match"])
            case "slow":
                habits = self.server.world.habits
                self.server.world.habits = replace(
                    habits, trade_latency_s=(question["least_s"], question["most_s"])
                )
            case _:
                pass
        journal = self.server.world.journal
        return {
            "executed": len(journal.book),
            "calls": journal.calls[-1]["seq"] if journal.calls else 0,
            "cpu_s": time.process_time(),
            "violations": [f"{one['rule']} {one['account']}" for one in journal.violations][:5],
        }

    def _orders(self) -> list[Facts]:
        book = self.server.world.journal.book
        fresh, self._told = book[self._told :], len(book)
        return [
            {name: str(v) if isinstance(v, Decimal) else v for name, v in one.items()}
            for one in fresh
        ]


async def main(plan: LoadPlan) -> None:
    allow_files(2 * plan.users + 500)
    town = BrokerTown(plan)
    say(await town.open())
    gc.freeze()
    await serve(town.obey)
    await town.server.aclose()


if __name__ == "__main__":
    asyncio.run(main(LoadPlan.load(sys.argv[1])))
