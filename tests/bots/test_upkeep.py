"""What a worker sets for its whole process, and gives back."""

import asyncio
import gc
import sys

from kit.clock import LoopClock, settle_down
from kit.counting_metrics import CountingMetrics
from signalfleet.bots.budgets import Budgets, Weighed
from signalfleet.bots.upkeep import Upkeep
from signalfleet.domain.ids import UserId

USER = UserId("u_aaaaaaaaaaaaaaaaaaaaaaaaaa")


async def test_the_interpreter_is_shared_sooner_while_bots_run_and_as_before_afterwards() -> None:
    clock, metrics = LoopClock(), CountingMetrics()
    before = (sys.getswitchinterval(), gc.get_threshold())
    running = asyncio.create_task(Upkeep(Budgets(clock, metrics), clock, metrics, dict).run())
    await settle_down(1)
    during = (sys.getswitchinterval(), gc.get_threshold())
    running.cancel()
    await asyncio.wait([running])
    assert during[0] < before[0] / 5
    assert during[1] > before[1]
    assert (sys.getswitchinterval(), gc.get_threshold()) == before


async def test_only_a_bot_that_did_something_is_asked_how_large_it_is() -> None:
    asked = [0]

    def footprint() -> int:
        asked[0] += 1
        return 5_000

    budgets = Budgets(LoopClock(), CountingMetrics(), cpu=lambda: 0.0)
    budgets.started(USER, Weighed(root=object(), footprint=footprint, trim=lambda: None))
    for worked_ns, times in ((0, 0), (1_000_000, 1), (0, 1)):
        budgets.of(USER).meter.ns += worked_ns
        for _ in range(10):
            budgets.tick()
        assert asked[0] == times
    assert budgets.of(USER).memory_bytes == 5_000
