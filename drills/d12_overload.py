"""D12: the broker's service is overloaded, unavailable or cut off while signals arrive."""

import asyncio
import time
from typing import Any, Final

from bench.report import Result
from drills.posts import Posted
from drills.rig import LEGS, Rig, open_rig

ID: Final = "D12"
TITLE: Final = (
    "429 with a time, 503, 504 and resets on every route: entries late, none twice, closes done"
)
SEED: Final = 20_272
LOOK_S: Final = 5.0
STORMS: Final[tuple[dict[str, Any], ...]] = (
    {"kind": "429", "retry_in": 1.0},
    {"kind": "503"},
    {"kind": "504_not_connected"},
    {"kind": "reset_before_read"},
)
SHARE: Final = 0.4
STORM_S: Final = 4.0
SIGNALS_A_STORM: Final = 3
SETTLE_LIMIT_S: Final = 45.0


async def run() -> Result:
    """Let each kind of trouble blow for a while, close one trade in it, then let it pass."""
    begun = time.monotonic()
    async with open_rig(SEED, look_interval_s=LOOK_S) as rig:
        await rig.start()
        await rig.until_live()
        first = [await rig.post_signal() for _ in STORMS]
        opened = await _until_legs(rig, len(STORMS) * LEGS, SETTLE_LIMIT_S)
        for post, storm in zip(first, STORMS, strict=True):
            await rig.break_broker(storm, times=None, probability=SHARE)
            await rig.reply(post, "Close now")
            for _ in range(SIGNALS_A_STORM):
                await rig.post_signal()
                await asyncio.sleep(STORM_S / SIGNALS_A_STORM)
            await rig.clear_broker()
        calm = time.monotonic()
        settled = await rig.until_settled(SETTLE_LIMIT_S)
        left_open = [post for post in first if await _is_open(rig, post)]
        settle_s = round(time.monotonic() - calm, 2)
        legs = await rig.legs()
        open_intents = await rig.open_intents()
        status = await rig.stop()
        doubled = sum(1 for count in legs.values() if count > 1)
        is_ok = opened and settled and not doubled and not left_open and status == 0
        rig.keep = not is_ok
        return Result(
            ok=is_ok,
            figures={
                "signals": rig.posted,
                "legs_at_broker": len(legs),
                "legs_doubled": doubled,
                "legs_missing": rig.posted * LEGS - len(legs),
                "closes_asked_in_storms": len(first),
                "not_closed": len(left_open),
                "open_intents": open_intents,
                "settled_after_storms_s": settle_s,
                "kept": str(rig.root) if rig.keep else None,
                "total_s": round(time.monotonic() - begun, 1),
            },
        )


async def _until_legs(rig: Rig, wanted: int, limit_s: float) -> bool:
    deadline = time.monotonic() + limit_s
    while time.monotonic() < deadline:
        if len(await rig.legs()) >= wanted:
            return True
        await asyncio.sleep(0.1)
    return False


async def _is_open(rig: Rig, post: Posted) -> bool:
    positions = await rig.positions()
    entries = [one for one in await rig.entries() if post.is_entry(one)]
    return any(entry["positionId"] in positions for entry in entries)
