"""How fast a fan-out of orders is: the broker adapter against a bare HTTP loop, in the same run.

1,000 market orders go to 1,000 accounts with 1,000 tokens at once. The other side is a child
process: first a stub that answers each request with the same bytes, so that the client's own cost
shows; then the simulator, which really executes. Both loops use the same pool; they take turns
and the fastest of their rounds count. `--serve` starts the other side by itself.
"""

import asyncio
import gc
import json
import random
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import aiohttp

from bench.report import Figure, Result
from signalfleet.adapters.metaapi import json_text, limits
from signalfleet.adapters.metaapi.bodies import trade_body
from signalfleet.adapters.metaapi.broker import MetaApiBroker
from signalfleet.adapters.metaapi.client import MetaApiClient
from signalfleet.adapters.metaapi.urls import MetaApiUrls
from signalfleet.domain.ids import ClientId
from signalfleet.domain.instruments.model import Side
from signalfleet.domain.money import Lots
from signalfleet.domain.signals.model import OrderKind
from signalfleet.domain.trading.orders import OpenOrder
from signalfleet.domain.trading.outcomes import Accepted
from signalfleet.ports.secrets import Secret
from signalfleet_sim.market.clock import WallClock as SimWallClock
from signalfleet_sim.market.seeded import SeededMarket
from signalfleet_sim.metaapi.credits import NO_CREDIT_LIMITS
from signalfleet_sim.metaapi.server import MetaApiServer
from signalfleet_sim.metaapi.world import Habits

NAME: Final = "broker"
TITLE: Final = "1,000 market orders over 1,000 accounts, against a bare HTTP loop"
ORDERS: Final = 1_000
ROUNDS: Final = {"stub": 15, "sim": 3}
MOST_TIMES_BARE: Final = 1.5
REGION: Final = "new-york"
START_S: Final = 30.0

_DONE: Final = (
    b'{"numericCode":10009,"stringCode":"TRADE_RETCODE_DONE","message":"Request completed",'
    b'"orderId":"46870472","positionId":"46870472"}'
)
_ANSWER: Final = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json; charset=utf-8\r\n"
    b"Content-Length: %d\r\n\r\n%b" % (len(_DONE), _DONE)
)


class _Clock:
    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, delay: timedelta) -> None:
        await asyncio.sleep(delay.total_seconds())


class _NoMetrics:
    def count(self, name: str, amount: float = 1, **labels: str) -> None: ...

    def gauge(self, name: str, value: float, **labels: str) -> None: ...

    def observe(self, name: str, seconds: float, **labels: str) -> None: ...

    def distribution(self, name: str, values: Sequence[float]) -> None: ...


@dataclass(frozen=True, slots=True)
class _Spent:
    wall_s: float
    cpu_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _Desk:
    """Where the orders go, and one order for each account."""

    url: str
    orders: list[OpenOrder]

    def account(self, number: int) -> str:
        return f"account-{number:04d}"

    def token(self, number: int) -> str:
        return f"bench.token.{number:04d}"


async def run() -> Result:
    """Measure both against the stub, then both against the simulator; the stub decides."""
    figures: dict[str, Figure] = {"orders": ORDERS, "rounds": ROUNDS["stub"]}
    worst: dict[str, float] = {}
    for side in ("stub", "sim"):
        with _served(side) as url:
            bare, ours = await _measure(_Desk(url=url, orders=_orders()), ROUNDS[side])
        figures |= {
            f"{side}_bare_wall_s": round(bare.wall_s, 4),
            f"{side}_ours_wall_s": round(ours.wall_s, 4),
            f"{side}_bare_cpu_ms_a_call": round(bare.cpu_s / ORDERS * 1000, 4),
            f"{side}_ours_cpu_ms_a_call": round(ours.cpu_s / ORDERS * 1000, 4),
            f"{side}_wall_ratio": round(ours.wall_s / bare.wall_s, 3),
            f"{side}_cpu_ratio": round(ours.cpu_s / bare.cpu_s, 3),
        }
        worst[side] = max(ours.wall_s / bare.wall_s, ours.cpu_s / bare.cpu_s)
    ok = worst["stub"] <= MOST_TIMES_BARE
    return Result(ok=ok, figures=figures | {"most_times_bare": MOST_TIMES_BARE})


async def _measure(desk: _Desk, rounds: int) -> tuple[_Spent, _Spent]:
    bare: list[_Spent] = []
    ours: list[_Spent] = []
    async with _bare_loop(desk) as send_bare, _our_loop(desk) as send_ours:
        await send_bare()  # Connections and code are warm for both.
        await send_ours()
        for _ in range(rounds):
            bare.append(await _timed(send_bare))
            ours.append(await _timed(send_ours))
    return _best(bare), _best(ours)


