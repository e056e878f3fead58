"""The simulator as one object: an aiohttp application, a server on loopback, a ticking market."""

import asyncio
import random
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from typing import Any, Final, Self

from aiohttp import web

from signalfleet_sim.market.clock import SimClock, WallClock
from signalfleet_sim.market.seeded import SeededMarket
from signalfleet_sim.metaapi.charts import Charts
from signalfleet_sim.metaapi.conditions import Conditions
from signalfleet_sim.metaapi.control import Control
from signalfleet_sim.metaapi.credits import CreditRules, Credits
from signalfleet_sim.metaapi.faults import FaultBook, FaultError
from signalfleet_sim.metaapi.gate import Gate
from signalfleet_sim.metaapi.mischief import Inner, Mischief
from signalfleet_sim.metaapi.provisioning import Provisioning
from signalfleet_sim.metaapi.routes import routes
from signalfleet_sim.metaapi.terminal import Terminal
from signalfleet_sim.metaapi.trade import TradeDesk
from signalfleet_sim.metaapi.world import Habits, World

_CLOSE_GRACE_S: Final = 5.0
_HANDLER_GRACE_S: Final = 0.1


class MetaApiServer:
    """Serves one world. Either `start()` it, or mount `app` into another application.

    Delays (latency, hanging faults, the tick) pass on the event loop's time; everything that is
    dated, lags and credits included, follows `clock`.
    """

    def __init__(
        self,
        market: SeededMarket,
        *,
        clock: SimClock | None = None,
        rng: random.Random | None = None,
        habits: Habits | None = None,
        credit_rules: CreditRules | None = None,
        tick_s: float = 0.1,
        control_token: str | None = None,
    ) -> None:
        chance = rng or random.Random(1)
        self.world = World(market, clock or WallClock(), chance, habits=habits or Habits())
        self.control_token = control_token or f"{chance.getrandbits(128):032x}"
        self.credits = Credits(self.world, credit_rules or CreditRules())
        self.faults = FaultBook(chance)
        self._tick_s = tick_s
        self._tasks: asyncio.TaskGroup | None = None
        self._kept: set[asyncio.Task[None]] = set()
        self._closing = asyncio.Event()
        self._runner: web.AppRunner | None = None
        self._site: web.TCPSite | None = None
        self._address = ("127.0.0.1", 0)
        self._mounted_at: str | None = None
        mischief = Mischief(self.world, self._later, self._pause)
        conditions = Conditions(self.world, self.refuse, self.credits.drain)
        self.control = Control(self.world, self.faults, mischief, conditions, self.control_token)
        gate = Gate(self.world, self.credits, self.faults, mischief)
        self.app = web.Application()
        self.app.add_routes(
            routes(
                gate,
                TradeDesk(self.world),
                Terminal(self.world, self.credits),
                Charts(self.world),
                Provisioning(self.world),
            )
        )
        self.app.add_routes(self.control.routes())
        self.app.on_shutdown.append(self._stop_pauses)
        self.app.cleanup_ctx.append(self._run_tasks)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> None:
        """Listen on loopback; port 0 takes any free one."""
        runner = web.AppRunner(
            self.app,
            access_log=None,
            handle_signals=False,
            shutdown_timeout=_HANDLER_GRACE_S,
        )
        await runner.setup()
        self._runner = runner
        self._address = (host, port)
        await self._listen()
        self._address = (host, int(runner.addresses[0][1]))

    async def aclose(self) -> None:
        """Stop listening and ticking, in a bounded time; what still waits is dropped."""
        runner, self._runner, self._site = self._runner, None, None
        if runner is not None:
            with suppress(TimeoutError):
                async with asyncio.timeout(_CLOSE_GRACE_S):
                    await runner.cleanup()

    @property
    def base_url(self) -> str:
        """Return where the paths begin; one who mounts `app` elsewhere sets it."""
        if self._mounted_at is not None:
            return self._mounted_at
        host, port = self._address
        return f"http://{host}:{port}"

    @base_url.setter
    def base_url(self, url: str) -> None:
        self._mounted_at = url.rstrip("/")

    @property
    def urls(self) -> dict[str, str]:
        """Return the product's settings that point it here."""
        base = self.base_url
        return {
            "METAAPI_PROVISIONING_URL": f"{base}/prov",
            "METAAPI_CLIENT_URL": f"{base}/client/{{region}}",
            "METAAPI_MARKET_DATA_URL": f"{base}/data/{{region}}",
            "METAAPI_PROFILE_URL": f"{base}/profile",
        }

    def add_account(self, *, token: str, **account: Any) -> str:  # noqa: ANN401  see the world
        """Add a ready account under a token, known or new; return its id.

        Takes what `World.add_account` takes: broker, region, state, account_id, login, and the
        fields of `Holdings` (balance, currency, hedging, leverage, is_investor, ...).
        """
        kept = self.world.tokens.get(token) or self.world.add_token(token)
        return self.world.add_account(user_id=kept.user_id, **account).account_id

    def add_fault(
        self,
        fault: str | Mapping[str, Any],
        **match: Any,  # noqa: ANN401  fields of a match
    ) -> dict[str, Any]:
        """Add a fault; `match` is route, account, action, nth, probability, times."""
        return self.control.add_fault(match, fault)

    def tick(self) -> None:
        """Bring the market and all books to the clock's present, as the tick task does."""
        self.world.tick()

    def refuse(self, for_s: float) -> None:
        """Refuse all connections for a while, and drop those that are open."""
        if self._site is None:
            raise FaultError("only a server that listens itself can refuse connections")
        self._spawn(self._refuse(for_s), "refuse")

    async def _refuse(self, for_s: float) -> None:
        site, runner = self._site, self._runner
        if site is None or runner is None:
            return
        await site.stop()
        if runner.server is not None:
            for connection in runner.server.connections:
                if connection.transport is not None:
                    connection.transport.abort()
        await asyncio.sleep(for_s)
        if self._runner is runner:
            await self._listen()

    async def _listen(self) -> None:
        if self._runner is not None:
            host, port = self._address
            self._site = web.TCPSite(self._runner, host, port, reuse_address=True)
            await self._site.start()

    async def _run_tasks(self, _: web.Application) -> AsyncIterator[None]:
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            self._spawn(self._tick_on(), "tick")
            yield
            self._tasks = None
            for task in list(self._kept):
                task.cancel()

    async def _tick_on(self) -> None:
        while True:
            self.world.tick()
            await asyncio.sleep(self._tick_s)

    async def _pause(self, seconds: float) -> None:
        # A handler outlives its caller's connection, so a plain sleep would outlive the server.
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._closing.wait()

    async def _stop_pauses(self, _: web.Application) -> None:
        self._closing.set()

    def _later(self, delay_s: float, inner: Inner) -> None:
        async def run() -> None:
            await asyncio.sleep(delay_s)
            await inner()

        self._spawn(run(), "late_execution")

    def _spawn(self, work: Any, name: str) -> None:  # noqa: ANN401  a coroutine of any kind
        if self._tasks is None:
            work.close()
            return
        task = self._tasks.create_task(work, name=f"metaapi_sim:{name}")
        self._kept.add(task)
        task.add_done_callback(self._kept.discard)
