"""D19: no room on the disk, for the store and for the emergency journal."""

import asyncio
import contextlib
import json
import resource
import time
from typing import Final

from bench.report import Result
from drills.rig import LEGS, Rig, open_rig
from signalfleet.adapters.sql import database_path

ID: Final = "D19"
TITLE: Final = "disk full for the store: entries stop, somebody is told, and it goes on by itself"
SEED: Final = 20_279
FULL_S: Final = 20.0
SETTLE_LIMIT_S: Final = 60.0
ROOM_BYTES: Final = 8 * 1024


async def run() -> Result:
    """Forbid the product's files to grow, as a full disk does, then give it room again."""
    begun = time.monotonic()
    async with open_rig(SEED) as rig:
        await rig.start()
        await rig.until_live()
        await rig.post_signal()
        opened = await rig.until_settled(SETTLE_LIMIT_S)
        before = len(await rig.legs())
        old = _limit(rig, _log_size(rig) + ROOM_BYTES)
        entries, paged_after_s = await _while_full(rig, before)
        is_alive = rig.process is not None and rig.process.returncode is None
        _limit(rig, old)
        back = time.monotonic()
        settled = await rig.until_settled(SETTLE_LIMIT_S)
        settle_s = round(time.monotonic() - back, 1)
        legs = await rig.legs()
        open_intents = await rig.open_intents()
        status = await rig.stop()
        doubled = sum(1 for count in legs.values() if count > 1)
        lost = rig.posted * LEGS - len(legs)
        is_ok = opened and settled and is_alive and paged_after_s is not None
        is_ok = is_ok and not (entries or doubled or lost or open_intents) and status == 0
        rig.keep = not is_ok
        return Result(
            ok=is_ok,
            figures={
                "entries_while_full": entries,
                "paged_after_s": paged_after_s,
                "process_lived_on": is_alive,
                "legs_doubled": doubled,
                "legs_lost": lost,
                "open_intents": open_intents,
                "settled_after_s": settle_s,
                "kept": str(rig.root) if rig.keep else None,
                "total_s": round(time.monotonic() - begun, 1),
            },
        )


async def _while_full(rig: Rig, before: int) -> tuple[int, float | None]:
    """Post signals that cannot be written; count what reaches the broker all the same."""
    begun = time.monotonic()
    entries, paged = 0, None
    posted_at = -FULL_S
    while (now := time.monotonic() - begun) < FULL_S:
        if paged is None and _was_paged(rig):
            # What still fitted is over; from here on nothing may go out.
            paged, before = round(now, 1), len(await rig.legs())
            await rig.post_signal()
        elif paged is None and now - posted_at > 2:
            posted_at = now
            await rig.post_signal()
        await asyncio.sleep(0.2)
        legs = len(await rig.legs())
        entries = max(entries, legs - before) if paged is not None else 0
    return entries, paged


def _log_size(rig: Rig) -> int:
    """Return the size of the database's log: what is written next makes it grow."""
    path = database_path(rig.settings.database)
    return path.with_name(path.name + "-wal").stat().st_size


def _limit(rig: Rig, most: int) -> int:
    """Let no file of the product grow beyond so many bytes; return the limit of before."""
    if rig.process is None:
        raise RuntimeError("the product does not run")
    soft, hard = resource.prlimit(rig.process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(rig.process.pid, resource.RLIMIT_FSIZE, (most, hard))
    return soft


def _was_paged(rig: Rig) -> bool:
    for line in (rig.root / "product.log").read_bytes().splitlines():
        if b'"store_away"' in line:
            with contextlib.suppress(json.JSONDecodeError):
                if json.loads(line).get("level") == "error":
                    return True
    return False
