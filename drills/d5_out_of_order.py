"""D5: edits, follow-ups and deletions that come before, while or after the entry is made."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final

from bench.report import Result
from drills.posts import Posted
from drills.rig import LEGS, Rig, open_rig

ID: Final = "D5"
TITLE: Final = (
    "edit at once, stop to entry before the fill, delete after it, side flipped: one entry"
)
SEED: Final = 20_265
ROUNDS: Final = 2
LIMIT_S: Final = 15.0
LOOK_S: Final = 5.0
SETTLED_S: Final = 0.7
SLOW_ANSWER: Final[dict[str, object]] = {"kind": "delay", "s": 1.0}


async def run() -> Result:
    """Play each disorder several times and compare the broker's books with what is meant."""
    begun = time.monotonic()
    async with open_rig(SEED, look_interval_s=LOOK_S) as rig:
        await rig.start()
        await rig.until_live()
        wrong: Counter[str] = Counter()
        plays = {
            "edit_at_once": _edit_at_once,
            "break_even_before_fill": _break_even_before_fill,
            "delete_after_fill": _delete_after_fill,
            "side_flipped": _side_flipped,
            "close_before_fill": _close_before_fill,
        }
        for _ in range(ROUNDS):
            for name, play in plays.items():
                wrong[name] += not await play(rig)
        open_intents = await rig.open_intents()
        doubled = sum(1 for count in (await rig.legs()).values() if count > 1)
        entries = len(await rig.entries())
        status = await rig.stop()
        is_ok = not wrong.total() and not doubled and not open_intents
        is_ok = is_ok and entries == rig.posted * LEGS and status == 0
        rig.keep = not is_ok
        return Result(
            ok=is_ok,
            figures={
                "rounds": ROUNDS,
                **{f"wrong_{name}": wrong[name] for name in plays},
                "entries": entries,
                "entries_wanted": rig.posted * LEGS,
                "legs_doubled": doubled,
                "open_intents": open_intents,
                "kept": str(rig.root) if rig.keep else None,
                "total_s": round(time.monotonic() - begun, 1),
            },
        )


async def _edit_at_once(rig: Rig) -> bool:
    """The edit comes beside the original: one entry, with the edit's stop in the end."""
    post = await rig.post_signal()
    stop = post.tighter_stop()
    await rig.edit(post, post.text_with(stop))
    return await _until(rig, post, lambda held: _stops(held) == {Decimal(stop)})


async def _break_even_before_fill(rig: Rig) -> bool:
    """The order is on its way when its stop is to move: it is opened once and keeps a stop."""
    await rig.break_broker(SLOW_ANSWER, route="trade", times=LEGS)
    post = await rig.post_signal()
    await rig.reply(post, "SL to BE")
    # Where the price is against the trade, the stop cannot go to the entry and stays as it was.
    return await _until(rig, post, lambda held: None not in _stops(held))


async def _delete_after_fill(rig: Rig) -> bool:
    """A deletion leaves an open position with its stop."""
    post = await rig.post_signal()
    await _until(rig, post, lambda _: True)
    await rig.delete(post)
    await asyncio.sleep(SETTLED_S)
    return await _until(rig, post, lambda held: _stops(held) == {Decimal(post.stop)})


async def _side_flipped(rig: Rig) -> bool:
    """An edit that turns the side opens nothing; what was entered first stays."""
    post = await rig.post_signal()
    await _until(rig, post, lambda _: True)
    await rig.edit(post, post.flipped.text)
    await asyncio.sleep(SETTLED_S)
    turned = [one for one in await rig.entries() if post.flipped.is_entry(one)]
    return not turned and await _until(rig, post, lambda _: True)


async def _close_before_fill(rig: Rig) -> bool:
    """The order is on its way when it is to be closed: it is opened once and then closed."""
    await rig.break_broker(SLOW_ANSWER, route="trade", times=LEGS)
    post = await rig.post_signal()
    await rig.reply(post, "Close now")
    return await _until(rig, post, lambda held: not held, open_legs=0)


async def _until(
    rig: Rig,
    post: Posted,
    holds: Callable[[list[dict[str, Any]]], bool],
    *,
    open_legs: int = LEGS,
) -> bool:
    """Wait until the signal has its entries and what is open of them is as it must be."""
    deadline = time.monotonic() + LIMIT_S
    while time.monotonic() < deadline:
        entries = [one for one in await rig.entries() if post.is_entry(one)]
        positions = await rig.positions()
        held = [positions[e["positionId"]] for e in entries if e["positionId"] in positions]
        if len(entries) == LEGS and len(held) == open_legs and holds(held):
            return True
        await asyncio.sleep(0.2)
    return False


def _stops(held: list[dict[str, Any]]) -> set[Decimal | None]:
    found = (position.get("stopLoss") for position in held)
    return {None if stop is None else Decimal(str(stop)) for stop in found}
