"""A product process that may be killed, beside a city that lives on and keeps the true books."""

import asyncio
import contextlib
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from signalfleet.adapters.sql import SqlStore
from signalfleet.bootstrap import city as cities
from signalfleet.bootstrap.city import City
from signalfleet.bootstrap.demo import DemoOptions, demo_settings, demo_user
from signalfleet.bootstrap.platform import open_platform
from signalfleet.bootstrap.settings import Settings
from signalfleet.domain.ids import UserId, client_id_stem

SYMBOLS: Final = (
    "EURUSD GBPUSD USDJPY GBPJPY AUDUSD USDCAD XAUUSD XAGUSD US30 NAS100 GER40 BTCUSD"
).split()
STOP_SHARE: Final = Decimal("0.006")
WIDER: Final = Decimal("1.3")
"""Each next signal of a symbol and side has a wider stop, so that none repeats an earlier one."""
LEGS: Final = 2
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
}


@dataclass(slots=True)
class Rig:
    """The city, the product's settings, and the process that runs now."""

    root: Path
    city: City
    settings: Settings
    user: UserId
    rng: random.Random
    environment: dict[str, str] = field(default_factory=dict)
    process: asyncio.subprocess.Process | None = None
    posted: int = 0
    keep: bool = False
    """Keep the directory with logs and database: something is to be looked at."""
    _log_from: int = 0
    _streams: Counter[tuple[str, str]] = field(default_factory=Counter)

    async def start(self, *, crash: str | None = None) -> None:
        """Start the product; `crash` is a point of bootstrap.drill."""
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
                env=environment,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    async def until_live(self, limit_s: float = 60.0) -> None:
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

    async def post_signal(self) -> None:
        """Post one clean signal with two targets that must become two orders."""
        symbol = SYMBOLS[self.posted % len(SYMBOLS)]
        side = self.rng.choice(("buy", "sell"))
        turn = self._streams[symbol, side]
        self._streams[symbol, side] += 1
        quotes = await self.city.ask_broker("/control/quotes")
        quote = quotes[symbol]
        ask = Decimal(str(quote["ask"]))
        distance = ask * STOP_SHARE * WIDER**turn
        sign = 1 if side == "buy" else -1
        levels = [ask - distance * sign, ask + distance * sign, ask + 2 * distance * sign]
        places = -int(ask.as_tuple().exponent) if ask.as_tuple().exponent else 0
        stop, first, second = (f"{level:.{max(places, 1)}f}" for level in levels)
        text = f"{side.upper()} {symbol} NOW\nSL {stop}\nTP1 {first}\nTP2 {second}"
        channels = list(self.city.facts["channels"].values())
        chat = channels[self.posted % len(channels)]
        await self.city.ask("POST", f"/telegram/channels/{chat}/post", {"text": text})
        self.posted += 1

    async def legs(self) -> Counter[str]:
        """Count the broker's executed openings by leg."""
        book = await self.city.ask_broker("/control/book")
        return Counter(
            client_id_stem(order["clientId"])
            for order in book
            if order["action"].startswith("ORDER_TYPE_") and order.get("clientId")
        )

    async def until_settled(self, limit_s: float) -> bool:
        """Wait until every signal has its orders and no intent is open; False at the limit."""
        deadline = time.monotonic() + limit_s
        store = await SqlStore.open(self.settings.database, cell=self.settings.cell)
        try:
            while time.monotonic() < deadline:
                is_quiet = not await store.user(self.user).journal.open_intents()
                is_read = not await store.user(self.user).inbox.unread()
                if is_quiet and is_read and len(await self.legs()) >= self.posted * LEGS:
                    return True
                await asyncio.sleep(0.2)
        finally:
            await store.aclose()
        return False

    async def open_intents(self) -> int:
        store = await SqlStore.open(self.settings.database, cell=self.settings.cell)
        try:
            return len(await store.user(self.user).journal.open_intents())
        finally:
            await store.aclose()


@asynccontextmanager
async def open_rig(seed: int) -> AsyncIterator[Rig]:
    """Start a city, sign a user in with a large account, and leave the product stopped."""
    root = Path(tempfile.mkdtemp(prefix="signalfleet-drill-"))
    city = await cities.start(root / "city", repeat=False, speed=1.0, seed=seed)
    try:
        account = await city.ask_broker(
            "/control/accounts", {"token": city.text("metaapi_token"), "balance": 10_000_000}
        )
        city = replace(city, facts={**city.facts, "metaapi_account": account["accountId"]})
        options = DemoOptions(root=root, port=0, drill=True, look_interval_s=1.0)
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
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(city.facts["pid"], signal.SIGTERM)


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
    return found
