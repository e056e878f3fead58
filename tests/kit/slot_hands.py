"""A worker whose slots are given and taken by hand, and users to put into them."""

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import NoReturn

from kit.clock import settle_down
from kit.fleet import CELL, Fleet
from signalfleet.app.claim_slots import claim_slots
from signalfleet.bots.manager import UserBotManager
from signalfleet.bots.slot_bots import SlotBots
from signalfleet.domain.ids import UserId, new_user_id, slot
from signalfleet.ports.bus import Answerer
from signalfleet.ports.lease import Lease
from signalfleet.ports.secrets import Secret
from signalfleet.ports.store import BotStatus, UserProfile


class ByHand:
    """Ownership that does nothing by itself."""

    async def run(self, bots: SlotBots) -> NoReturn:
        await asyncio.get_running_loop().create_future()
        raise AssertionError("an endless wait ended")

    async def drain(self) -> None:
        """Nothing is owned by itself."""

    def lease_of(self, user: UserId) -> Lease | None:
        return None


@dataclass(slots=True, kw_only=True)
class Hands:
    """A running manager over a fleet's parts, and what a test does with its slots."""

    fleet: Fleet
    manager: UserBotManager
    worker: str
    epochs: dict[int, int] = field(default_factory=dict)

    async def take(self, *users: UserId) -> int:
        """Claim the users' slots in the store and hand them to the manager."""
        slots = sorted({slot(user) for user in users})
        epoch = await claim_slots(self.fleet.store.fleet, CELL, slots, self.worker)
        await self.manager.take(dict.fromkeys(slots, epoch))
        await settle_down(1)
        return epoch

    async def release(self, *users: UserId) -> None:
        await self.manager.release({slot(user) for user in users})

    async def drop(self, *users: UserId) -> None:
        await self.manager.drop({slot(user) for user in users})

    def running(self) -> set[UserId]:
        return {user for user, bot in self.manager.active_bots.items() if bot.is_loaded}

    def load(self) -> Mapping[int, int]:
        return self.manager.load()


@asynccontextmanager
async def hands(
    fleet: Fleet, *, worker: str = "w1", max_bots: int = 10, answer: Answerer | None = None
) -> AsyncIterator[Hands]:
    """Run a manager that owns nothing yet; whatever it has ends with the block."""
    manager = UserBotManager(fleet.services(), cell=CELL, max_bots=max_bots, answer=answer)
    running = asyncio.create_task(manager.run(ByHand()), name=f"manager:{worker}")
    await settle_down()
    try:
        yield Hands(fleet=fleet, manager=manager, worker=worker)
    finally:
        running.cancel()
        await asyncio.wait([running])


async def add_user(fleet: Fleet, number: int, *, tier: str = "FREE", wish: bool = True) -> UserId:
    """Add a user without accounts, whose bot only reads."""
    user = new_user_id(bytes([number]) * 16)
    profile = UserProfile(
        user_id=user,
        telegram_id=1000 + number,
        display_name=f"User {number}",
        tier=tier,
        timezone="UTC",
        slot=slot(user),
    )
    await fleet.store.fleet.add_user(profile)
    await fleet.credentials.put(user, "telegram_session", Secret(f"session {number}"))
    await fleet.store.user(user).bot.set_wish(on=wish, by="test")
    return user


async def status(fleet: Fleet, user: UserId) -> BotStatus:
    return await fleet.store.user(user).bot.status()


def slots_of(users: Collection[UserId]) -> set[int]:
    return {slot(user) for user in users}
