"""D8: Redis is flushed, hangs, dies and comes back while signals arrive and pages are read."""

import asyncio
import contextlib
import shutil
import signal
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

import aiohttp
import redis.asyncio

from bench.report import Result
from drills.rig import LEGS, Rig, open_rig
from drills.visitor import signed_in

ID: Final = "D8"
TITLE: Final = "Redis flushed, hanging, dead and back: orders unaffected, limits local, pages quick"
SEED: Final = 20_268
LOOKS: Final = 120
SIGNALS: Final = 3
SETTLE_LIMIT_S: Final = 45.0
BACK_WITHIN_S: Final = 60.0
Figure: TypeAlias = int | float | str | bool | None
STARTS_A_MINUTE: Final = 5
SLOWER_AT_MOST: Final = 2.0
LEAST_BASE_MS: Final = 5.0
"""Of a page that takes less than this, twice as long is the noise of the machine."""
TOO_MANY: Final = 429


async def run() -> Result:
    """Run the drill; without a Redis on this machine it fails and says so."""
    program = shutil.which("redis-server") or shutil.which("valkey-server")
    if program is None:
        return Result(ok=False, figures={"error": "no redis-server or valkey-server here"})
    begun = time.monotonic()
    async with open_rig(SEED) as rig:
        server = Server(program, rig.root)
        rig.environment |= {"REDIS_URL": server.url, "RATE_LIMIT_PER_MINUTE": "100000"}
        await server.start()
        try:
            async with _visitor(rig) as visitor:
                figures, is_ok = await _drill(rig, server, visitor)
        finally:
            await server.kill()
        rig.keep = not is_ok
        figures |= {
            "kept": str(rig.root) if rig.keep else None,
            "total_s": round(time.monotonic() - begun, 1),
        }
        return Result(ok=is_ok, figures=figures)


async def _drill(
    rig: Rig, server: "Server", visitor: aiohttp.ClientSession
) -> tuple[dict[str, Figure], bool]:
    await rig.start()
    await rig.until_live()
    base = rig.address()
    times = {"shared": await _busy(rig, visitor, base)}
    local = {"shared": await _is_local(visitor, base)}
    await server.flush()
    times["flushed"] = await _busy(rig, visitor, base)
    server.signal(signal.SIGSTOP)
    times["hanging"] = await _busy(rig, visitor, base)
    local["hanging"] = await _is_local(visitor, base)
    server.signal(signal.SIGCONT)
    await server.kill()
    times["dead"] = await _busy(rig, visitor, base)
    local["dead"] = await _is_local(visitor, base)
    starts = [await _start(visitor, base) for _ in range(STARTS_A_MINUTE + 1)]
    settled_dead = await rig.until_settled(SETTLE_LIMIT_S)
    await server.start()
    is_back = await _until_shared(visitor, base)
    times["back"] = await _busy(rig, visitor, base)
    settled = await rig.until_settled(SETTLE_LIMIT_S)
    legs, open_intents = await rig.legs(), await rig.open_intents()
    status = await rig.stop()
    doubled = sum(1 for count in legs.values() if count > 1)
    missing = rig.posted * LEGS - len(legs) - await rig.given_up()
    # The page grows with the signals, so both what was before and what is afterwards count.
    well = max(times[when].p95 for when in ("shared", "flushed", "back"))
    allowed = SLOWER_AT_MOST * max(well, LEAST_BASE_MS)
    is_quick = all(one.p95 < allowed for one in times.values())
    limited = starts.count(TOO_MANY) == 1 and starts[-1] == TOO_MANY
    is_local = local == {"shared": False, "hanging": True, "dead": True}
    figures: dict[str, Figure] = {
        "signals": rig.posted,
        "legs_doubled": doubled,
        "legs_missing": missing,
        "open_intents": open_intents,
        **{f"page_p95_ms_{name}": one.p95 for name, one in times.items()},
        **{f"page_worst_ms_{name}": one.worst for name, one in times.items()},
        "page_p95_allowed_ms": round(allowed, 1),
        **{f"limits_local_{when}": is_so for when, is_so in local.items()},
        "sixth_start_refused_while_dead": limited,
        "shared_again": is_back,
        "exit_status_at_the_end": status,
    }
    sound = settled and settled_dead and not doubled and not missing and not open_intents
    return figures, sound and is_quick and limited and is_local and is_back and status == 0


@dataclass(frozen=True, slots=True)
class Times:
    p95: float
    worst: float


class Server:
    """A Redis that keeps nothing on disk."""

    def __init__(self, program: str, folder: Path) -> None:
        self._program, self._folder = program, folder
        self._process: asyncio.subprocess.Process | None = None
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._port = int(probe.getsockname()[1])

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self._port}/0"

    async def start(self) -> None:
        words = ("--port", str(self._port), "--bind", "127.0.0.1", "--save", "")
        self._process = await asyncio.create_subprocess_exec(
            self._program,
            *words,
            cwd=self._folder,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        async with asyncio.timeout(10):
            while not await self.answers():  # noqa: ASYNC110 - Only a look can tell.
                await asyncio.sleep(0.02)

    async def kill(self) -> None:
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()
            self._process = None

    def signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)

    async def answers(self) -> bool:
        client = redis.asyncio.Redis.from_url(self.url)
        try:
            return bool(await client.ping())
        except redis.exceptions.ConnectionError:
            return False
        finally:
            await client.aclose()

    async def flush(self) -> None:
        client = redis.asyncio.Redis.from_url(self.url)
        try:
            await client.flushall()
        finally:
            await client.aclose()


@asynccontextmanager
async def _visitor(rig: Rig) -> AsyncIterator[aiohttp.ClientSession]:
    """Sign a browser in as the rig's user."""
    headers = await signed_in(rig.settings, rig.user)
    async with aiohttp.ClientSession(headers=headers) as session:
        yield session


async def _busy(rig: Rig, visitor: aiohttp.ClientSession, base: str) -> Times:
    """Post signals while pages are read one after the other; return how long the pages took."""
    for _ in range(SIGNALS):
        await rig.post_signal()
    took = []
    for _ in range(LOOKS):
        begun = time.perf_counter()
        async with visitor.get(base + "/") as response:
            await response.read()
            response.raise_for_status()
        took.append((time.perf_counter() - begun) * 1000)
    took.sort()
    return Times(p95=round(took[int(len(took) * 0.95)], 1), worst=round(took[-1], 1))


async def _start(visitor: aiohttp.ClientSession, base: str) -> int:
    """Press "Resume copying" without the word that it asks for."""
    async with visitor.post(base + "/copying/resume", data={"confirm": "no"}) as response:
        return response.status


async def _is_local(visitor: aiohttp.ClientSession, base: str) -> bool:
    async with visitor.get(base + "/readyz") as response:
        return "limits are local" in await response.text()


async def _until_shared(visitor: aiohttp.ClientSession, base: str) -> bool:
    deadline = time.monotonic() + BACK_WITHIN_S
    while time.monotonic() < deadline:
        async with visitor.get(base + "/") as response:
            response.raise_for_status()
        if not await _is_local(visitor, base):
            return True
        await asyncio.sleep(0.2)
    return False
