"""A product process that may be killed, beside a city that lives on and keeps the true books."""

import asyncio
import contextlib
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import aiohttp

from drills.posts import Posted
from drills.town import open_town
from drills.visitor import signed_in
from signalfleet.adapters.sql import SqlStore
from signalfleet.bootstrap.city import City
from signalfleet.bootstrap.demo import DemoOptions, demo_settings, demo_user
from signalfleet.bootstrap.platform import open_platform
from signalfleet.bootstrap.settings import Settings
from signalfleet.domain.ids import UserId, client_id_stem
from signalfleet.domain.trading.lifecycle import MAX_ENTRY_ATTEMPTS

SYMBOLS: Final = (
    "EURUSD GBPUSD USDJPY GBPJPY AUDUSD USDCAD XAUUSD XAGUSD US30 NAS100 GER40 BTCUSD"
).split()
STOP_SHARE: Final = Decimal("0.008")
WIDER: Final = Decimal("0.03")
WIDTHS: Final = 24
"""Stops differ and stay near the market: what comes late is still worth entering."""
NUDGE: Final = Decimal("1.002")
LONGEST_S: Final = 600.0
PASSING_S: Final = 10.0
LEGS: Final = 2
START_S: Final = 180.0
"""Enough for a machine with much else to do."""
SEE_OTHER: Final = 303
LIVE_MARK: Final = b'"state": "live"'
DRILL_SETTINGS: Final[dict[str, object]] = {
    "size_mode": "fixed_lots",
    "fixed_lots": "0.2",
    "max_risk_percent": "10",
    "max_signal_age": "300",
    "max_open_trades": "1000",
    "max_open_per_symbol": "1000",
    "max_open_risk_percent": "100",
    "max_price_gap": "1",
    "conflict": "hedge",
    "duplicate_window": "0",
    "weekend": "keep",
}


