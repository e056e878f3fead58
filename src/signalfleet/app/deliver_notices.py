"""Bring a user's stored notices to the user's places, each at least once and rarely twice."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, TypeAlias
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import structlog

from signalfleet.app.messenger_line import MessengerLine
from signalfleet.app.notice_targets import (
    CHOICES_SCOPE,
    OFF,
    Linked,
    NoticeTargets,
    linked_targets,
    mark_scope,
    unsubscribe_word,
)
from signalfleet.app.notify import notify
from signalfleet.domain.accounts.delivery import (
    ABOUT_TARGETS,
    Batch,
    Choices,
    Mark,
    Numbered,
    TargetKind,
    choices_from,
    mark_document,
    mark_from,
    next_batch,
)
from signalfleet.domain.accounts.notices import Notice, NoticeKind
from signalfleet.domain.ids import UserId
from signalfleet.ports.bus import Bus
from signalfleet.ports.clock import Chance, Clock
from signalfleet.ports.errors import ConflictError, PortError
from signalfleet.ports.messenger import Delivered, Message, RetryLater, TargetGone
from signalfleet.ports.metrics import Metrics
from signalfleet.ports.notices import KEPT
from signalfleet.ports.store import Store, UserStore

log = structlog.get_logger()

READ: Final = 30
FIRST_PAUSE_S: Final = 5.0
LONGEST_PAUSE_S: Final = 900.0
UNSURE_PAUSE_S: Final = 60.0
"""A message that may be there already is not sent again in a hurry."""
TAKEN: Final = timedelta(minutes=2)
"""Longer than any messenger needs: what is under way for longer died with its process."""
TOLD_AFTER: Final = timedelta(minutes=10)
SOON: Final = timedelta(seconds=1)

WriteMessage: TypeAlias = Callable[[UserId, Sequence[Numbered], str], Awaitable[Message]]
"""Puts notices in words; the last value is the word that ends letters, empty elsewhere."""


@dataclass(slots=True)
class _Tries:
    """What a worker remembers of one place between its looks."""

    failures: int = 0
    not_before: float = 0.0
    since: datetime | None = None
    is_told: bool = False
    arrived: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Round:
    """What all places of one user are served from."""

    user: UserId
    store: UserStore
    choices: Choices
    zone: ZoneInfo


class DeliverNotices:
    """One worker's deliveries. `run` is for one user, and once at a time for each."""

    def __init__(
        self,
        *,
        store: Store,
        bus: Bus,
        clock: Clock,
        chance: Chance,
        metrics: Metrics,
        targets: NoticeTargets,
        lines: Mapping[TargetKind, MessengerLine],
        write: WriteMessage,
    ) -> None:
        self._store = store
        self._bus = bus
        self._clock = clock
        self._chance = chance
        self._metrics = metrics
        self._targets = targets
        self._lines = lines
        self._write = write
        self._tries: dict[tuple[UserId, TargetKind], _Tries] = {}
        self._quiet: dict[UserId, int] = {}

    def forget(self, user: UserId) -> None:
        """Look at everything again: the user changed something, or does not live here any more."""
        self._quiet.pop(user, None)
        for kind in TargetKind:
            self._tries.pop((user, kind), None)

    async def run(self, user: UserId) -> timedelta | None:
        """Deliver what is due; return when to look again, None if only news can change anything."""
        store = self._store.user(user)
        linked = await linked_targets(store)
        if not linked:
            return None
        newest = await store.notices.recent(1)
        number = newest[0].number if newest else 0
        if self._quiet.get(user) == number:
            return None
        await self._sweep_off(user, linked)
        on = [kind for kind, one in linked.items() if one.is_on and kind in self._lines]
        if not on:
            return None
        doc, _ = await store.settings.get(CHOICES_SCOPE)
        profile = await self._store.fleet.get_user(user)
        zone = zone_of("UTC" if profile is None else profile.timezone)
        round_ = _Round(user=user, store=store, choices=choices_from(doc), zone=zone)
        async with asyncio.TaskGroup() as tasks:
            served = [
                tasks.create_task(self._serve(round_, kind), name=f"deliver:{kind.value}:{user}")
                for kind in on
            ]
        waits = [task.result() for task in served]
        delays = [wait for wait in waits if wait is not None]
        if delays:
            return min(delays)
        self._quiet[user] = number
        return None

    async def _sweep_off(self, user: UserId, linked: Mapping[TargetKind, Linked]) -> None:
        """Forget the address of who ended the letters by a link, without signing in."""
        for kind, one in linked.items():
            if one.state == OFF and await self._targets.secret_of(user, kind) is not None:
                await self._targets.give_up(user, kind, OFF)

    async def _serve(self, round_: _Round, kind: TargetKind) -> timedelta | None:
        tries = self._tries.setdefault((round_.user, kind), _Tries())
        pause = tries.not_before - self._clock.monotonic()
        if pause > 0:
            return timedelta(seconds=pause)
        try:
            return await self._send(round_, kind, tries)
        except ConflictError:
            return SOON  # Another process sends, or the user changed something just now.
        except PortError as error:
            log.warning("notices_wait", kind=kind.value, cause=type(error).__name__)
            tries.not_before = self._clock.monotonic() + FIRST_PAUSE_S
            return timedelta(seconds=FIRST_PAUSE_S)

    async def _send(self, round_: _Round, kind: TargetKind, tries: _Tries) -> timedelta | None:
        settings, scope = round_.store.settings, mark_scope(kind)
        doc, version = await settings.get(scope)
        mark = mark_from(doc)
        if tries.arrived and tries.arrived == mark.under_way:
            mark = Mark(done=mark.done, held=mark.held)
            doc = {}
        tries.arrived = ()
        now = self._clock.now()
        taken_for = _taken_until(doc, now) - now
        if taken_for > timedelta(0):
            return taken_for
        rows = await _rows(round_.store, mark)
        local = now.astimezone(round_.zone)
        batch = next_batch(mark, rows, round_.choices, kind, now, local)
        if batch.given_up:
            log.error("notices_given_up", kind=kind.value, count=batch.given_up)
            self._metrics.count(
                "signalfleet_notices_given_up_total", batch.given_up, kind=kind.value
            )
        if not batch.rows:
            if mark_document(batch.mark) != doc:
                await settings.put(scope, mark_document(batch.mark), version)
            # What quiet hours hold back comes with a later look.
            return timedelta(minutes=1) if batch.mark.held else None
        return await self._hand_over(round_, kind, tries, batch, version)

    async def _hand_over(
        self, round_: _Round, kind: TargetKind, tries: _Tries, batch: Batch, version: int
    ) -> timedelta | None:
        target = await self._targets.secret_of(round_.user, kind)
        if target is None:
            await self._targets.give_up(round_.user, kind, "lost")
            return None
        settings, scope = round_.store.settings, mark_scope(kind)
        word = await unsubscribe_word(round_.store) if kind is TargetKind.EMAIL else ""
        message = await self._write(round_.user, batch.rows, word)
        until = (self._clock.now() + TAKEN).isoformat()
        sending = {**mark_document(batch.sending), "taken_until": until}
        version = await settings.put(scope, sending, version)
        outcome = await self._lines[kind].deliver(target, message)
        match outcome:
            case Delivered():
                tries.failures, tries.since, tries.is_told = 0, None, False
                # Until the mark is stored, it is at least known here that these are there.
                tries.arrived = batch.mark.under_way
                await settings.put(scope, mark_document(batch.arrived), version)
                tries.arrived = ()
                return timedelta(0)
            case RetryLater():
                delay = await self._wait(round_, kind, tries, outcome)
                await settings.put(scope, mark_document(batch.mark), version)
                return delay
            case TargetGone(reason=reason):
                await self._targets.give_up(round_.user, kind, reason)
                await self._tell(round_, kind, NoticeKind.TARGET_GONE)
                return None

    async def _wait(
        self, round_: _Round, kind: TargetKind, tries: _Tries, outcome: RetryLater
    ) -> timedelta:
        now = self._clock.now()
        tries.since = tries.since or now
        pause = min(FIRST_PAUSE_S * 3.0 ** min(tries.failures, 6), LONGEST_PAUSE_S)
        if outcome.is_unsure:
            pause = max(pause, UNSURE_PAUSE_S)
        pause *= self._chance.uniform(0.9, 1.1)
        if outcome.after is not None:
            pause = max(pause, outcome.after.total_seconds())
        tries.failures += 1
        tries.not_before = self._clock.monotonic() + pause
        if not tries.is_told and now - tries.since >= TOLD_AFTER:
            tries.is_told = True
            await self._tell(round_, kind, NoticeKind.MESSENGER_AWAY)
        return timedelta(seconds=pause)

    async def _tell(self, round_: _Round, kind: TargetKind, what: NoticeKind) -> None:
        notice = Notice(
            kind=what,
            at=self._clock.now(),
            about=f"{ABOUT_TARGETS}{kind.value}",
            facts={"target": kind.value},
        )
        await notify(round_.store, self._bus, notice)


def _taken_until(doc: Mapping[str, object], now: datetime) -> datetime:
    """Return until when another process may still be sending; now if none is."""
    until = doc.get("taken_until")
    return datetime.fromisoformat(until) if isinstance(until, str) else now


async def _rows(store: UserStore, mark: Mark) -> tuple[Numbered, ...]:
    """Return the notices that a mark has not done with, oldest first."""
    lowest = min((mark.done, *(n - 1 for n in (*mark.held, *mark.under_way))))
    stored = await store.notices.recent(READ)
    if len(stored) == READ and stored[-1].number > lowest + 1:
        stored = await store.notices.recent(KEPT)
    return tuple(Numbered(number=one.number, notice=one.notice) for one in reversed(stored))


def zone_of(name: str) -> ZoneInfo:
    """Return a user's time zone; UTC for one that this machine does not know."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo(str(UTC))
