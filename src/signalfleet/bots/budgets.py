"""What each bot of a worker uses, held against its limits: slowed down, or ended to start anew."""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, NoReturn

import structlog

from signalfleet.bots.meters import BotMeter
from signalfleet.bots.process_memory import Pressure, ProcessMemory
from signalfleet.bots.weights import Walk, shared_parts
from signalfleet.domain.accounts.budgets import (
    LIFT_SHARE,
    BotLimits,
    Recycles,
    Throttle,
    TokenBucket,
)
from signalfleet.domain.ids import UserId
from signalfleet.ports.chat_source import ChatBatch, Origin, Posted
from signalfleet.ports.clock import Clock
from signalfleet.ports.metrics import Metrics

log = structlog.get_logger()

TICK: Final = timedelta(seconds=1)
WEIGH_EVERY: Final = timedelta(seconds=2)
SLICE_PAUSE: Final = timedelta(milliseconds=20)
SHOW_EVERY: Final = 10
"""In ticks: how often sums are made and shown."""
TOLD_AFTER_S: Final = 2.0
LOOKS_APART_S: Final = 0.5
PAUSE_LEAST_S: Final = 0.001
"""What is less than a clock may count would be waited for again and again."""
AT_ONCE_S: Final = 0.1
"""So much of a core a bot has before it gives way, on top of its share: some twenty decisions."""
SLOWED_PRICE: Final = 10
"""A message counts for so many while the bot's share of the processor is used up."""
LARGEST: Final = 5
CPU_OVER: Final = "cpu_limit"
MESSAGES_OVER: Final = "message_limit"
MEMORY_OVER: Final = "memory_limit"
PROCESS_OVER: Final = "process_memory"
REASONS: Final = (CPU_OVER, "long_steps", MEMORY_OVER, PROCESS_OVER)


class RecycledError(Exception):
    """Ends a bot that used too much, so that it starts anew with nothing in its hands."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class BotBudget:
    """One bot's use and allowances. They outlast the bot: starting anew makes nothing undone."""

    def __init__(self, user: UserId, limits: BotLimits, clock: Clock) -> None:
        now = clock.monotonic()
        self.user = user
        self.limits = limits
        self.meter = BotMeter(user)
        self.throttle = Throttle.of(limits, now)
        self.recycles = Recycles()
        self.is_held = False
        """Started anew too often: it stays ended until an operator lets it go."""
        self.messages = 0
        self.memory_bytes = 0
        self.cpu_ratio = 0.0
        self.changed: Callable[[], None] = _nothing
        """Called when the bot is slowed down, no longer so, or to be ended."""
        self.over: str | None = None
        self._clock = clock
        self._bucket = TokenBucket.full(limits.messages_per_s, limits.messages_burst, now)
        self._is_flooded = False
        self._empty_since: float | None = None
        self._is_over = False
        """An allowance is used up, so the next charge counts whatever the bot does."""
        self._looks_next = 0.0
        self._share = TokenBucket.full(limits.cpu_rate, AT_ONCE_S, now)
        self._share_ns = 0
        self._charged_ns = 0
        self._shown_ns = 0

    @property
    def throttled_by(self) -> str | None:
        """Return what the bot used too much of, None while it is not slowed down."""
        if self.throttle.is_on:
            return CPU_OVER
        return MESSAGES_OVER if self._is_flooded else None

    def took(self, batch: ChatBatch) -> None:
        """Charge what the bot takes in. What may protect a trade never makes it a flood."""
        count = len(batch.items)
        self.messages += count
        now = self._clock.monotonic()
        self._bucket.spend(count * (SLOWED_PRICE if self.throttle.is_on else 1), now)
        wait = self._bucket.wait_s(now)
        if wait > 0 and not self.throttle.is_on and not _may_pass(batch):
            self._note_empty(now, now + wait)

    def pause_s(self) -> float:
        """Return for how many seconds the bot takes in no new posts."""
        wait = self._bucket.wait_s(self._clock.monotonic())
        return wait if wait >= PAUSE_LEAST_S else 0.0

    async def before_look(self) -> None:
        """Wait until the bot may look at its inbox, which it does less often when slowed down.

        Each look reads again what waits there, and the others' orders would wait for that.
        """
        if self.throttled_by is not None:
            wait = self._looks_next - self._clock.monotonic()
            await self._clock.sleep(timedelta(seconds=max(wait, 0.0)))
        self._looks_next = self._clock.monotonic() + LOOKS_APART_S

    def has_had_its_share(self) -> bool:
        """Tell whether the bot worked more of late than others should wait for.

        Long before its allowance is used up: two seconds at once are many of their orders.
        """
        # First what was used, then what came in: it may be long ago that this was asked last.
        self._share.level -= (self.meter.ns - self._share_ns) / 1e9
        self._share_ns = self.meter.ns
        self._share.refill(self._clock.monotonic())
        return self._share.level < 0

    def _note_empty(self, now: float, until: float) -> None:
        """Call it a flood when the allowance stays used up for some seconds."""
        if self._empty_since is None:
            self._empty_since, self._is_over = now, True
        if until - self._empty_since > TOLD_AFTER_S and not self._is_flooded:
            self._is_flooded = True
            self.changed()

    def recycle(self, reason: str) -> None:
        """Have the bot ended and started anew; once is enough."""
        if self.over is None:
            self.over = reason
            self.changed()

    def renew(self) -> None:
        """Begin with full allowances after the last bot was ended for its use."""
        if self.over is not None:
            self.over = None
            self.throttle = Throttle.of(self.limits, self._clock.monotonic())

    def let_go(self) -> None:
        """Forget how often it was started anew."""
        self.is_held = False
        self.recycles.clear()

    def used_ns(self) -> int:
        """Return the time on the loop since this was last asked."""
        used = self.meter.ns - self._charged_ns
        self._charged_ns = self.meter.ns
        return used

    def charge(self, used_ns: int, scale: float, now: float) -> None:
        before = self.throttled_by
        steps = [ns * scale / 1e9 for ns in self.meter.take_long()]
        reason = self.throttle.charge(used_ns * scale / 1e9, steps, now)
        if self._bucket.wait_s(now, self._bucket.burst * LIFT_SHARE) == 0:
            self._is_flooded, self._empty_since = False, None
        if reason is not None:
            self.recycle(reason)
        self._is_over = self._empty_since is not None or self.throttle.is_on
        if self.throttled_by != before:
            self.changed()

    @property
    def needs_charge(self) -> bool:
        """Tell whether anything has changed; asked of each bot of a worker each second."""
        return self.meter.ns != self._charged_ns or self._is_over

    def weigh(self, found: int) -> None:
        if found > self.limits.soft_memory_bytes >= self.memory_bytes:
            log.warning("bot_memory_high", user_id=self.user, bytes=found)
        self.memory_bytes = found
        if found > self.limits.memory_bytes:
            log.error("bot_memory_over", user_id=self.user, bytes=found)
            self.recycle(MEMORY_OVER)

    @property
    def has_worked(self) -> bool:
        """Tell whether the bot did anything since its use was last shown."""
        return self.meter.ns != self._shown_ns

    def show_cpu(self, seconds: float, scale: float) -> float:
        """Work out the share of a core since the last time."""
        used = self.meter.ns - self._shown_ns
        self._shown_ns = self.meter.ns
        self.cpu_ratio = used * scale / 1e9 / seconds if seconds > 0 else 0.0
        return self.cpu_ratio