@dataclass(slots=True)
class Rig:
    """The city, the product's settings, and the process that runs now."""

    root: Path
    city: City
    settings: Settings
    user: UserId
    rng: random.Random
    others: list[UserId] = field(default_factory=list)
    """More users who copy the same channels, each on an account of their own."""
    environment: dict[str, str] = field(default_factory=dict)
    process: asyncio.subprocess.Process | None = None
    posted: int = 0
    keep: bool = False
    """Keep the directory with logs and database: something is to be looked at."""
    _log_from: int = 0
    _streams: Counter[tuple[str, str]] = field(default_factory=Counter)
    _written: set[tuple[str, Decimal]] = field(default_factory=set)

    async def start(self, *, crash: str | None = None, role: Sequence[str] = ()) -> None:
        """Start the product; `crash` is a point of bootstrap.drill, `role` more of the command."""
        environment = dict(self.environment)
        if crash is not None:
            environment["SIGNALFLEET_DRILL_CRASH"] = crash
        with (self.root / "product.log").open("ab") as log:
            self._log_from = log.tell()
            self.process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "signalfleet.cli",
                "run",
                *role,
                env=environment,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    async def until_live(self, limit_s: float = 180.0) -> None:
        """Wait until the process that runs now reads its channels."""
        deadline = time.monotonic() + limit_s
        log = self.root / "product.log"
        while time.monotonic() < deadline:
            if LIVE_MARK in log.read_bytes()[self._log_from :]:
                return
            await asyncio.sleep(0.05)
        raise TimeoutError(f"the product did not come up within {limit_s} s: see {log}")

    async def kill(self) -> None:
        """SIGKILL, as a power cut for the process."""
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                self.process.kill()
            await self.process.wait()
            self.process = None

    async def stop(self) -> int:
        """SIGTERM and wait; return the exit status."""
        if self.process is None:
            return 0
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(30):
                return await self.process.wait()
        finally:
            await self.kill()

    async def post_signal(self) -> Posted:
        """Post one clean signal with two targets that must become two orders."""
        symbol = SYMBOLS[self.posted % len(SYMBOLS)]
        side = self.rng.choice(("buy", "sell"))
        turn = self._streams[symbol, side]
        self._streams[symbol, side] += 1
        quotes = await self.city.ask_broker("/control/quotes")
        ask = Decimal(str(quotes[symbol]["ask"]))
        channels = list(self.city.facts["channels"].values())
        post = Posted(
            chat=channels[self.posted % len(channels)],
            message=0,
            symbol=symbol,
            side=side,
            entry=ask,
            distance=ask * STOP_SHARE * (1 + WIDER * (turn % WIDTHS)),
            places=max(-int(ask.as_tuple().exponent), 1),
        )
        # Levels that were written before would be the same idea again.
        while not self._written.isdisjoint(_levels_of(post)):
            post = replace(post, distance=post.distance * NUDGE)
        self._written |= _levels_of(post)
        self.posted += 1
        return replace(post, message=await self._post(post.chat, {"text": post.text}))

    @property
    def users(self) -> list[UserId]:
        return [self.user, *self.others]

    @property
    def wanted(self) -> int:
        """Return how many legs all that was posted must become."""
        return self.posted * LEGS * len(self.users)

    async def backlog(self) -> int:
        """Count the signals that the broker has not seen yet, or not for all users."""
        return (self.wanted - len(await self.legs())) // (LEGS * len(self.users))

    async def reply(self, post: Posted, text: str) -> None:
        """Answer a signal in its channel, as follow-ups do."""
        await self._post(post.chat, {"text": text, "reply_to": post.message})

    async def edit(self, post: Posted, text: str) -> None:
        body = {"message_id": post.message, "text": text}
        await self.city.ask("POST", f"/telegram/channels/{post.chat}/edit", body)

    async def delete(self, post: Posted) -> None:
        body = {"message_ids": [post.message]}
        await self.city.ask("POST", f"/telegram/channels/{post.chat}/delete", body)

    async def _post(self, chat: int, body: dict[str, Any]) -> int:
        answer = await self.city.ask("POST", f"/telegram/channels/{chat}/post", body)
        return int(answer["message_id"])

    async def positions(self) -> dict[str, dict[str, Any]]:
        """Return what is open at the broker just now, by position id."""
        account = self.city.text("metaapi_account")
        shown = await self.city.ask_broker(f"/control/accounts/{account}")
        return {position["id"]: position for position in shown["positions"]}

    async def legs(self) -> Counter[str]:
        """Count the broker's executed openings by leg."""
        book = await self.city.ask_broker("/control/book")
        return Counter(
            client_id_stem(order["clientId"])
            for order in book
            if order["action"].startswith("ORDER_TYPE_") and order.get("clientId")
        )

    async def entries(self) -> list[dict[str, Any]]:
        """Return the broker's executed openings, as its book has them."""
        book = await self.city.ask_broker("/control/book")
        return [order for order in book if order["action"].startswith("ORDER_TYPE_")]

    async def break_broker(
        self,
        fault: str | dict[str, Any],
        *,
        route: str | None = None,
        times: int | None = 1,
        probability: float = 1.0,
    ) -> None:
        """Let the broker go wrong: see signalfleet_sim.metaapi.mischief and conditions."""
        account = self.city.text("metaapi_account")
        match: dict[str, Any] = {"account": account, "times": times, "probability": probability}
        if route is not None:
            match["route"] = route
        await self.city.ask_broker("/control/faults", {"match": match, "fault": fault})

    async def faults_struck(self) -> int:
        """Count the calls that went wrong as asked."""
        return sum(rule["struck"] for rule in await self.city.ask_broker("/control/faults"))

    async def clear_broker(self) -> None:
        """Let the broker's calls go right again."""
        url = self.city.text("metaapi_url") + "/control/faults"
        headers = {"Authorization": f"Bearer {self.city.broker_token}"}
        async with aiohttp.ClientSession(headers=headers) as session:
            (await session.delete(url)).raise_for_status()

    async def break_telegram(self, fault: dict[str, Any]) -> None:
        """Let Telegram go wrong: see signalfleet_sim.telegram.control_faults."""
        await self.city.ask("POST", "/telegram/faults", fault)

    async def press_stop(self) -> float:
        """Press "Stop all copying" on the page as the user would; return when, by wall clock."""
        headers = await signed_in(self.settings, self.user)
        url = f"{self.address()}/copying/stop"
        async with aiohttp.ClientSession(headers=headers) as session:
            pressed = time.time()
            async with session.post(url, allow_redirects=False) as response:
                if response.status != SEE_OTHER:
                    raise RuntimeError(f"Stop was answered with {response.status}")
        return pressed

    def address(self) -> str:
        """Return where the pages of the process that runs now are served."""
        log = (self.root / "product.log").read_bytes()[self._log_from :]
        for line in log.splitlines():
            if b'"serving"' in line:
                return str(json.loads(line)["address"])
        raise RuntimeError("the product serves no pages")

    async def until_settled(self, limit_s: float, *, while_moving: bool = False) -> bool:
        """Wait until every signal has its orders and no intent is open; False at the limit.

        With `while_moving` the limit begins anew with each step forward, for ten minutes at most.
        """
        begun = time.monotonic()
        deadline, before = begun + limit_s, None
        store = await SqlStore.open(self.settings.database, cell=self.settings.cell)
        try:
            while time.monotonic() < deadline:
                active = await self._open_intents(store)
                unread = sum([len(await store.user(one).inbox.unread()) for one in self.users])
                ended = len(await self.legs()) + await self._given_up(store)
                if not active and not unread and ended >= self.wanted:
                    return True
                if while_moving and (active, unread, ended) != before:
                    before = (active, unread, ended)
                    deadline = min(time.monotonic() + limit_s, begun + LONGEST_S)
                await asyncio.sleep(0.2)
        finally:
            await store.aclose()
        return False

    async def given_up(self) -> int:
        """Count entries whose attempts were all killed before they left, as was proved."""
        store = await SqlStore.open(self.settings.database, cell=self.settings.cell)
        try:
            return await self._given_up(store)
        finally:
            await store.aclose()

    async def open_intents(self) -> int:
        """Count the intents that stay open: what protects comes and goes as the market moves."""
        store = await SqlStore.open(self.settings.database, cell=self.settings.cell)
        try:
            deadline = time.monotonic() + PASSING_S
            while left := await self._open_intents(store):
                if time.monotonic() > deadline:
                    return left
                await asyncio.sleep(0.1)
            return 0
        finally:
            await store.aclose()

    async def _open_intents(self, store: SqlStore) -> int:
        return sum([len(await store.user(one).journal.open_intents()) for one in self.users])

    async def _given_up(self, store: SqlStore) -> int:
        return sum([await _given_up(store, one) for one in self.users])


