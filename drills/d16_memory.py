"""D16: a bot that hoards memory, then a process that does: started anew, the others untouched."""

import asyncio
import sys
import time
from collections import Counter
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

from bench.report import Figure, Result
from drills.rig import Rig, open_rig
from drills.telegram_rig import until
from drills.tenants_rig import Tenants, tenants
from signalfleet.domain.accounts.bot_state import BotState

ID: Final = "D16"
TITLE: Final = "a hoarding bot starts anew and is held, a full process ends and is back in 10 s"
SEED: Final = 20_276
HOARD_MB: Final = 8
SWELL_MB: Final = 40
BOT_MB: Final = 50
PROCESS_MB: Final = 420
RECYCLED_S: Final = 30.0
HELD_S: Final = 60.0
BACK_S: Final = 10.0
WORKERS: Final = 2
ENDED_S: Final = 60.0
POST_EVERY_S: Final = 0.7


async def run() -> Result:
    """Let the loud one's bot hoard until it is held, and then a worker that holds it swell."""
    begun = time.monotonic()
    async with open_rig(SEED, look_interval_s=0.5) as rig:
        shared = list(rig.city.facts["channels"].values())
        async with tenants(rig, shared) as all_of:
            one = await _hoard(all_of)
            whole = await _swell(all_of)
        legs = await rig.legs()
        doubled = sum(1 for count in legs.values() if count > 1)
        is_ok = one.pop("ok") is True and whole.pop("ok") is True and doubled == 0
        rig.keep = not is_ok
        return Result(
            ok=is_ok,
            figures={
                **one,
                **whole,
                "legs_doubled": doubled,
                "kept": str(rig.root) if rig.keep else None,
                "total_s": round(time.monotonic() - begun, 1),
            },
        )


async def _hoard(all_of: Tenants) -> dict[str, Figure]:
    rig, loud = all_of.rig, all_of.loud.user
    rig.environment["SIGNALFLEET_DRILL_PLANT"] = f"hoard:{loud}:{HOARD_MB}"
    rig.environment["MAX_MEMORY_PER_BOT_MB"] = str(BOT_MB)
    await rig.start()
    await rig.until_live()

    async def posted_until_recycled() -> bool:
        await rig.post_signal()
        await asyncio.sleep(POST_EVERY_S)
        return all_of.logged("bot_recycled", user_id=loud) > 0

    async def is_held() -> bool:
        return (await all_of.of(loud).bot.status()).state is BotState.QUARANTINED

    recycled_s = await until(posted_until_recycled, RECYCLED_S)
    held_s = await until(is_held, HELD_S)
    others = await all_of.latencies(3, POST_EVERY_S)
    released = await _command(rig, "bots", "release", loud)

    async def is_back() -> bool:
        return not await is_held()

    back_s = await until(is_back, BACK_S)
    told = await all_of.told(loud, "bot_held")
    status = await rig.stop()
    recycles = all_of.logged("bot_recycled", user_id=loud)
    of_others = all_of.logged("bot_recycled") - recycles
    is_ok = None not in (recycled_s, held_s, back_s) and released == told == 1
    return {
        "ok": is_ok and not of_others and not others.missing and status == 0,
        "bot_recycled_s": recycled_s,
        "bot_held_s": held_s,
        "bot_recycles": recycles,
        "others_recycled": of_others,
        "others_orders_missing": others.missing,
        "held_told": told,
        "released_by_command": released == 1,
    }


async def _command(rig: Rig, *words: str) -> int:
    """Run a command of the product beside it; 1 if it succeeded."""
    command = (sys.executable, "-m", "signalfleet.cli", *words)
    process = await asyncio.create_subprocess_exec(*command, env=rig.environment)
    return int(await process.wait() == 0)


async def _swell(all_of: Tenants) -> dict[str, Figure]:
    """Fill the process that has the loud one's bot: its worker ends, the other and the web do not.

    The loud one's trades of before are looked at from the start, so its broker is called.
    """
    rig, loud = all_of.rig, all_of.loud.user
    rig.environment["SIGNALFLEET_DRILL_PLANT"] = f"swell:{loud}:{SWELL_MB}"
    rig.environment["MAX_MEMORY_PER_PROCESS_MB"] = str(PROCESS_MB)
    seen = len(all_of.log())
    await rig.start(role=("--role", "supervisor", "--workers", "2"))
    await rig.until_live()

    def lines(event: str, **facts: object) -> list[dict[str, Any]]:
        wanted = {"event": event, **facts}
        return [line for line in all_of.log()[seen:] if wanted.items() <= line.items()]

    async def has_ended() -> bool:
        return len(lines("child_started", role="worker")) > WORKERS

    async def is_back() -> bool:
        return _back_s(lines) is not None

    ended_s = await until(has_ended, ENDED_S)
    await until(is_back, ENDED_S)
    back_s = _back_s(lines)
    started = Counter((line["role"], line.get("number")) for line in lines("child_started"))
    again = [child for child, times in started.items() if times > 1]
    await _end(rig)
    is_one = len(again) == 1 and again[0][0] == "worker"
    return {
        "ok": ended_s is not None and back_s is not None and back_s <= BACK_S and is_one,
        "process_exhausted": len(lines("process_memory_exhausted")),
        "bots_back_s": back_s,
        "children_started_again": len(again),
    }


async def _end(rig: Rig) -> None:
    """Stop the server; the worker that was started again may be too new to hear of it."""
    try:
        await rig.stop()
    except TimeoutError:
        print(f"{ID} the server did not stop in time and was killed", file=sys.stderr)


def _back_s(lines: Callable[..., list[dict[str, Any]]]) -> float | None:
    """Return how long the bots of the full process were deaf, from its drain until all are live."""
    exhausted = lines("process_memory_exhausted")
    if not exhausted:
        return None
    closed = lines("telegram_link_changed", state="closed")
    users = {line["user_id"]: _at(line) for line in reversed(closed)}
    waits = []
    for user, at in users.items():
        live = lines("telegram_link_changed", state="live", user_id=user)
        back = next((_at(line) for line in live if _at(line) > at), None)
        if back is None:
            return None
        waits.append(back - at)
    return round(max(waits), 1) if waits else None


def _at(line: dict[str, Any]) -> float:
    return datetime.fromisoformat(str(line["timestamp"])).timestamp()