@dataclass(frozen=True, slots=True, kw_only=True)
class Weighed:
    """What is weighed of a running bot. `trim` drops what can be had again."""

    root: object
    footprint: Callable[[], int]
    trim: Callable[[], None]


class Budgets:
    """Keeps the budgets of a worker's bots. `running` is told by the manager."""

    def __init__(
        self,
        clock: Clock,
        metrics: Metrics,
        limits: BotLimits | None = None,
        *,
        memory: ProcessMemory | None = None,
        cpu: Callable[[], float] = time.process_time,
    ) -> None:
        self._clock = clock
        self._metrics = metrics
        self._limits = limits or BotLimits()
        self._memory = memory
        self._cpu = cpu
        self._all: dict[UserId, BotBudget] = {}
        self._running: dict[UserId, Weighed] = {}
        self._shared: Mapping[int, object] = {}
        self._turns: deque[UserId] = deque()
        self._window: deque[tuple[float, float]] = deque(maxlen=SHOW_EVERY)
        self._cpu_at = cpu()
        self._scale = 1.0
        self._shown_at = clock.monotonic()
        self._ticks = 0
        self.pressure = Pressure.NONE
        self.exhausted = asyncio.Event()
        """Set when the process must end to live: its memory is nearly gone."""

    def of(self, user: UserId) -> BotBudget:
        found = self._all.get(user)
        if found is None:
            found = self._all[user] = BotBudget(user, self._limits, self._clock)
        return found

    def share(self, objects: Iterable[object]) -> None:
        """Name what belongs to all bots, so that it is counted for none."""
        self._shared = shared_parts(objects)

    def started(self, user: UserId, weighed: Weighed) -> None:
        self.of(user).renew()
        self._running[user] = weighed
        self._turns.append(user)

    def ended(self, user: UserId) -> None:
        self._running.pop(user, None)

    def gone(self, user: UserId) -> None:
        """Forget a user whose bot is not wished for; one that is held stays known."""
        budget = self._all.get(user)
        if budget is not None and not budget.recycles.count:
            del self._all[user]

    @property
    def may_start(self) -> bool:
        """Tell whether the process has the memory for one more bot."""
        return self.pressure is Pressure.NONE

    def all(self) -> Mapping[UserId, BotBudget]:
        return self._all

    async def run(self) -> None:
        """Charge what is used once a second, and weigh one bot in two, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._tick_on(), name="charge")
            tasks.create_task(self._weigh_on(), name="weigh")

    async def _tick_on(self) -> NoReturn:
        while True:
            await self._clock.sleep(TICK)
            self.tick()

    async def _weigh_on(self) -> NoReturn:
        while True:
            await self._clock.sleep(WEIGH_EVERY)
            await self.weigh_next()

    def tick(self) -> None:
        """Charge what was used since the last time."""
        now = self._clock.monotonic()
        used = {budget: budget.used_ns() for budget in self._all.values() if budget.needs_charge}
        scale = self._scaled(sum(used.values()))
        for budget, ns in used.items():
            budget.charge(ns, scale, now)
        self._ticks += 1
        if self._ticks % SHOW_EVERY == 0:
            self._show(now)
        self._look_at_process()

    def _scaled(self, used_ns: int) -> float:
        """Return the share of the steps' time in which the process really had a core.

        On a busy machine a step lasts longer than it works.
        """
        cpu = self._cpu()
        last = (cpu - self._cpu_at, used_ns / 1e9)
        self._cpu_at = cpu
        self._window.append(last)
        self._scale = _share(self._window)
        # A pause of the whole process is in the last second alone.
        return min(self._scale, _share([last]))

    def _show(self, now: float) -> None:
        seconds, self._shown_at = now - self._shown_at, now
        running = [self._all[user] for user in self._running]
        for budget in running:
            if not budget.has_worked:
                continue  # It has not grown either.
            footprint = self._running[budget.user].footprint()
            if footprint > budget.memory_bytes:
                budget.weigh(footprint)
        self._metrics.distribution(
            "signalfleet_bot_cpu_ratio",
            [budget.show_cpu(seconds, self._scale) for budget in running],
        )
        self._metrics.distribution(
            "signalfleet_bot_memory_bytes", [float(budget.memory_bytes) for budget in running]
        )

    async def weigh_next(self) -> None:
        """Weigh the bot whose turn it is, in slices that nobody feels."""
        user = self._next_turn()
        if user is None:
            return
        weighed, budget = self._running[user], self._all[user]
        walk = Walk(weighed.root, self._shared)
        while not walk.step():
            await self._clock.sleep(SLICE_PAUSE)
        found = max(walk.total_bytes, weighed.footprint())
        if self._running.get(user) is not weighed:
            return  # It ended meanwhile.
        if found > self._limits.soft_memory_bytes:
            weighed.trim()
        budget.weigh(found)

    def _next_turn(self) -> UserId | None:
        """Return the next bot; what was large at its last turn is looked at between the others."""
        for _ in range(len(self._turns)):
            user = self._turns.popleft()
            if user not in self._running:
                continue
            self._turns.append(user)
            large = self._large() if self._ticks % 2 else None
            return user if large is None else large
        return None

    def _large(self) -> UserId | None:
        largest = max(self._running, key=lambda user: self._all[user].memory_bytes)
        is_large = self._all[largest].memory_bytes > self._limits.soft_memory_bytes
        return largest if is_large else None

    def _look_at_process(self) -> None:
        if self._memory is None:
            return
        before, self.pressure = self.pressure, self._memory.pressure()
        if self.pressure is before:
            return
        log.warning("process_memory", pressure=self.pressure.value, bytes=self._memory.used())
        if self.pressure is Pressure.HIGH:
            ranked = sorted(self._running, key=lambda user: self._all[user].memory_bytes)
            for user in ranked[-LARGEST:]:
                self._all[user].recycle(PROCESS_OVER)
        elif self.pressure is Pressure.FULL:
            self.exhausted.set()


def _share(window: Iterable[tuple[float, float]]) -> float:
    parts = list(window)
    cpu, steps = sum(part[0] for part in parts), sum(part[1] for part in parts)
    return min(1.0, max(cpu, 0.0) / steps) if steps > 0 else 1.0


def _nothing() -> None: ...


def _may_pass(batch: ChatBatch) -> bool:
    """Tell whether a batch may close or protect an open trade, or is only read beside one."""
    if batch.origin in (Origin.CONTEXT, Origin.BACKFILL):
        return True
    return all(
        not isinstance(item, Posted) or item.message.reply_to is not None for item in batch.items
    )