def _levels_of(post: Posted) -> set[tuple[str, Decimal]]:
    """Return the levels as numbers: a price may be written with more zeros another time."""
    return {(post.symbol, Decimal(level)) for level in (post.stop, *post.targets)}


async def _given_up(store: SqlStore, user: UserId) -> int:
    journal = store.user(user).journal
    count = 0
    for record in await journal.recent_signals(limit=1000):
        trades = await journal.trades_of_signals([record.signal_id])
        intents = await journal.intents_of_trades([trade.trade_id for trade in trades])
        count += sum(
            1
            for intent in intents
            if intent.reason == "absent_after_doubt" and intent.attempt >= MAX_ENTRY_ATTEMPTS
        )
    return count


@asynccontextmanager
async def open_rig(
    seed: int, *, look_interval_s: float = 1.0, store_url: str = "", broker_apart: bool = False
) -> AsyncIterator[Rig]:
    """Start a city, sign a user in with a large account, and leave the product stopped.

    `store_url` names an empty database that is used instead of a file. With `broker_apart` the
    broker is a process of its own, so that a busy Telegram does not make it slow.
    """
    root = Path(tempfile.mkdtemp(prefix="signalfleet-drill-"))
    async with open_town(root, seed, idle_s=LONGEST_S, broker_apart=broker_apart) as town:
        account = await town.ask_broker(
            "/control/accounts", {"token": town.text("metaapi_token"), "balance": 10_000_000}
        )
        city = replace(town, facts={**town.facts, "metaapi_account": account["accountId"]})
        options = DemoOptions(
            root=root,
            port=0,
            drill=True,
            look_interval_s=look_interval_s,
            store_url=store_url,
        )
        settings = demo_settings(options, city)
        async with open_platform(settings) as platform:
            user = await demo_user(platform, city)
            documents = platform.store.user(user).settings
            _, version = await documents.get("user")
            await documents.put("user", DRILL_SETTINGS, version)
        rig = Rig(root=root, city=city, settings=settings, user=user, rng=random.Random(seed))
        rig.environment = _environment(settings)
        try:
            yield rig
        finally:
            await rig.kill()
        if not rig.keep:
            shutil.rmtree(root, ignore_errors=True)


def _environment(settings: Settings) -> dict[str, str]:
    """Write the settings as the variables that `signalfleet run` reads."""
    found: dict[str, str] = {
        name: value
        for name, value in os.environ.items()
        if name in ("PATH", "HOME", "PYTHONPATH", "LANG")
    }
    for name, value in settings:
        raw: Any = value.get_secret_value() if hasattr(value, "get_secret_value") else value
        if raw is not None and raw != "":
            found[name.upper()] = str(raw).lower() if isinstance(raw, bool) else str(raw)
    found["LOG_FORMAT"] = "json"
    # A drill posts more in a minute than channels in a week; D15 is about who does so.
    found["MAX_CPU_PER_BOT_PERCENT"] = "100"
    return found
