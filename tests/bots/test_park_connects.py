"""While the hold on a user's slot is in doubt, nothing new connects to the user's Telegram."""

import asyncio
from dataclasses import dataclass

from kit.chat_script import ScriptedChatSource
from kit.clock import LoopClock, settle_down
from signalfleet.bots.park_connects import park_connects
from signalfleet.ports.chat_source import ChatSource
from signalfleet.ports.lease import Lease


@dataclass
class Held:
    """A lease of ten seconds that somebody renews by setting its age."""

    age: float = 0.0
    ttl_s: float = 10.0

    def age_s(self) -> float:
        return self.age


@dataclass
class Bot:
    lease: Lease | None
    source: ChatSource | None = None


async def test_a_lease_that_was_not_renewed_in_time_parks_connects_until_it_is() -> None:
    clock, lease = LoopClock(), Held()
    script, other = ScriptedChatSource(clock), ScriptedChatSource(clock)
    bot, alone = Bot(lease), Bot(None, other)
    async with asyncio.TaskGroup() as tasks:
        parking = tasks.create_task(park_connects(lambda: [alone, bot], clock))
        await settle_down(2)
        bot.source = script
        seen = []
        for age in (0.0, 5.9, 6.0, 9.0, 60.0, 0.5):
            lease.age = age
            await settle_down(1.1)
            seen.append(script.may_connect)
        parking.cancel()
    assert seen == [True, True, False, False, False, True]
    assert other.may_connect, "without a lease nothing is parked"
