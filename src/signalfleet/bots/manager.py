"""UserBotManager: runs the bots that users wish for, and only those, on the slots it owns."""

import asyncio
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta
from typing import Final

import structlog

from signalfleet.bots.admission import Admission
from signalfleet.bots.park_connects import park_connects
from signalfleet.bots.seat_keeper import SeatKeeper
from signalfleet.bots.seats import Seat
from signalfleet.bots.services import BotServices
from signalfleet.bots.shared_look import SharedLook
from signalfleet.bots.slot_bots import Ownership
from signalfleet.bots.slot_doors import SlotDoors
from signalfleet.bots.state_board import StateBoard
from signalfleet.bots.user_bot import UserBot
from signalfleet.domain.accounts.bot_state import BotState
from signalfleet.domain.ids import UserId, slot
from signalfleet.ports.bus import Answerer, WorkItem
from signalfleet.ports.errors import PortError

log = structlog.get_logger()

WISH_CHECK: Final = timedelta(seconds=5)
STOP_GRACE: Final = timedelta(seconds=10)
DROP_LIMIT: Final = timedelta(seconds=1)
WISH_PAGE: Final = 500
READS_AT_ONCE: Final = 32
MOVING: Final = "moving"
OUTLIVES_MOVES: Final = frozenset({BotState.QUEUED, BotState.QUARANTINED})
"""The next owner goes on from there: with the place in the line, or without crashing again."""


