"""D14: texts that break the reading: set aside at the first try, and nothing else stops."""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Final

from bench.report import Result
from drills.rig import LEGS, open_rig
from drills.telegram_rig import until
from drills.tenants_rig import Latencies, Tenants, is_not_worse, tenants
from signalfleet.bootstrap.plants import RAISE, RECURSION
from signalfleet.domain.ids import ChannelId, MessageId
from signalfleet.ports.inbox import MessageState, StoredMessage

ID: Final = "D14"
TITLE: Final = "poison: a reading that raises or never ends, 1 MiB of text; set aside after one try"
SEED: Final = 20_274
ROUNDS: Final = 4
SIGNALS: Final = 55
"""In each round, calm and beside the poison; an order of each of two legs on two accounts. Of all
rounds together the 99th in a hundred is slower than two late signals: a disk that stands still for
a moment is no neighbour's fault."""
EVERY_S: Final = 0.5
MIB: Final = 2**20
POISONS: Final = (
    f"BUY GOLD 2350 SL 2340 TP 2360 {RAISE}",
    f"BUY GOLD 2350 SL 2340 TP 2360 {RECURSION}",
)
LONG: Final = ("BUY GOLD 2350 SL 2340 TP 2360\n" * (MIB // 30 + 1))[:MIB]
"""Of a text only so much is read as Telegram allows, and this much of it is no signal."""
POISON_S: Final = 0.7
"""Between two of them: they meet the signals in every way, as a channel that is ill posts."""
SET_ASIDE_S: Final = 20.0


@dataclass(slots=True, kw_only=True)
class Seen:
    """What the others waited, and the ids of what was posted to break the reading, or is long."""

    calm: Latencies = field(default_factory=Latencies)
    beside: Latencies = field(default_factory=Latencies)
    posted: list[int] = field(default_factory=list)
    long: list[int] = field(default_factory=list)


async def run() -> Result:
    """Measure the others beside the poison and without it; look at what became of each text."""
    begun = time.monotonic()
    async with open_rig(SEED, broker_apart=True) as rig:
        shared = next(iter(rig.city.facts["channels"].values()))
        async with tenants(rig, [shared]) as all_of:
            rig.environment["SIGNALFLEET_DRILL_PLANT"] = "poison"
            await rig.start()
            await rig.until_live()
            await all_of.latencies(6, EVERY_S)
            seen = await _measured(all_of)
            aside_s = await until(lambda: _all_aside(all_of, seen), SET_ASIDE_S)
            stored = [one for number in seen.posted for one in await _stored(all_of, number)]
            victims_orders = await _orders(all_of, all_of.loud.account)
            legs = await rig.legs()
            status = await rig.stop()
        tries = all_of.logged("message_quarantined")
        crashes = all_of.logged("bot_crashed")
        doubled = sum(1 for count in legs.values() if count > 1)
        missing = seen.calm.missing + seen.beside.missing
        reasons = sorted({str(one.reason) for one in stored})
        is_ok = (
            aside_s is not None
            and tries == len(seen.posted)
            and not (crashes or doubled or missing)
            and victims_orders > 0
            and is_not_worse(seen.calm, seen.beside)
            and status == 0
        )
        rig.keep = not is_ok
        return Result(
            ok=is_ok,
            figures={
                "poisons": len(seen.posted),
                "texts_of_a_mebibyte": len(seen.long),
                "set_aside": sum(one.state is MessageState.QUARANTINED for one in stored),
                "set_aside_s": aside_s,
                "tries": tries,
                "reasons": " ".join(reasons),
                "crashes": crashes,
                **seen.calm.figures("calm"),
                **seen.beside.figures("beside"),
                "p99_ratio": round(seen.beside.at(0.99) / seen.calm.at(0.99), 2),
                "victims_orders": victims_orders,
                "legs_doubled": doubled,
                "kept": str(rig.root) if rig.keep else None,
                "total_s": round(time.monotonic() - begun, 1),
            },
        )


async def _measured(all_of: Tenants) -> Seen:
    """Measure the others in turns, without the poison and beside it.

    While it is calm, the same texts are posted where nobody reads them: what it costs this machine
    to post them is not the neighbour's doing. Nor is what the others have traded by then, which
    makes each signal of theirs a little dearer, nor how fast the machine is just then: so it is
    calm and not, turn by turn.
    """
    empty, seen = await all_of.empty_channel(), Seen()
    for _ in range(ROUNDS):
        async with _poisoning(all_of, empty):
            seen.calm = seen.calm.with_those_of(await all_of.latencies(SIGNALS, EVERY_S))
        async with _poisoning(all_of, all_of.noise) as (posted, long):
            seen.beside = seen.beside.with_those_of(await all_of.latencies(SIGNALS, EVERY_S))
        seen.posted += posted
        seen.long += long
    return seen


@asynccontextmanager
async def _poisoning(all_of: Tenants, channel: int) -> AsyncIterator[tuple[list[int], list[int]]]:
    """Post poison beside the signals; the ids of what breaks the reading, and of what is long."""
    posted: list[int] = []
    long: list[int] = []
    over = asyncio.Event()

    async def pour() -> None:
        for text in itertools.cycle((*POISONS, LONG)):
            number = await all_of.noise_of(text, channel=channel)
            (long if text is LONG else posted).append(number)
            with suppress(TimeoutError):
                async with asyncio.timeout(POISON_S):
                    await over.wait()
            if over.is_set():
                return

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(pour())
        yield posted, long
        over.set()  # What is being posted is still counted.


async def _stored(all_of: Tenants, number: int) -> tuple[StoredMessage, ...]:
    inbox = all_of.of(all_of.loud.user).inbox
    return await inbox.revisions(ChannelId(all_of.noise), MessageId(number))


async def _all_aside(all_of: Tenants, seen: Seen) -> bool:
    """Tell whether the poison is set aside, and what is too long read without an order."""
    found = [await _stored(all_of, number) for number in seen.posted]
    read = [await _stored(all_of, number) for number in seen.long]
    is_aside = all(one and one[-1].state is MessageState.QUARANTINED for one in found)
    return is_aside and all(one and one[-1].reason == "no_instruction" for one in read)


async def _orders(all_of: Tenants, account: str) -> int:
    """Count the victim's own signals that became orders: its bot goes on."""
    entries = await all_of.rig.entries()
    return len([order for order in entries if order["account"] == account]) // LEGS
