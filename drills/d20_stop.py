"""D20: Stop is pressed in the middle of a burst of signals."""

import asyncio
import time
from typing import Final

from bench.report import Result
from drills.rig import LEGS, open_rig

ID: Final = "D20"
TITLE: Final = "Stop during a burst: no entry reaches the broker more than 1 s after the press"
SEED: Final = 20_280
BURST: Final = 40
POST_EVERY_S: Final = 0.1
LISTEN_S: Final = 4.0
LIMIT_S: Final = 1.0


async def run() -> Result:
    """Press Stop at a random moment of a burst and see when the last entry was received."""
    begun = time.monotonic()
    async with open_rig(SEED) as rig:
        await rig.start()
        await rig.until_live()
        press_at = rig.rng.randint(BURST // 4, BURST // 2)
        pressed = 0.0
        for number in range(BURST):
            if number == press_at:
                pressed = await rig.press_stop()
            await rig.post_signal()
            await asyncio.sleep(POST_EVERY_S)
        await asyncio.sleep(LISTEN_S)
        entries = await rig.entries()
        before = [one for one in entries if float(one["receivedAt"]) <= pressed]
        late = [float(one["receivedAt"]) - pressed for one in entries]
        last = max(late, default=-1.0)
        positions = len(await rig.positions())
        status = await rig.stop()
        is_ok = last <= LIMIT_S and 0 < len(entries) < BURST * LEGS and status == 0
        is_ok = is_ok and positions == len(entries)
        rig.keep = not is_ok
        return Result(
            ok=is_ok,
            figures={
                "signals": rig.posted,
                "pressed_before_signal": press_at + 1,
                "entries_before": len(before),
                "entries_after": len(entries) - len(before),
                "last_entry_after_press_s": round(last, 3),
                "positions_left_open": positions,
                "kept": str(rig.root) if rig.keep else None,
                "total_s": round(time.monotonic() - begun, 1),
            },
        )
