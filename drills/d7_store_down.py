"""D7: the store is away for a minute, then slow, while orders are open and signals arrive."""

import asyncio
import contextlib
import json
import time
from contextlib import ExitStack
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from bench.report import Figure, Result
from drills.posts import Posted
from drills.rig import LEGS, Rig, open_rig
from drills.stores import LockedFile, Stoppable, postgres
from signalfleet.adapters.sql import SqlStore

ID: Final = "D7"
TITLE: Final = "store away for 60 s, then slow: no entry, closes and stops go out, nothing is lost"
SEED: Final = 20_267
AWAY_S: Final = 60.0
SLOW_S: Final = 12.0
SLOW_PAUSE_S: Final = 2.0
ACTED_WITHIN_S: Final = 40.0
PAGED_WITHIN_S: Final = 60.0
SETTLE_LIMIT_S: Final = 90.0


@dataclass(slots=True)
class Seen:
    """What was seen while the store was away."""

    entries: int = 0
    closed_after_s: float | None = None
    protected_after_s: float | None = None
    paged_after_s: float | None = None

    @property
    def is_ok(self) -> bool:
        acted = (self.closed_after_s, self.protected_after_s, self.paged_after_s)
        return self.entries == 0 and None not in acted


async def run() -> Result:
    """Run it on a SQLite file, and on a PostgreSQL server where there is one."""
    file = LockedFile()
    results = {"sqlite": await _drill(file)}
    with ExitStack() as stack:
        server = await asyncio.to_thread(postgres, stack)
        if server is not None:
            results["postgresql"] = await _drill(server)
    figures: dict[str, Figure] = {
        f"{name}_{key}": value
        for name, result in results.items()
        for key, value in result.figures.items()
    }
    if "postgresql" not in results:
        figures["postgresql"] = "not drilled: no PostgreSQL on this machine"
    return Result(ok=all(result.ok for result in results.values()), figures=figures)


async def _drill(store: Stoppable) -> Result:
    begun = time.monotonic()
    async with open_rig(SEED, store_url=store.url) as rig:
        if isinstance(store, LockedFile):
            store.database = lambda: rig.settings.database
        await rig.start()
        await rig.until_live()
        closing, protecting = await rig.post_signal(), await rig.post_signal()
        opened = await rig.until_settled(SETTLE_LIMIT_S)
        # The broker is away too, so that both instructions wait when the store goes.
        await rig.break_broker("503", route="trade", times=None)
        await rig.reply(closing, "Close now")
        await rig.reply(protecting, f"Move SL to {protecting.tighter_stop()}")
        waiting = await _until_claimed(rig, closing, protecting)
        before = len(await rig.legs())
        async with store.away():
            seen = await _while_away(rig, closing, protecting, before)
        await store.slow(SLOW_PAUSE_S, SLOW_S)
        await rig.post_signal()
        back = time.monotonic()
        settled = await rig.until_settled(SETTLE_LIMIT_S)
        settle_s = round(time.monotonic() - back, 1)
        legs = await rig.legs()
        open_intents = await rig.open_intents()
        left = list((rig.settings.data_dir / "emergency").glob("*"))
        status = await rig.stop()
        doubled = sum(1 for count in legs.values() if count > 1)
        lost = rig.posted * LEGS - len(legs)
        is_ok = opened and waiting and seen.is_ok and settled and not doubled and not lost
        is_ok = is_ok and not open_intents and not left and status == 0
        rig.keep = not is_ok
        return Result(
            ok=is_ok,
            figures={
                "entries_while_away": seen.entries,
                "closed_after_s": seen.closed_after_s,
                "stop_moved_after_s": seen.protected_after_s,
                "paged_after_s": seen.paged_after_s,
                "legs_doubled": doubled,
                "legs_lost": lost,
                "open_intents": open_intents,
                "files_left": len(left),
                "settled_after_s": settle_s,
                "kept": str(rig.root) if rig.keep else None,
                "total_s": round(time.monotonic() - begun, 1),
            },
        )


async def _while_away(rig: Rig, closing: Posted, protecting: Posted, before: int) -> Seen:
    """Let the broker come back first, post two signals, and watch for a minute."""
    seen = Seen()
    begun = time.monotonic()
    await rig.clear_broker()
    await rig.post_signal()
    await rig.post_signal()
    while (now := time.monotonic() - begun) < AWAY_S:
        with contextlib.suppress(OSError, TimeoutError):
            seen.entries = max(seen.entries, len(await rig.legs()) - before)
            if seen.closed_after_s is None and not await _positions_of(rig, closing):
                seen.closed_after_s = round(now, 1)
            if seen.protected_after_s is None and await _is_closer(rig, protecting):
                seen.protected_after_s = round(now, 1)
        if seen.paged_after_s is None and _was_paged(rig):
            seen.paged_after_s = round(now, 1)
        await asyncio.sleep(0.5)
    return seen


async def _positions_of(rig: Rig, post: Posted) -> list[dict[str, object]]:
    positions = await rig.positions()
    entries = [one for one in await rig.entries() if post.is_entry(one)]
    return [positions[one["positionId"]] for one in entries if one["positionId"] in positions]


async def _is_closer(rig: Rig, post: Posted) -> bool:
    """Tell whether the stops of both legs are where the follow-up wants them."""
    stops = [one.get("stopLoss") for one in await _positions_of(rig, post)]
    wanted = Decimal(post.tighter_stop())
    return len(stops) == LEGS and all(Decimal(str(stop)) == wanted for stop in stops)


async def _until_claimed(rig: Rig, *posts: Posted) -> bool:
    """Wait until a follow-up of each signal is written down and its intents are under way."""
    store = await SqlStore.open(rig.settings.database, cell=rig.settings.cell)
    journal = store.user(rig.user).journal
    deadline = time.monotonic() + ACTED_WITHIN_S
    try:
        while time.monotonic() < deadline:
            asked = {
                intent.trade
                for intent in await journal.open_intents()
                if intent.cause.startswith("msg:")
            }
            if len(asked) >= len(posts) * LEGS:
                return True
            await asyncio.sleep(0.1)
    finally:
        await store.aclose()
    return False


def _was_paged(rig: Rig) -> bool:
    """Tell whether an error that says that the store is away is in the log."""
    for line in (rig.root / "product.log").read_bytes().splitlines():
        if b'"store_away"' in line:
            with contextlib.suppress(json.JSONDecodeError):
                if json.loads(line).get("level") == "error":
                    return True
    return False
