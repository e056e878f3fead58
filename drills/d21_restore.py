"""D21: a backup is put back. It connects and sends nothing until it is armed, then goes on."""

import asyncio
import time
from contextlib import aclosing
from typing import Final

from bench.report import Figure, Result
from drills.operator import command, visit
from drills.rig import LEGS, Rig, open_rig
from signalfleet.adapters.sql import SqlStore
from signalfleet.bootstrap.backups import folder_of

ID: Final = "D21"
TITLE: Final = "restore from a backup: disarmed, then armed, nothing sent twice"
SEED: Final = 20_281
LIMIT_S: Final = 90.0
WATCH_S: Final = 6.0
MOST_AGE_S: Final = 45
ARM_PAUSE_S: Final = MOST_AGE_S + 12.0
"""How long entries wait after arming: as old as signals may be, and a little for the clocks."""


async def run() -> Result:
    begun = time.monotonic()
    async with open_rig(SEED) as rig:
        await _shorten_age(rig)
        await rig.start()
        await rig.until_live()
        for _ in range(2):
            await rig.post_signal()
        settled = await rig.until_settled(LIMIT_S)
        backed_up = await command(rig, "backup")
        # After the backup: the copy knows nothing of this signal, the broker does.
        await rig.post_signal()
        settled = settled and await rig.until_settled(LIMIT_S)
        await rig.stop()
        legs_before = await rig.legs()
        (backup,) = folder_of(rig.settings).glob("signalfleet-*.db")
        restored = await command(rig, "restore", str(backup))
        quiet = await _disarmed(rig, sum(legs_before.values()))
        armed = await _arm(rig)
        end = await _armed(rig)
        legs = await rig.legs()
        doubled = sum(1 for count in legs.values() if count > 1)
        status = await rig.stop()
        is_ok = (
            settled
            and (backed_up, restored, armed, status) == (0, 0, 0, 0)
            and all(value for name, value in (quiet | end).items() if name.startswith("is_"))
            and doubled == 0
            and not set(legs_before) - set(legs)
        )
        rig.keep = not is_ok
        return Result(
            ok=is_ok,
            figures={
                "exit_statuses": f"{backed_up} {restored} {armed} {status}",
                "signals": rig.posted,
                "legs_before": len(legs_before),
                "legs_at_the_end": len(legs),
                "legs_doubled": doubled,
                **quiet,
                **end,
                "kept": str(rig.root) if rig.keep else None,
                "total_s": round(time.monotonic() - begun, 1),
            },
        )


async def _shorten_age(rig: Rig) -> None:
    """Let signals be old as soon as a user's usually are: entries wait as long after arming."""
    store = await SqlStore.open(rig.settings.database, cell=rig.settings.cell)
    async with aclosing(store):
        documents = store.user(rig.user).settings
        doc, version = await documents.get("user")
        await documents.put("user", {**doc, "max_signal_age": str(MOST_AGE_S)}, version)


async def _disarmed(rig: Rig, legs: int) -> dict[str, Figure]:
    """Run the restored copy as it is while signals are posted, and look at what it does."""
    connects = await _connects(rig)
    await rig.start()
    await _until_serving(rig)
    await rig.post_signal()
    _, page = await visit(rig, "GET", "/")
    refused, _ = await visit(rig, "POST", "/copying/stop")
    await asyncio.sleep(WATCH_S)
    return {
        "is_nothing_sent": sum((await rig.legs()).values()) == legs,
        "is_telegram_untouched": await _connects(rig) == connects,
        "is_banner_shown": "This is a restored copy" in page,
        "is_web_read_only": refused == 503,
    }


async def _until_serving(rig: Rig) -> None:
    async with asyncio.timeout(LIMIT_S):
        while True:
            try:
                rig.address()
            except RuntimeError:
                await asyncio.sleep(0.1)
            else:
                return


async def _arm(rig: Rig) -> int:
    store = await SqlStore.open(rig.settings.database, cell=rig.settings.cell)
    async with aclosing(store):
        installation = await store.fleet.installation()
    words = ("arm", "--i-have-stopped-the-old-one", "--installation", installation)
    return await command(rig, *words)


async def _armed(rig: Rig) -> dict[str, Figure]:
    """See it come up by itself, hold entries for a while, then copy the next signal."""
    begun = time.monotonic()
    await rig.until_live()
    live_s = round(time.monotonic() - begun, 1)
    before = len(await rig.legs())
    await rig.post_signal()
    await asyncio.sleep(1.0)
    early = len(await rig.legs()) - before
    await asyncio.sleep(ARM_PAUSE_S)
    between = len(await rig.legs())
    await rig.post_signal()
    deadline = time.monotonic() + LIMIT_S
    while time.monotonic() < deadline:
        if len(await rig.legs()) >= between + LEGS:
            break
        await asyncio.sleep(0.2)
    return {
        "is_entry_held_after_arming": early == 0,
        "is_copying_again": len(await rig.legs()) == between + LEGS,
        "live_after_arming_s": live_s,
    }


async def _connects(rig: Rig) -> int:
    """Count the connections that Telegram has seen."""
    return int((await rig.city.ask("GET", "/telegram/violations"))["connects"])
