"""What a worker does for all its bots beside running them: times, weighs and counts them."""

import asyncio
import gc
import os
import signal
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Final

import structlog

from signalfleet.bots.budgets import REASONS, Budgets
from signalfleet.bots.meters import metered_tasks
from signalfleet.domain.accounts.bot_state import BotState
from signalfleet.domain.ids import UserId
from signalfleet.ports.clock import Clock
from signalfleet.ports.metrics import Metrics

log = structlog.get_logger()

SHOW_EVERY: Final = timedelta(seconds=5)
LAG_EVERY: Final = timedelta(milliseconds=250)
COLLECTED_AFTER: Final = (3_000, 4, 4_000)
"""So many new objects, then so many collections of the younger ones. With five hundred bots that
trade they take up to 30, 50 and 600 ms; the last does not come in 2,500 orders. With fifteen of the
first for one of the second, that one took up to 110."""
SHARED_AFTER_S: Final = 0.0005
"""Shorter costs a post to many bots more (decision 41); at 1 ms a flood was still felt."""


@contextmanager
def _seldom_collected() -> Iterator[None]:
    """Look for cycles less often: as it is, a tenth of a busy worker's time went into that.

    Each look at everything holds up all bots, for the longer the more of them there are.
    """
    usual = gc.get_threshold()
    gc.set_threshold(*COLLECTED_AFTER)
    try:
        yield
    finally:
        gc.set_threshold(*usual)


@contextmanager
def _quick_to_share() -> Iterator[None]:
    """Let the thread that writes to the store have the interpreter back sooner.

    After each statement it waits for it, up to Python's 5 ms while the loop is busy. A decision is
    several statements, so one tenant's flood made the orders of all others late.
    """
    usual = sys.getswitchinterval()
    sys.setswitchinterval(SHARED_AFTER_S)
    try:
        yield
    finally:
        sys.setswitchinterval(usual)


class Upkeep:
    """Runs beside the manager; `run` must begin before the first bot does.

    `is_replaceable`: a supervisor starts this process again when it has ended.
    """

    def __init__(
        self,
        budgets: Budgets,
        clock: Clock,
        metrics: Metrics,
        states: Callable[[], Mapping[UserId, BotState]],
        *,
        is_replaceable: bool = False,
    ) -> None:
        self._is_replaceable = is_replaceable
        self._budgets = budgets
        self._clock = clock
        self._metrics = metrics
        self._states = states
        for reason in REASONS:
            metrics.count("signalfleet_bot_recycles_total", 0, reason=reason)

    async def run(self) -> None:
        """Measure until cancelled."""
        with metered_tasks(), _seldom_collected(), _quick_to_share():
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._budgets.run(), name="budgets")
                tasks.create_task(self._feel_lag(), name="loop_lag")
                tasks.create_task(self._count(), name="count_bots")
                tasks.create_task(self._end_if_full(), name="process_memory")

    async def _feel_lag(self) -> None:
        """See how late the loop comes to what is due: everybody's orders wait as long."""
        while True:
            begun = self._clock.monotonic()
            await self._clock.sleep(LAG_EVERY)
            late = self._clock.monotonic() - begun - LAG_EVERY.total_seconds()
            self._metrics.observe("signalfleet_loop_lag_seconds", max(late, 0.0))

    async def _end_if_full(self) -> None:
        """Stop in order before the machine ends the process without any."""
        await self._budgets.exhausted.wait()
        log.error("process_memory_exhausted", ends=self._is_replaceable)
        if self._is_replaceable:
            os.kill(os.getpid(), signal.SIGTERM)

    async def _count(self) -> None:
        while True:
            counted = Counter(self._states().values())
            for state in BotState:
                name = state.value.lower()
                self._metrics.gauge("signalfleet_bots", counted[state], state=name)
            self._metrics.gauge("signalfleet_active_bots", counted[BotState.RUNNING])
            self._metrics.gauge("signalfleet_bots_waiting", counted[BotState.QUEUED])
            await self._clock.sleep(SHOW_EVERY)
