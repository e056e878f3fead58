"""`bench telegram`: a thousand signed-in clients in one process, and how they come back."""

import asyncio
import base64
import gc
import json
import resource
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, Final

import structlog

from bench.report import Result
from signalfleet.adapters.telegram.gate import ConnectGate
from signalfleet.adapters.telegram.limits import CONNECTS_PER_S
from signalfleet.adapters.telegram.reader import TelethonChatSource
from signalfleet.adapters.telegram.session import StoredSession
from signalfleet.adapters.telegram.settings import OwnServer, TelegramSettings
from signalfleet.bootstrap.clock import SystemClock
from signalfleet.domain.ids import ChannelId, MessageId
from signalfleet.domain.signals.model import ChannelMessage
from signalfleet.ports.chat_source import (
    ChatBatch,
    ChatNotice,
    LinkHealth,
    LinkState,
    WatchedChat,
)
from signalfleet.ports.secrets import Secret

CLIENTS: Final = 1_000
LIFTED_PER_S: Final = 500.0
IDLE_S: Final = 60.0
AWAY_S: Final = 3.0
MOST_RSS_KB: Final = 100.0
MOST_CPU_SHARE: Final = 0.03
MOST_LIFTED_S: Final = 60.0
MOST_PACED_S: Final = 200.0
PATIENCE_S: Final = 300.0


class Uncounted:
    """Metrics that nobody reads."""

    def __init__(self) -> None:
        self.floods = 0

    def count(self, name: str, amount: float = 1, **labels: str) -> None:
        del amount, labels
        self.floods += name.endswith("flood_waits_total")

    def gauge(self, name: str, value: float, **labels: str) -> None: ...

    def observe(self, name: str, seconds: float, **labels: str) -> None: ...

    def distribution(self, name: str, values: Sequence[float]) -> None: ...


class Counter:
    """A sink that keeps nothing but how much came."""

    posts = 0

    async def store(self, batch: ChatBatch) -> None:
        Counter.posts += len(batch.items)

    def pause_s(self) -> float:
        return 0.0

    async def known_revision(self, chat: ChannelId, message: MessageId) -> ChannelMessage | None:
        del chat, message
        return None

    async def link_changed(self, health: LinkHealth) -> None: ...

    async def chat_noticed(self, notice: ChatNotice) -> None: ...


@dataclass(slots=True)
class OtherSide:
    """The process with the server."""

    process: asyncio.subprocess.Process
    facts: dict[str, Any]

    async def ask(self, command: str) -> dict[str, Any]:
        writer, reader = self.process.stdin, self.process.stdout
        if writer is None or reader is None:
            raise RuntimeError("the other side has no pipes")
        writer.write(command.encode() + b"\n")
        answer: dict[str, Any] = json.loads(await reader.readline())
        return answer


@asynccontextmanager
async def other_side(clients: int) -> AsyncIterator[OtherSide]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "bench.telegram_city",
        str(clients),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=1 << 24,
    )
    try:
        if process.stdout is None:
            raise RuntimeError("the other side has no pipes")
        yield OtherSide(process, json.loads(await process.stdout.readline()))
    finally:
        process.kill()
        await process.wait()


async def run() -> Result:
    """Measure with the number of clients and the pace that the product has."""
    return await measure(CLIENTS)


async def measure(clients: int, *, idle_s: float = IDLE_S) -> Result:
    """Connect all, idle, restart the server with the pace lifted, and again at the real one."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    _allow_files(2 * clients + 200)
    metrics = Uncounted()
    clock = SystemClock()
    gate = ConnectGate(clock, connects_per_s=LIFTED_PER_S)
    async with other_side(clients) as other, asyncio.TaskGroup() as tasks:
        base_kb = _rss_kb()
        sources = [_source(other.facts, one, gate, metrics) for one in other.facts["sessions"]]
        begun = time.monotonic()
        for source, one in zip(sources, other.facts["sessions"], strict=True):
            await source.watch([_chat(other.facts, one)])
            tasks.create_task(source.run(Counter()))
        await _until_live(sources)
        connected_s = time.monotonic() - begun
        gc.collect()
        rss_kb = (_rss_kb() - base_kb) / clients
        cpu, wall = time.process_time(), time.monotonic()
        await asyncio.sleep(idle_s)
        cpu_share = (time.process_time() - cpu) / (time.monotonic() - wall)
        lifted_s = await _restart(other, sources)
        await other.ask("strict")
        gate.keep_pace(CONNECTS_PER_S)
        paced_s = await _restart(other, sources)
        begun = time.monotonic()
        await other.ask("post")
        while Counter.posts < clients:  # noqa: ASYNC110 - many events, one condition
            await asyncio.sleep(0.01)
        fan_out_s = time.monotonic() - begun
        stats = await other.ask("stats")
        async with asyncio.TaskGroup() as closing:
            for source in sources:
                closing.create_task(source.aclose())
    violations = stats["violations"]
    return Result(
        ok=rss_kb <= MOST_RSS_KB
        and cpu_share <= MOST_CPU_SHARE
        and lifted_s <= MOST_LIFTED_S
        and paced_s <= MOST_PACED_S
        and metrics.floods == 0
        and not violations,
        figures={
            "clients": clients,
            "rss_kb_per_client": round(rss_kb, 1),
            "rss_base_mb": round(base_kb / 1024, 1),
            "idle_cpu_percent": round(100 * cpu_share, 2),
            "all_connected_first_s": round(connected_s, 1),
            "all_back_pace_lifted_s": round(lifted_s, 1),
            "all_back_paced_s": round(paced_s, 1),
            "connects_per_s": CONNECTS_PER_S,
            "post_to_all_s": round(fan_out_s, 2),
            "flood_waits": metrics.floods,
            "violations": "; ".join(violations) or None,
        },
    )


async def _restart(other: OtherSide, sources: list[TelethonChatSource]) -> float:
    """Take the server away for a moment; return how long after it all are live again."""
    await other.ask("down")
    while any(source.health().state is LinkState.LIVE for source in sources):  # noqa: ASYNC110
        await asyncio.sleep(0.05)
    await asyncio.sleep(AWAY_S)
    await other.ask("up")
    begun = time.monotonic()
    await _until_live(sources)
    return time.monotonic() - begun


async def _until_live(sources: list[TelethonChatSource]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not all(source.health().state is LinkState.LIVE for source in sources):  # noqa: ASYNC110
            await asyncio.sleep(0.1)


def _source(
    facts: dict[str, Any], session: list[Any], gate: ConnectGate, metrics: Uncounted
) -> TelethonChatSource:
    user, key, _ = session
    stored = StoredSession(
        dc=facts["dc"],
        host=facts["host"],
        port=facts["port"],
        key=base64.b64decode(key),
        telegram_user_id=user,
    )
    server = OwnServer(
        dc=facts["dc"], host=facts["host"], port=facts["port"], public_key_pem=facts["pem"]
    )
    return TelethonChatSource(
        Secret(stored.dump()),
        TelegramSettings(api_id=1, api_hash=Secret("0" * 32), server=server),
        clock=SystemClock(),
        chance=Random(user),
        metrics=metrics,
        gate=gate,
    )


def _chat(facts: dict[str, Any], session: list[Any]) -> WatchedChat:
    return WatchedChat(
        chat=ChannelId(facts["chat"]), kind="channel", access_hash=session[2], title="News"
    )


def _rss_kb() -> float:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize() / 1024


def _allow_files(wanted: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(wanted, hard), hard))
