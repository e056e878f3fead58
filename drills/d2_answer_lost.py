"""D2: the broker carries an order out and its answer never arrives."""

import asyncio
import time
from typing import Final

from bench.report import Result
from drills.rig import LEGS, open_rig

ID: Final = "D2"
TITLE: Final = (
    "order executed, answer lost by hang, reset or 504: found by looking, never sent again"
)
SEED: Final = 20_262
FAULTS: Final[tuple[str | dict[str, object], ...]] = (
    {"kind": "execute_then_hang", "s": 2.0},
    "execute_then_reset",
    "execute_then_504",
)
SIGNALS: Final = 12
POST_EVERY_S: Final = 0.3
SETTLE_LIMIT_S: Final = 25.0


async def run() -> Result:
    """Run the drill with its usual number of signals."""
    return await lose_answers(signals=SIGNALS, seed=SEED)


async def lose_answers(*, signals: int, seed: int) -> Result:
    """Lose the answer of every order, in three ways, and count the broker's openings by leg."""
    begun = time.monotonic()
    async with open_rig(seed) as rig:
        await rig.start()
        await rig.until_live()
        for number in range(signals):
            fault = FAULTS[number % len(FAULTS)]
            await rig.break_broker(fault, route="trade", times=LEGS)
            await rig.post_signal()
            await asyncio.sleep(POST_EVERY_S)
        last = time.monotonic()
        settled = await rig.until_settled(SETTLE_LIMIT_S)
        settle_s = round(time.monotonic() - last, 2)
        legs = await rig.legs()
        struck = await rig.faults_struck()
        open_intents = await rig.open_intents()
        status = await rig.stop()
        doubled = sum(1 for count in legs.values() if count > 1)
        missing = rig.posted * LEGS - len(legs)
        is_ok = settled and doubled == 0 and missing == 0 and open_intents == 0 and status == 0
        is_ok = is_ok and struck >= signals * LEGS * 2 // 3
        rig.keep = not is_ok
        return Result(
            ok=is_ok,
            figures={
                "signals": rig.posted,
                "answers_lost": struck,
                "legs_at_broker": len(legs),
                "legs_doubled": doubled,
                "legs_missing": missing,
                "open_intents": open_intents,
                "settled_after_last_s": settle_s,
                "kept": str(rig.root) if rig.keep else None,
                "total_s": round(time.monotonic() - begun, 1),
            },
        )
