"""D3: the broker says that it failed and carries the order out later, after our first looks."""

import asyncio
import time
from typing import Final

from bench.report import Result
from drills.rig import LEGS, open_rig

ID: Final = "D3"
TITLE: Final = "order executed up to 1.4 s after a 504, within the time in flight: still one order"
SEED: Final = 20_263
SIGNALS: Final = 16
LATE_S: Final = (0.0, 1.4)
"""The drill's windows: in flight 1.5 s, settled after 2 s. The simulation plays the live ones."""
SETTLE_LIMIT_S: Final = 30.0


async def run() -> Result:
    """Answer each order with a 504 and execute it after a while."""
    begun = time.monotonic()
    async with open_rig(SEED) as rig:
        await rig.start()
        await rig.until_live()
        fault = {"kind": "answer_504_then_execute_after", "s": list(LATE_S)}
        for _ in range(SIGNALS):
            await rig.break_broker(fault, route="trade", times=LEGS)
            await rig.post_signal()
            await asyncio.sleep(0.4)
        settled = await rig.until_settled(SETTLE_LIMIT_S)
        # A second attempt after a wrong proof of absence would come now.
        await asyncio.sleep(3.0)
        legs = await rig.legs()
        struck = await rig.faults_struck()
        open_intents = await rig.open_intents()
        status = await rig.stop()
        doubled = sum(1 for count in legs.values() if count > 1)
        missing = rig.posted * LEGS - len(legs)
        is_ok = settled and doubled == 0 and missing == 0 and open_intents == 0 and status == 0
        rig.keep = not is_ok
        return Result(
            ok=is_ok,
            figures={
                "signals": rig.posted,
                "answers_late": struck,
                "legs_at_broker": len(legs),
                "legs_doubled": doubled,
                "legs_missing": missing,
                "open_intents": open_intents,
                "kept": str(rig.root) if rig.keep else None,
                "total_s": round(time.monotonic() - begun, 1),
            },
        )