async def _timed(send: Callable[[], Awaitable[None]]) -> _Spent:
    gc.collect()
    gc.disable()
    try:
        wall, cpu = time.perf_counter(), time.process_time()
        await send()
        return _Spent(time.perf_counter() - wall, time.process_time() - cpu)
    finally:
        gc.enable()


def _best(rounds: list[_Spent]) -> _Spent:
    return _Spent(min(r.wall_s for r in rounds), min(r.cpu_s for r in rounds))


@asynccontextmanager
async def _bare_loop(desk: _Desk) -> AsyncIterator[Callable[[], Awaitable[None]]]:
    """The least that a client can do: post the body, read the answer, look at its code."""
    bodies = [json_text.encode(trade_body(order, None)).encode() for order in desk.orders]
    headers = {"Content-Type": "application/json", "Accept": "application/json"}
    connector = aiohttp.TCPConnector(limit=limits.POOL, limit_per_host=limits.POOL_PER_HOST)
    async with aiohttp.ClientSession(connector=connector, headers=headers) as session:

        async def one(number: int) -> None:
            url = f"{desk.url}/users/current/accounts/{desk.account(number)}/trade"
            token = {"auth-token": desk.token(number)}
            async with session.post(url, data=bodies[number], headers=token) as response:
                answer = json.loads(await response.read())
            if answer["numericCode"] != 10009:
                raise RuntimeError(f"not done: {answer}")

        async def send() -> None:
            async with asyncio.TaskGroup() as tasks:
                for number in range(ORDERS):
                    tasks.create_task(one(number))

        yield send


@asynccontextmanager
async def _our_loop(desk: _Desk) -> AsyncIterator[Callable[[], Awaitable[None]]]:
    """The adapter as the product uses it: permits, credits, circuits, last gate, judged answers."""
    clock, metrics = _Clock(), _NoMetrics()
    urls = MetaApiUrls(provisioning=desk.url, client=desk.url, public_only=False)
    async with MetaApiClient(clock=clock, metrics=metrics) as client:
        brokers = [
            MetaApiBroker(
                client,
                account_id=desk.account(number),
                token=Secret(desk.token(number)),
                region=REGION,
                urls=urls,
                clock=clock,
                metrics=metrics,
            )
            for number in range(ORDERS)
        ]

        async def one(number: int) -> None:
            outcome = await brokers[number].submit(desk.orders[number], _open_gate)
            assert isinstance(outcome, Accepted), outcome

        async def send() -> None:
            async with asyncio.TaskGroup() as tasks:
                for number in range(ORDERS):
                    tasks.create_task(one(number))

        yield send


def _open_gate() -> None:
    pass


def _orders() -> list[OpenOrder]:
    return [
        OpenOrder(
            symbol="EURUSD",
            side=Side.BUY,
            kind=OrderKind.MARKET,
            lots=Lots.of("0.01"),
            price=None,
            stop_loss=None,
            take_profit=None,
            client_id=ClientId(f"S1AA_BENCH{number:011d}_E0"),
            magic=1_600_000_000,
        )
        for number in range(ORDERS)
    ]


@contextmanager
def _served(side: str) -> Iterator[str]:
    command = [sys.executable, "-m", "bench.broker", "--serve", side]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            if process.stdout is None:
                raise RuntimeError("the other side has no output")
            address = process.stdout.readline().strip()
            if not address:
                raise RuntimeError(f"the {side} did not start")
            yield address
        finally:
            process.terminate()
            process.wait(START_S)


class _Stub(asyncio.Protocol):
    """Answers each POST with the same bytes; reads no more than it must."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._seen = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if isinstance(transport, asyncio.Transport):
            self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._seen += data
        while (end := self._seen.find(b"\r\n\r\n")) >= 0:
            head = self._seen[:end].lower()
            length = int(head.split(b"content-length:")[1].split(b"\r\n")[0])
            if len(self._seen) < end + 4 + length:
                return
            self._seen = self._seen[end + 4 + length :]
            if self._transport is not None:
                self._transport.write(_ANSWER)


async def _serve_stub() -> None:
    server = await asyncio.get_running_loop().create_server(_Stub, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    print(f"http://127.0.0.1:{port}", flush=True)
    await server.serve_forever()


async def _serve_simulator() -> None:
    clock = SimWallClock()
    server = MetaApiServer(
        SeededMarket(clock, random.Random(1), volatility=0.0),
        clock=clock,
        rng=random.Random(2),
        habits=Habits(trade_latency_s=(0.0, 0.0)),
        credit_rules=NO_CREDIT_LIMITS,
        tick_s=1.0,
    )
    desk = _Desk(url="", orders=[])
    async with server:
        for number in range(ORDERS):
            server.add_account(
                token=desk.token(number), account_id=desk.account(number), balance=10_000_000
            )
        print(f"{server.base_url}/client/{REGION}", flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_serve_stub() if sys.argv[-1] == "stub" else _serve_simulator())
