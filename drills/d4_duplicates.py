"""D4: messages arrive several times: as live updates, by repair, and again after reconnects."""

import asyncio
import time
from typing import Final

from bench.report import Result
from drills.rig import LEGS, open_rig

ID: Final = "D4"
TITLE: Final = "every update sent 2 to 5 times, connections cut, process restarted: one order a leg"
SEED: Final = 20_264
SIGNALS: Final = 15
CUT_EVERY: Final = 5
SETTLE_LIMIT_S: Final = 30.0


async def run() -> Result:
    """Run the drill with its usual number of signals."""
    return await repeat_updates(signals=SIGNALS, seed=SEED)


async def repeat_updates(*, signals: int, seed: int) -> Result:
    """Send each update several times, cut connections so that catch-up overlaps, restart once."""
    begun = time.monotonic()
    async with open_rig(seed) as rig:
        await rig.start()
        await rig.until_live()
        for number in range(signals):
            await rig.break_telegram({"fault": "repeat_updates", "count": rig.rng.randint(1, 4)})
            await rig.post_signal()
            if number % CUT_EVERY == CUT_EVERY - 1:
                await rig.break_telegram({"fault": "cut", "phone": rig.city.text("phone")})
            if number == signals // 2:
                await rig.kill()
                await rig.start()
            await asyncio.sleep(rig.rng.uniform(0.05, 0.3))
        settled = await rig.until_settled(SETTLE_LIMIT_S)
        await asyncio.sleep(1.0)
        legs = await rig.legs()
        open_intents = await rig.open_intents()
        status = await rig.stop()
        doubled = sum(1 for count in legs.values() if count > 1)
        missing = rig.posted * LEGS - len(legs)
        extra = max(len(legs) - rig.posted * LEGS, 0)
        is_ok = settled and doubled == extra == missing == open_intents == status == 0
        rig.keep = not is_ok
        return Result(
            ok=is_ok,
            figures={
                "signals": rig.posted,
                "legs_at_broker": len(legs),
                "legs_doubled": doubled,
                "legs_beyond_signals": extra,
                "legs_missing": max(missing, 0),
                "open_intents": open_intents,
                "kept": str(rig.root) if rig.keep else None,
                "total_s": round(time.monotonic() - begun, 1),
            },
        )
