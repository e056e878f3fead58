"""One seed: the market, the channels, the store, and one life of the worker after another."""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from drills.sim.broker import SimBroker
from drills.sim.channels import Channels, SimChatSource
from drills.sim.life import EndedError, Judge, Life, Port, StorePort
from drills.sim.loop import VirtualClock
from drills.sim.market import Market
from drills.sim.plan import NO_FAULTS, Plan
from drills.sim.script import CHATS, Script
from signalfleet.adapters.memory import MemoryStore
from signalfleet.adapters.memory.bus import MemoryBus
from signalfleet.adapters.re2.client import Re2Compiler
from signalfleet.bootstrap.language import load_parser
from signalfleet.bots.manager import UserBotManager
from signalfleet.bots.services import BotServices
from signalfleet.bots.sole_owner import SoleOwner
from signalfleet.domain.accounts.bot_state import BotState
from signalfleet.domain.ids import AccountId, InstallationId, UserId, slot
from signalfleet.domain.trading.settle import SettleRules
from signalfleet.ports.bus import LiveEvent, WorkDelivery, WorkItem
from signalfleet.ports.errors import FencedError, TemporaryError
from signalfleet.ports.secrets import Secret
from signalfleet.ports.store import Account, Channel, CopyMode, UserProfile

USER: Final = UserId("u_mfrggzdfmztwq2lk")
ACCOUNT: Final = AccountId("a_sim")
INSTALLATION: Final = InstallationId("in_sim")
CELL: Final = "c1"
LOOK: Final = timedelta(seconds=30)
ZOMBIE_S: Final = 10.0
"""How long an old worker may go on beside its successor: a watchdog ends it by then."""
RESTART_S: Final = (0.2, 8.0)
QUIET_LIMIT_S: Final = 600.0
SETTINGS: Final[dict[str, object]] = {
    "size_mode": "fixed_lots",
    "fixed_lots": "0.2",
    "max_risk_percent": "10",
    "max_open_trades": "1000",
    "max_open_per_symbol": "1000",
    "max_open_risk_percent": "100",
    "max_price_gap": "1",
    "max_spread": "1",
    "conflict": "hedge",
    "cross_channel": "allow",
    "partial_default": "0.5",
    "break_even": "at_r 0.05",
    "trailing": "distance",
    "trailing_distance": "0.1 R",
    "trailing_start": "0.05 R",
    "duplicate_window": "0",
}


class _Credentials:
    """Implements ports.secrets.CredentialStore for one user who has signed in."""

    async def put(self, user: UserId, field: str, secret: Secret) -> None:
        del user, field, secret

    async def get(self, user: UserId, field: str) -> Secret | None:
        del user
        return Secret(field)

    async def delete(self, user: UserId, field: str) -> None:
        del user, field


class _Chance:
    def __init__(self, rng: random.Random) -> None:
        self._rng = rng

    def uniform(self, low: float, high: float) -> float:
        return self._rng.uniform(low, high)


class _Metrics:
    """Keeps what the laws ask for."""

    def __init__(self) -> None:
        self.counts: dict[str, float] = {}

    def count(self, name: str, amount: float = 1, **labels: str) -> None:
        kind = labels.get("kind")
        key = f"{name}.{kind}" if kind else name
        self.counts[key] = self.counts.get(key, 0) + amount

    def gauge(self, name: str, value: float, **labels: str) -> None:
        del name, value, labels

    def observe(self, name: str, seconds: float, **labels: str) -> None:
        del name, seconds, labels

    def distribution(self, name: str, values: Sequence[float]) -> None:
        del name, values


class _BusPort:
    """The bus as one life sees it; wake-ups may get lost."""

    def __init__(self, bus: MemoryBus, life: Life, world: "World") -> None:
        self._bus = bus
        self._life = life
        self._world = world

    async def publish_work(self, item: WorkItem) -> None:
        await self._life.point("bus.publish_work:before")
        if self._world.lost_wake_up():
            raise TemporaryError("the bus is not connected")
        await self._bus.publish_work(item)

    def work(
        self, number: int, epoch: int
    ) -> AbstractAsyncContextManager[AsyncIterator[WorkDelivery]]:
        return self._bus.work(number, epoch)

    async def publish_event(self, event: LiveEvent) -> None:
        self._life.require()
        await self._bus.publish_event(event)

    def events(self, user: UserId) -> AbstractAsyncContextManager[AsyncIterator[LiveEvent]]:
        return self._bus.events(user)

    def is_connected(self) -> bool:
        return self._bus.is_connected()


@dataclass(slots=True)
class Running:
    """A life that runs, with what the laws look into."""

    life: Life
    manager: UserBotManager
    task: asyncio.Task[None]


