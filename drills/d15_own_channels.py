"""D15O: one channel of a user floods; closes in the other channels of his must not wait for it.

Once with more messages than a bot takes in, and once with texts that take long to read, so that the
bot has used up its share of the processor.
"""

import asyncio
import time
from collections.abc import Sequence
from typing import Final

from bench.report import Figure, Result
from drills.posts import Posted
from drills.rig import LEGS, open_rig
from drills.telegram_rig import positions, until
from drills.tenants_rig import Tenants, flood, tenants
from signalfleet.bootstrap.plants import BURN
from signalfleet.domain.accounts.bot_state import BotState

ID: Final = "D15O"
TITLE: Final = "a close in a calm channel while another channel of the same user floods"
SEED: Final = 20_276
FLOODS: Final = {"many": "good morning", "heavy": f"good evening {BURN}"}
FLOOD_PER_S: Final = 40.0
"""Twice what a bot takes in, and less than is read from one connection: behind more than that all
that Telegram sends stands in one line."""
TRADES: Final = 3
APART_S: Final = 8.0
"""Time for the flood to fill what stands between Telegram and the bot's decisions."""
OPENED_S: Final = 30.0
SLOWED_S: Final = 60.0
CLOSED_S: Final = 60.0
LIMIT_S: Final = 5.0


async def run() -> Result:
    """Open trades, flood the user's other channel, answer the signals, and time the closes."""
    begun = time.monotonic()
    rigged = open_rig(SEED, broker_apart=True)
    async with rigged as rig, tenants(rig, [*rig.city.facts["channels"].values()]) as all_of:
        rig.environment["SIGNALFLEET_DRILL_PLANT"] = "poison"
        await rig.start()
        await rig.until_live()
        figures: dict[str, Figure] = {}
        is_ok = True
        for name, text in FLOODS.items():
            await until(lambda: _is_in(all_of, BotState.RUNNING), SLOWED_S)
            posts = [await rig.post_signal() for _ in range(TRADES)]
            opened = await _until_legs(all_of, posts, LEGS, OPENED_S)
            async with flood(all_of, all_of.noise, text, FLOOD_PER_S):
                slowed = await until(lambda: _is_in(all_of, BotState.THROTTLED), SLOWED_S)
                closed = [await _close(all_of, post) for post in posts]
            is_ok = is_ok and None not in (opened, slowed)
            is_ok = is_ok and all(one is not None and one <= LIMIT_S for one in closed)
            figures[f"{name}_slowed_down_after_s"] = slowed
            figures |= {f"{name}_closed_{n}_s": one for n, one in enumerate(closed, start=1)}
        status = await rig.stop()
        legs = await rig.legs()
        doubled = sum(1 for count in legs.values() if count > 1)
        is_ok = is_ok and status == 0 and not doubled
        rig.keep = not is_ok
        figures |= {
            "legs_doubled": doubled,
            "kept": str(rig.root) if rig.keep else None,
            "total_s": round(time.monotonic() - begun, 1),
        }
        return Result(ok=is_ok, figures=figures)


async def _is_in(all_of: Tenants, state: BotState) -> bool:
    return (await all_of.of(all_of.loud.user).bot.status()).state is state


async def _close(all_of: Tenants, post: Posted) -> float | None:
    """Answer a signal after a while of flood; return when all of it was closed, None if never."""
    await asyncio.sleep(APART_S)
    await all_of.rig.reply(post, "Close now")
    return await _until_legs(all_of, [post], 0, CLOSED_S)


async def _until_legs(
    all_of: Tenants, posts: Sequence[Posted], legs: int, limit_s: float
) -> float | None:
    async def are_there() -> bool:
        held = await positions(all_of.rig, all_of.loud.account)
        return all(sum(map(post.is_entry, held)) == legs for post in posts)

    return await until(are_there, limit_s)
