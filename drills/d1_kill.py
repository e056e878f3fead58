"""D1: the process is killed again and again while signals arrive."""

import asyncio
import sys
import time
from typing import Final

from bench.report import Result
from drills.rig import Rig, open_rig

ID: Final = "D1"
TITLE: Final = "kill -9 at random moments and at chosen steps: no leg twice, none lost"
KILLS: Final = 100
LEAST_SIGNALS: Final = 200
SEED: Final = 20_261
POST_EVERY_S: Final = (0.2, 0.8)
BACKLOG: Final = 8
"""No more are posted beyond what the broker has seen: a killed process decides in its own time."""
LIFE_S: Final = (0.1, 1.8)
"""From the start of the process, or every other time from its first reading."""
SETTLE_LIMIT_S: Final = 60.0
"""Without any step forward."""
LIMIT_S: Final = 1800.0
POINT_LIMIT_S: Final = 30
MOVES_WITHIN_S: Final = 20.0
POINTS_IN_A_ROW: Final = 3
"""Then a life without a kill: most points come before an order leaves, and attempts are counted."""
PROGRESS_EVERY: Final = 10
CALLS: Final = (
    *("inbox.add", "inbox.unread", "inbox.revisions"),
    *("journal.decide", "journal.settle", "journal.open_intents", "journal.live_trades"),
    *("journal.intents_of_trades", "journal.trades_of_signals"),
    *("journal.copies_of_signals", "journal.recent_signals", "journal.signals_of_message"),
    *("broker.submit", "broker.snapshot", "broker.account", "broker.instrument", "broker.quote"),
)
"""Everything that is awaited between a message and its settled order, as nothing is over then."""
LATER: Final = (
    *("broker.submit:before:2", "broker.submit:after:2", "broker.submit:after:3"),
    *("journal.settle:before:2", "journal.settle:after:2", "journal.settle:before:3"),
    *("journal.decide:after:2", "broker.snapshot:after:2", "broker.snapshot:before:3"),
)
"""Where the second time is another moment: the second leg, the look after the first answer."""
POINTS: Final = (*(f"{call}:{side}:1" for call in CALLS for side in ("before", "after")), *LATER)
SHORT_POINTS: Final = ("journal.decide:after:1", "broker.submit:after:1", "journal.settle:before:1")


async def run() -> Result:
    """Run the drill with its usual number of kills: about ten minutes on two cores."""
    return await kill_often(kills=KILLS, points=POINTS, seed=SEED, least_signals=LEAST_SIGNALS)


async def kill_often(
    *, kills: int, points: tuple[str, ...], seed: int, least_signals: int = 1
) -> Result:
    """Kill at random moments, then once at each point, and compare with the broker's books."""
    begun = time.monotonic()
    async with open_rig(seed) as rig:
        # A channel's reading starts at its newest message when it is first connected.
        await rig.start()
        await rig.until_live()
        killed = await _kill_at_random(rig, kills, least_signals - len(points), begun)
        await rig.kill()
        reached = 0
        for number, point in enumerate(points, 1):
            await rig.start(crash=point)
            is_reached = await _post_until_dead(rig)
            reached += is_reached
            _say(f"{point} {'reached' if is_reached else 'NOT REACHED'}", begun)
            if number % POINTS_IN_A_ROW == 0:
                await rig.start()
                await rig.until_settled(SETTLE_LIMIT_S, while_moving=True)
                await rig.kill()
        await rig.start()
        recovery = time.monotonic()
        backlog = await rig.backlog()
        settled = await rig.until_settled(SETTLE_LIMIT_S, while_moving=True)
        recovery_s = round(time.monotonic() - recovery, 2)
        legs = await rig.legs()
        open_intents = await rig.open_intents()
        # Everything may be settled before the process has come so far as to stop in order.
        await rig.until_live()
        status = await rig.stop()
        doubled = sum(1 for count in legs.values() if count > 1)
        # Attempts that died before they left are made again while the signal is fresh.
        given_up = await rig.given_up()
        missing = rig.wanted - len(legs) - given_up
        is_whole = rig.posted >= least_signals and reached == len(points)
        is_right = doubled == missing == given_up == open_intents == 0
        is_ok = settled and is_whole and is_right and status == 0
        rig.keep = not is_ok
        return Result(
            ok=is_ok,
            figures={
                "seed": seed,
                "signals": rig.posted,
                "kills": killed + reached,
                "points_reached": reached,
                "points": len(points),
                "legs_at_broker": len(legs),
                "legs_doubled": doubled,
                "legs_missing": missing,
                "legs_given_up": given_up,
                "open_intents": open_intents,
                "backlog_at_the_end": backlog,
                "recovery_s": recovery_s,
                "exit_status_at_the_end": status,
                "kept": str(rig.root) if rig.keep else None,
                "total_s": round(time.monotonic() - begun, 1),
            },
        )


def _say(text: str, begun: float) -> None:
    """Show where the drill is: it takes minutes."""
    print(f"{ID} {time.monotonic() - begun:6.1f} s: {text}", file=sys.stderr, flush=True)


async def _kill_at_random(rig: Rig, kills: int, least_signals: int, begun: float) -> int:
    """Kill so often, and on until so many signals are posted; return how often."""
    killed = 0
    while killed < kills or (rig.posted < least_signals and time.monotonic() - begun < LIMIT_S):
        if killed % 2:
            await rig.until_live()
        await _until_it_moves(rig)
        await _post_for(rig, rig.rng.uniform(*LIFE_S))
        await rig.kill()
        await rig.start()
        killed += 1
        if killed % PROGRESS_EVERY == 0:
            legs = len(await rig.legs())
            _say(f"{killed} kills, {rig.posted} signals, {legs} legs at the broker", begun)
    return killed


async def _until_it_moves(rig: Rig) -> None:
    """With a full backlog let it come to work first: who dies at each start decides nothing."""
    deadline = time.monotonic() + MOVES_WITHIN_S
    before = await rig.backlog()
    while before >= BACKLOG and time.monotonic() < deadline:
        if await rig.backlog() < before:
            return
        await asyncio.sleep(0.1)


async def _post_for(rig: Rig, seconds: float) -> None:
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        if await rig.backlog() < BACKLOG:
            await rig.post_signal()
        await asyncio.sleep(min(left, rig.rng.uniform(*POST_EVERY_S)))


async def _post_until_dead(rig: Rig) -> bool:
    """Post until the product has killed itself; False if it never came to its point."""
    process = rig.process
    if process is None:
        return False
    for _ in range(POINT_LIMIT_S):
        if await rig.backlog() < BACKLOG:
            await rig.post_signal()
        try:
            async with asyncio.timeout(1.0):
                await process.wait()
        except TimeoutError:
            continue
        rig.process = None
        return True
    await rig.kill()
    return False