@dataclass(slots=True)
class History:
    """What the world wrote down for the laws and for people."""

    lines: list[str] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    points: list[str] = field(default_factory=list)
    halted_at: datetime | None = None
    bot_state: BotState | None = None
    worker_deaths: int = 0


class World(Judge):
    """Plays one plan; `run` returns when everything has come to rest."""

    def __init__(self, plan: Plan, rng: random.Random) -> None:
        loop = asyncio.get_running_loop()
        self.plan = plan
        self.faults = plan.faults
        self.history = History()
        self.clock = VirtualClock(loop)
        self.store = MemoryStore(cell=CELL)
        self.metrics = _Metrics()
        self.market = Market(rng, plan.faults, plan.volatility, self.clock, self.note)
        self.channels = Channels(rng, plan.faults, self.clock, self.note)
        self.script = Script(plan, self.channels, rng)
        self._bus = MemoryBus()
        self._rng = rng
        self._loop = loop
        self._lives: list[Running] = []
        self._hooks = list(plan.crash_hooks)
        self._count = 0
        self._over = asyncio.Event()

    async def run(self) -> None:
        """Play the script under faults, then let everything come to rest without them."""
        await self._set_up()
        async with asyncio.TaskGroup() as tasks:
            keeper = tasks.create_task(self._keep_alive(tasks), name="keeper")
            chaos = tasks.create_task(self._chaos(tasks), name="chaos")
            await self.script.play()
            await asyncio.sleep(self._rng.uniform(0, 30))
            await chaos
            self._calm_down()
            await self._until_quiet()
            self._over.set()
            for running in self._lives:
                running.task.cancel()
            await keeper

    @property
    def lives(self) -> int:
        """Count the lives that were begun."""
        return self._count

    def passed(self, life: Life) -> None:
        self.history.points.append(life.last_point)
        for running in self._lives:
            if running.life is life:
                self._watch_lanes(running)

    def note(self, text: str) -> None:
        self.history.lines.append(f"{self._loop.time():9.3f} {text}")

    def delay(self) -> float:
        chance = self._rng.random()
        if chance < 0.01:
            return self._rng.uniform(0, 1.0)
        return self._rng.uniform(0, 0.05) if chance < 0.2 else 0.0

    def store_fails(self) -> bool:
        fails = self.faults.store_fails
        return bool(fails) and self._rng.random() < fails

    def lost_wake_up(self) -> bool:
        lost = self.faults.lost_wake_up
        return bool(lost) and self._rng.random() < lost

    async def _set_up(self) -> None:
        await self.store.fleet.add_user(
            UserProfile(
                user_id=USER,
                telegram_id=1,
                display_name="Sim",
                tier="OPERATOR",
                timezone="UTC",
                slot=slot(USER),
            )
        )
        user = self.store.user(USER)
        for chat in CHATS:
            await user.channels.put(
                Channel(chat=chat, kind="channel", title="C", access_hash=1, mode=CopyMode.ON)
            )
        await user.accounts.put(Account(account_id=ACCOUNT, broker="paper", mode="DEMO"))
        settings = SETTINGS | {"max_signal_age": str(self.plan.max_signal_age)}
        await user.settings.put("user", settings, 0)
        await user.bot.set_wish(on=True, by="sim")

    async def _keep_alive(self, tasks: asyncio.TaskGroup) -> None:
        """Start a life, and another one whenever the newest has ended."""
        while not self._over.is_set():
            running = self._start_life(tasks)
            await asyncio.wait([running.task])
            running.life.alive = False
            if running in self._lives:
                self._lives.remove(running)
            while self._lives:  # A takeover has started the next one already.
                await asyncio.wait([self._lives[-1].task])
                self._lives = [one for one in self._lives if not one.task.done()]
            if not self._over.is_set():
                await asyncio.sleep(self._rng.uniform(*RESTART_S))

    def _start_life(self, tasks: asyncio.TaskGroup) -> Running:
        crash_at = self._hooks.pop(0) if self._hooks else None
        self._count += 1
        life = Life(self._count, crash_at, self)
        services = self._services(life)
        manager = UserBotManager(services, cell=CELL, max_bots=10)
        owner = SoleOwner(
            services.store.fleet,
            services.clock,
            cell=CELL,
            worker=f"w{self._count}",
            slots=[slot(USER)],
        )
        self.note(f"life {self._count} begins")
        task = tasks.create_task(self._live(life, manager, owner), name=f"life-{self._count}")
        life.task = task
        running = Running(life=life, manager=manager, task=task)
        self._lives.append(running)
        return running

    async def _live(self, life: Life, manager: UserBotManager, owner: SoleOwner) -> None:
        try:
            await manager.run(owner)
        except* FencedError:
            self.note(f"life {life.number} was overtaken")
        except* Exception as group:  # noqa: BLE001 - judged by the laws
            if life.alive and not self._over.is_set():
                # A worker that ends is started again, but nothing of ours should end it.
                self.history.worker_deaths += 1
                self.history.violations.append(f"the worker died: {_leaf(group)!r}")
        finally:
            self.note(f"life {life.number} ends")

    def _services(self, life: Life) -> BotServices:
        store: Any = StorePort(life, self.store, self)
        bus: Any = _BusPort(self._bus, life, self)
        rng, clock = self._rng, self.clock

        def make_broker(_user: UserId, account: Account, token: Secret | None) -> Any:  # noqa: ANN401 - a proxy
            del account, token
            return Port(life, "broker", SimBroker(self.market, life, rng, clock))

        return BotServices(
            store=store,
            bus=bus,
            clock=clock,
            chance=_Chance(rng),
            metrics=self.metrics,
            parser=load_parser(),
            patterns=Re2Compiler(),
            credentials=_Credentials(),
            installation=INSTALLATION,
            settle_rules=SettleRules(),
            look_interval=LOOK,
            wake_by_bus=self.plan.wake_by_bus,
            make_chat_source=lambda _user, _session: SimChatSource(self.channels, life, clock),
            make_broker=make_broker,
        )

    async def _chaos(self, tasks: asyncio.TaskGroup) -> None:
        """End lives, replace them while they run, drain them, and press Stop."""
        plan = self.plan
        events = [(at, "crash") for at in plan.crash_times]
        events += [(at, "takeover") for at in plan.takeovers]
        events += [(at, "drain") for at in plan.drains]
        if plan.halt_at is not None:
            events.append((plan.halt_at, "halt"))
        for at, kind in sorted(events):
            await asyncio.sleep(max(at - self._loop.time(), 0))
            newest = self._lives[-1] if self._lives else None
            if kind == "halt":
                await self._halt()
            elif newest is None:
                continue
            elif kind == "crash":
                self.note(f"life {newest.life.number} is killed")
                newest.life.end()
            elif kind == "drain":
                self.note(f"life {newest.life.number} is asked to stop")
                await _drain(newest, tasks)
            else:
                old = newest.life
                self._loop.call_later(self._rng.uniform(0.1, ZOMBIE_S), old.end)
                self._start_life(tasks)

    async def _halt(self) -> None:
        self.note("Stop is pressed")
        self.history.halted_at = self.clock.now()
        await self.store.user(USER).bot.set_halted(halted=True)
        await self._bus.publish_work(WorkItem(user=USER, kind="cmd", key="halt"))

    def _calm_down(self) -> None:
        self.note("faults end")
        self.faults = self.market.faults = self.channels.faults = NO_FAULTS
        self._hooks.clear()
        for running in self._lives:
            running.life.spare()

    async def _until_quiet(self) -> None:
        """Wait until the backlog is drained; the laws say what it means if it is not."""
        user = self.store.user(USER)
        end = self._loop.time() + QUIET_LIMIT_S
        while self._loop.time() < end:
            await asyncio.sleep(5.0)
            if (
                not self.channels.missing
                and not await user.inbox.unread()
                and not await user.journal.open_intents()
                and not self.market.pending
            ):
                break
        self.market.stand_still()
        await asyncio.sleep(2 * LOOK.total_seconds() + 5)
        self.history.bot_state = (await user.bot.status()).state if self._lives else None

    def _watch_lanes(self, running: Running) -> None:
        """I5, looked at in every step: no protective intent waits while a call is free."""
        for bot in running.manager.active_bots.values():
            for follower in bot._followers.values():  # noqa: SLF001 - a law about the inside
                fault = lane_fault(follower.dispatcher)
                if fault is not None:
                    self.history.violations.append(f"I5 {fault}")


async def _drain(running: Running, tasks: asyncio.TaskGroup) -> None:
    """Stop in order, unless the life ends meanwhile."""

    async def drain() -> None:
        try:
            await running.manager.drain()
        except* EndedError:
            pass

    stopping = tasks.create_task(drain(), name="drain")
    await asyncio.wait([stopping, running.task], return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    running.task.cancel()


def lane_fault(dispatcher: Any) -> str | None:  # noqa: ANN401 - looked into, not used
    """Say what breaks the order of lanes just now."""
    if dispatcher._changed.is_set() or dispatcher._stopping:  # noqa: SLF001
        return None
    busy = dispatcher._busy  # noqa: SLF001
    free = len(busy) < 4
    waiting = [item[3] for item in dispatcher._ready if item[0] == 0]  # noqa: SLF001
    stuck = [intent for intent in waiting if intent.trade not in busy]
    if free and stuck:
        return f"a protective intent waits beside a free call: {stuck[0].intent_id}"
    return None


def _leaf(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
