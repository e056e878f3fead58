"""D6, Telegram's half: however a process ends or stalls, a key is never used by two sockets."""

import asyncio
import os
import signal
import time
from typing import Final

from bench.report import Result
from drills.rig import Rig, open_rig
from drills.telegram_rig import Books, connects, people, until, violations
from signalfleet.adapters.sql import SqlStore
from signalfleet.domain.accounts.bot_state import BotState

ID: Final = "D6T"
TITLE: Final = "restart, drain, crash, stall, second worker: never two sockets on one Telegram key"
SEED: Final = 20_266
TURNS: Final = 2
STALL_S: Final = 4.0
LIMIT_S: Final = 60.0


async def run() -> Result:
    """End the product in every way and start it at once; a second socket would kill the key."""
    begun = time.monotonic()
    async with open_rig(SEED) as rig:
        await rig.break_telegram({"fault": "second_connection", "policy": "kill_key"})
        handed_over = [await _drain(rig) for _ in range(TURNS)]
        crashed = [await _crash(rig) for _ in range(TURNS)]
        stalled = await _stall(rig)
        refused = await _second_worker(rig)
        lives = await _is_alive(rig)
        wrong = await violations(rig)
        made = await connects(rig)
        status = await rig.stop()
        gone_s = await until(lambda: _no_socket(rig), LIMIT_S)
        is_ok = (
            None not in (*handed_over, *crashed, stalled, gone_s)
            and refused
            and lives
            and not wrong
            and status == 0
        )
        rig.keep = not is_ok
        return Result(
            ok=is_ok,
            figures={
                "back_after_drain_s": _worst(handed_over),
                "back_after_crash_s": _worst(crashed),
                "back_after_stall_s": stalled,
                "second_worker_refused": refused,
                "session_alive_at_the_end": lives,
                "connects": made,
                "violations": "; ".join(wrong) or None,
                "exit_status_at_the_end": status,
                "kept": str(rig.root) if rig.keep else None,
                "total_s": round(time.monotonic() - begun, 1),
            },
        )


async def _drain(rig: Rig) -> float | None:
    """Stop in good order and start at once."""
    await rig.stop()
    await rig.start()
    return await until(lambda: _listens(rig), LIMIT_S)


async def _crash(rig: Rig) -> float | None:
    await rig.kill()
    await rig.start()
    return await until(lambda: _listens(rig), LIMIT_S)


async def _stall(rig: Rig) -> float | None:
    """Freeze the process for longer than a lease lasts, then let it go on."""
    process = rig.process
    if process is None:
        return None
    os.kill(process.pid, signal.SIGSTOP)
    await asyncio.sleep(STALL_S)
    os.kill(process.pid, signal.SIGCONT)
    return await until(lambda: _listens(rig), LIMIT_S)


async def _second_worker(rig: Rig) -> bool:
    """Start a second product on the same data while the first is frozen; it must refuse."""
    first = rig.process
    if first is None:
        return False
    os.kill(first.pid, signal.SIGSTOP)
    await rig.start()
    second, rig.process = rig.process, first
    try:
        async with asyncio.timeout(LIMIT_S):
            refused = second is not None and await second.wait() != 0
    except TimeoutError:
        refused = False
        if second is not None:
            second.kill()
            await second.wait()
    os.kill(first.pid, signal.SIGCONT)
    return refused


async def _listens(rig: Rig) -> bool:
    return bool((await people(rig))[rig.city.text("phone")]["listening"] == 1)


async def _no_socket(rig: Rig) -> bool:
    return bool((await people(rig))[rig.city.text("phone")]["sockets"] == 0)


async def _is_alive(rig: Rig) -> bool:
    store = await SqlStore.open(rig.settings.database, cell=rig.settings.cell)
    try:
        books = Books(store)
        took = await until(lambda: books.is_in(BotState.RUNNING, rig.user), LIMIT_S)
        return took is not None and await _listens(rig)
    finally:
        await store.aclose()


def _worst(seconds: list[float | None]) -> float | None:
    found = [one for one in seconds if one is not None]
    return max(found) if len(found) == len(seconds) else None
