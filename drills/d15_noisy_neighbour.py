"""D15: one tenant floods with texts that take long to read; the others must not feel it.

They are measured before it and after it, for what they have traded by then makes each signal of
theirs a little dearer. While it is calm, the same flood is posted where nobody reads it: what it
takes of the machine to post five hundred messages a second is no fault of the product.
"""

import time
from typing import Final

from bench.report import Result
from drills.rig import open_rig
from drills.telegram_rig import until
from drills.tenants_rig import Latencies, Tenants, flood, is_not_worse, tenants
from signalfleet.bootstrap.plants import BURN
from signalfleet.domain.accounts.bot_state import BotState
from signalfleet.domain.ids import UserId

ID: Final = "D15"
TITLE: Final = "500 messages a second and a bot that burns: slowed down and told, others unharmed"
SEED: Final = 20_275
SIGNALS: Final = 110
"""Each is four orders: so many that one late signal alone is not the p99."""
EVERY_S: Final = 1.0
"""Half as long, and the others alone, with all their looks and closes, keep half a core busy."""
FLOOD_PER_S: Final = 500
LIMIT_PERCENT: Final = "10"
"""The others trade more in this minute than in a week of theirs."""
NOISE: Final = f"what a day, what a market, see you at noon {BURN}"


async def run() -> Result:
    """Measure the others on a calm process, with a flood and a burning bot, and calm once more."""
    begun = time.monotonic()
    rigged = open_rig(SEED, look_interval_s=1.0, broker_apart=True)
    async with rigged as rig, tenants(rig) as all_of:
        rig.environment["MAX_CPU_PER_BOT_PERCENT"] = LIMIT_PERCENT
        empty = await all_of.empty_channel()
        others, loud_one = (rig.user, all_of.quiet.user), all_of.loud.user
        before = await _calm(all_of, empty, *others, loud_one)
        rig.environment["SIGNALFLEET_DRILL_PLANT"] = "poison"
        await _start(all_of, *others, loud_one)
        async with flood(all_of, all_of.noise, NOISE, FLOOD_PER_S) as flooded:
            loud = await all_of.latencies(SIGNALS, EVERY_S)
            throttled_after = await until(lambda: _is_throttled(all_of), 20.0)
        status = await rig.stop()
        del rig.environment["SIGNALFLEET_DRILL_PLANT"]
        await all_of.of(loud_one).bot.set_wish(on=False, by="drill")
        calm = before.with_those_of(await _calm(all_of, empty, *others))
        told = await all_of.told(loud_one, "bot_throttled")
        legs = await rig.legs()
        doubled = sum(1 for count in legs.values() if count > 1)
        was_slowed = all_of.logged("bot_throttled", user_id=loud_one) > 0
        slowed = all_of.logged("bot_throttled")
        others_slowed = slowed - all_of.logged("bot_throttled", user_id=loud_one)
        is_ok = (
            is_not_worse(calm, loud)
            and not (calm.missing or loud.missing or doubled or others_slowed)
            and was_slowed
            and told == 1
            and status == 0
        )
        rig.keep = not is_ok
        return Result(
            ok=is_ok,
            figures={
                **calm.figures("calm"),
                **loud.figures("loud"),
                "p99_ratio": round(loud.at(0.99) / calm.at(0.99), 2),
                "flood_messages": flooded[0],
                "offender_throttled": was_slowed,
                "offender_throttled_seen_s": throttled_after,
                "offender_told": told,
                "others_throttled": others_slowed,
                "slow_steps": all_of.logged("slow_step"),
                "legs_doubled": doubled,
                "kept": str(rig.root) if rig.keep else None,
                "total_s": round(time.monotonic() - begun, 1),
            },
        )


async def _calm(all_of: Tenants, empty: int, *users: UserId) -> Latencies:
    """Measure a product without a loud tenant, on a machine that has as much to post."""
    await _start(all_of, *users)
    async with flood(all_of, empty, NOISE, FLOOD_PER_S):
        found = await all_of.latencies(SIGNALS, EVERY_S)
    await all_of.rig.stop()
    return found


async def _start(all_of: Tenants, *users: UserId) -> None:
    """Start the product; return when the bots of these users run and have traded a little."""
    await all_of.rig.start()
    await all_of.rig.until_live()
    await _until_running(all_of, *users)
    await all_of.latencies(4, EVERY_S)


async def _until_running(all_of: Tenants, *users: UserId) -> None:
    async def all_run() -> bool:
        states = [(await all_of.of(user).bot.status()).state for user in users]
        return all(state in (BotState.RUNNING, BotState.THROTTLED) for state in states)

    await until(all_run, 30.0)


async def _is_throttled(all_of: Tenants) -> bool:
    return (await all_of.of(all_of.loud.user).bot.status()).state is BotState.THROTTLED