class UserBotManager:
    """Holds one seat for each user of its slots whose bot is wished for (port SlotBots).

    `max_bots` run at once, the others wait in line. `answer` gets questions about own users.
    """

    def __init__(
        self,
        services: BotServices,
        *,
        cell: str,
        max_bots: int,
        answer: Answerer | None = None,
    ) -> None:
        self._services = services
        self._cell = cell
        self._epochs: dict[int, int] = {}
        self._unread: set[int] = set()
        self._seats: dict[UserId, Seat] = {}
        self._wish_rev = 0
        self._states = StateBoard(
            services.store, lambda user, epoch: self._find_out(slot(user), epoch)
        )
        self._admission = Admission(max_bots)
        self._keeper = SeatKeeper(
            services, cell=cell, admission=self._admission, states=self._states
        )
        self._doors = SlotDoors(
            cell=cell,
            bus=services.bus,
            clock=services.clock,
            answer=answer,
            took=self._wake,
            lost=self._find_out,
        )
        self._look = SharedLook(
            services, cell=cell, slots=lambda: self._epochs, bots=lambda: self.active_bots
        )
        self._tasks: asyncio.TaskGroup | None = None

    @property
    def active_bots(self) -> dict[UserId, UserBot]:
        """Return the bots that run now, by user."""
        return {user: seat.bot for user, seat in self._seats.items() if seat.bot is not None}

    def _running(self) -> Collection[UserBot]:
        return [seat.bot for seat in self._seats.values() if seat.bot is not None]

    def oldest_unknown(self) -> timedelta:
        """Return the age of the oldest order whose outcome is unknown, over all bots."""
        ages = (bot.unknown_age() for bot in self.active_bots.values())
        return max(ages, default=timedelta(0))

    def epoch_of(self, user: UserId) -> int:
        """Return under which epoch this worker owns the user's slot; 0 if it does not."""
        return self._epochs.get(slot(user), 0)

    def owns(self, user: UserId) -> bool:
        """Tell whether the user's slot is this worker's just now."""
        return slot(user) in self._epochs

    def owns_slot(self, number: int) -> bool:
        """Tell whether the slot is this worker's just now."""
        return number in self._epochs

    def seats(self) -> Mapping[UserId, Seat]:
        return self._seats

    def states(self) -> dict[UserId, BotState]:
        return {user: seat.state for user, seat in self._seats.items()}

    def load(self) -> Mapping[int, int]:
        seats = Counter(seat.slot for seat in self._seats.values())
        return {number: seats[number] for number in self._epochs}

    async def run(self, ownership: Ownership) -> None:
        """Keep bots as wished on the slots that `ownership` gives, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            tasks.create_task(ownership.run(self), name="ownership")
            tasks.create_task(self._look.run(), name="shared_look")
            parking = park_connects(self._running, self._services.clock)
            tasks.create_task(parking, name="connects")
            try:
                while True:
                    await self._services.clock.sleep(WISH_CHECK)
                    await self.check_wishes()
                    await self._states.catch_up()
                    await self._keeper.show_line(list(self._seats.values()))
            finally:
                self._tasks = None  # What ends just now starts nothing more.
                for seat in self._seats.values():
                    seat.is_ending = True

    # Slots come and go

    async def take(self, epochs: Mapping[int, int]) -> None:
        """Own these slots from now on, and start the bots that are wished for."""
        if self._tasks is None:
            raise RuntimeError("the manager does not run yet")
        again = [number for number in epochs if number in self._epochs]
        if again:
            await self.drop(again)
        self._epochs.update(epochs)
        for number in epochs:
            if self._tasks is not None:
                self._doors.open(number, self._tasks)
        await self._start_wished(epochs)

    async def release(self, slots: Collection[int]) -> None:
        """Let the bots of these slots settle and end them, side by side."""
        own = [number for number in slots if number in self._epochs]
        seats = self._seats_of(own)
        # From here on no question is answered and nobody gets a new seat.
        for number in own:
            del self._epochs[number]
            self._unread.discard(number)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._doors.close(own), name="doors")
            for seat in seats:
                tasks.create_task(self._stop(seat, MOVING), name=f"stop:{seat.user}")
        if seats:
            log.info("bots_released", slots=len(own), bots=len(seats))

    async def drop(self, slots: Collection[int]) -> None:
        """End the bots of these slots at once; what they had begun, the next owner finds out."""
        own = [number for number in slots if self._epochs.pop(number, None) is not None]
        seats = self._seats_of(slots)
        ending = self._doors.shut(slots)
        for seat in seats:
            seat.is_lost = True
            if seat.bot is not None:
                seat.bot.abandon()
            if seat.task is not None:
                seat.cancel()
                ending.append(seat.task)
            self._forget(seat)
        self._unread.difference_update(slots)
        if own:
            log.warning("slots_dropped", count=len(own), bots=len(seats))
        if ending:
            _, late = await asyncio.wait(ending, timeout=DROP_LIMIT.total_seconds())
            if late:
                log.error("bots_end_late", count=len(late))

    async def drain(self) -> None:
        """Release all slots."""
        await self.release(list(self._epochs))

    def _seats_of(self, slots: Collection[int]) -> list[Seat]:
        wanted = set(slots)
        return [seat for seat in self._seats.values() if seat.slot in wanted]

    def _find_out(self, number: int, epoch: int) -> None:
        """Look in the store whether a slot has a newer owner: a queue alone may be mistaken."""
        if self._tasks is not None and self._epochs.get(number) == epoch:
            self._tasks.create_task(self._drop_if_lost(number, epoch), name=f"lost:{number}")

    async def _drop_if_lost(self, number: int, epoch: int) -> None:
        fleet = self._services.store.fleet
        while self._epochs.get(number) == epoch:
            try:
                stored = await fleet.slot_epochs(self._cell, [number])
            except PortError:
                await self._services.clock.sleep(WISH_CHECK)
                continue
            if stored.get(number, 0) > epoch:
                await self.drop([number])
            elif self._tasks is not None and self._epochs.get(number) == epoch:
                self._doors.shut([number])
                self._doors.open(number, self._tasks)
                self._doors.listen(number, epoch, self._tasks)
            return

    # Bots as they are wished

    async def _start_wished(self, slots: Collection[int]) -> None:
        """Start the bots of slots that came just now; what cannot be read is read later."""
        fleet = self._services.store.fleet
        self._unread.update(slots)
        try:
            users = await fleet.users_of_slots(self._cell, sorted(slots))
            for begin in range(0, len(users), READS_AT_ONCE):
                await self._follow_wishes(users[begin : begin + READS_AT_ONCE])
        except PortError as error:
            log.warning("wishes_unreadable", cause=type(error).__name__)
            return
        self._unread.difference_update(slots)

    async def check_wishes(self) -> None:
        """Follow the wishes that changed since the last check."""
        if self._unread:
            await self._start_wished(set(self._unread))
        fleet = self._services.store.fleet
        is_more = True
        while is_more:
            try:
                changed = await fleet.wishes_since(self._wish_rev, WISH_PAGE)
                await self._follow_wishes([user for user, _ in changed])
            except PortError as error:
                log.warning("wishes_unreadable", cause=type(error).__name__)
                return
            self._wish_rev = max((rev for _, rev in changed), default=self._wish_rev)
            is_more = len(changed) == WISH_PAGE

    async def _follow_wishes(self, users: Sequence[UserId]) -> None:
        """Follow the wishes of own users; the first error of the store is raised after all."""
        errors: list[PortError] = []

        async def follow(user: UserId) -> None:
            try:
                await self._follow_wish(user)
            except PortError as error:
                errors.append(error)

        async with asyncio.TaskGroup() as tasks:
            for user in users:
                if self.owns(user):
                    tasks.create_task(follow(user), name=f"wish:{user}")
        if errors:
            raise errors[0]

    async def _follow_wish(self, user: UserId) -> None:
        status = await self._services.store.user(user).bot.status()
        seat = self._seats.get(user)
        if not self.owns(user) or self._tasks is None:
            return
        self._doors.listen(slot(user), self._epochs[slot(user)], self._tasks)
        if status.wish_on and seat is None:
            self._sit_down(user, self._tasks)
        elif not status.wish_on and seat is not None:
            self._stop_aside(seat, self._tasks)
        elif seat is not None:
            seat.poked.set()
            if seat.bot is not None:
                await seat.bot.refresh()

    async def _wake(self, item: WorkItem) -> None:
        if item.kind == "cmd":
            await self.check_wishes()
        seat = self._seats.get(item.user)
        if seat is not None and seat.bot is not None:
            seat.bot.wake()

    def _sit_down(self, user: UserId, tasks: asyncio.TaskGroup) -> None:
        seat = Seat(user=user, slot=slot(user), epoch=self.epoch_of(user))
        self._seats[user] = seat
        seat.task = tasks.create_task(self._keep(seat), name=f"bot:{user}")

    async def _keep(self, seat: Seat) -> None:
        await self._keeper.keep(seat)
        # It returns only if the slot has a newer owner: then all bots of the slot have to end.
        self._forget(seat)
        self._find_out(seat.slot, seat.epoch)

    def _forget(self, seat: Seat) -> None:
        if self._seats.get(seat.user) is seat:
            del self._seats[seat.user]

    def _stop_aside(self, seat: Seat, tasks: asyncio.TaskGroup) -> None:
        """Stop a bot without keeping others waiting: somebody else may press Stop just now."""
        if not seat.is_stopping:
            seat.is_stopping = True
            tasks.create_task(self._stop_as_wished(seat), name=f"stop:{seat.user}")

    async def _stop_as_wished(self, seat: Seat) -> None:
        await self._stop(seat, None)
        try:
            # The user may have changed their mind while orders were settling.
            await self._follow_wishes([seat.user])
        except PortError as error:
            log.warning("wishes_unreadable", cause=type(error).__name__)

    async def _stop(self, seat: Seat, reason: str | None) -> None:
        """Let the bot's orders settle, then end it."""
        bot = seat.bot
        if bot is not None:
            await self._keeper.move(seat, BotState.STOPPING, reason)
            await bot.drain()  # The seat may have lost it meanwhile.
        if seat.task is not None:
            seat.cancel()
            await asyncio.wait([seat.task], timeout=STOP_GRACE.total_seconds())
            if not seat.task.done() and seat.bot is not None:
                log.error("bot_does_not_end", user_id=seat.user)
                seat.bot.abandon()
        self._forget(seat)
        if reason != MOVING or seat.state not in OUTLIVES_MOVES:
            await self._keeper.move(seat, BotState.OFF, reason)
