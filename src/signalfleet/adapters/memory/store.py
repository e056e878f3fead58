"""The store in memory, and its view across users."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from signalfleet.adapters.memory.inbox import MemoryInbox
from signalfleet.adapters.memory.journal import MemoryJournal
from signalfleet.adapters.memory.notices import MemoryNotices
from signalfleet.adapters.memory.records import (
    MemoryAccounts,
    MemoryBot,
    MemoryChannels,
    MemoryCredentials,
    MemorySettings,
)
from signalfleet.adapters.memory.state import State, UserRows, require_aware
from signalfleet.adapters.memory.tenants import (
    MemoryAuditTrail,
    MemoryDepartures,
    MemoryIdempotency,
    MemoryQuota,
    MemoryRetention,
)
from signalfleet.domain.ids import InstallationId, UserId
from signalfleet.ports.departures import Arming
from signalfleet.ports.errors import RefusedError
from signalfleet.ports.fleet_rows import OFTEN_WRITTEN, AttemptLimit, UserMark, WebSession
from signalfleet.ports.inbox import MessageState
from signalfleet.ports.store import UserProfile


class MemoryUserStore:
    def __init__(self, state: State, user_id: UserId) -> None:
        self._user_id = user_id
        self._inbox = MemoryInbox(state, user_id)
        self._journal = MemoryJournal(state, user_id)
        self._channels = MemoryChannels(state, user_id)
        self._accounts = MemoryAccounts(state, user_id)
        self._settings = MemorySettings(state, user_id)
        self._credentials = MemoryCredentials(state, user_id)
        self._bot = MemoryBot(state, user_id)
        self._notices = MemoryNotices(state, user_id)
        self._quota = MemoryQuota(state, user_id)
        self._idempotency = MemoryIdempotency(state, user_id)
        self._events = MemoryAuditTrail(state, user_id)
        self._retention = MemoryRetention(state, user_id)

    @property
    def user_id(self) -> UserId:
        return self._user_id

    @property
    def inbox(self) -> MemoryInbox:
        return self._inbox

    @property
    def journal(self) -> MemoryJournal:
        return self._journal

    @property
    def channels(self) -> MemoryChannels:
        return self._channels

    @property
    def accounts(self) -> MemoryAccounts:
        return self._accounts

    @property
    def settings(self) -> MemorySettings:
        return self._settings

    @property
    def credentials(self) -> MemoryCredentials:
        return self._credentials

    @property
    def bot(self) -> MemoryBot:
        return self._bot

    @property
    def notices(self) -> MemoryNotices:
        return self._notices

    @property
    def quota(self) -> MemoryQuota:
        return self._quota

    @property
    def idempotency(self) -> MemoryIdempotency:
        return self._idempotency

    @property
    def events(self) -> MemoryAuditTrail:
        return self._events

    @property
    def retention(self) -> MemoryRetention:
        return self._retention


@dataclass(slots=True)
class MemoryFleet:
    _state: State

    async def installation(self) -> InstallationId:
        self._state.require_up()
        if self._state.installation is None:
            self._state.installation = InstallationId("in_" + secrets.token_hex(8))
        return self._state.installation

    async def arming(self) -> Arming:
        self._state.require_up()
        return self._state.arming

    async def set_arming(self, arming: Arming) -> None:
        require_aware(arming.entries_not_before)
        self._state.require_up()
        self._state.arming = arming

    async def slot_epochs(self, cell: str, slots: Sequence[int]) -> Mapping[int, int]:
        self._state.require_up()
        fences = self._state.fences
        return {slot: fences.get((cell, slot), (0, ""))[0] for slot in slots}

    async def raise_fences(
        self, cell: str, epochs: Mapping[int, int], worker: str
    ) -> frozenset[int]:
        before = await self.slot_epochs(cell, tuple(epochs))
        taken = {slot: epoch for slot, epoch in epochs.items() if epoch > before[slot]}
        self._state.fences.update({(cell, slot): (taken[slot], worker) for slot in taken})
        return frozenset(taken)

    async def add_user(self, profile: UserProfile) -> UserProfile:
        self._state.require_up()
        stored = self._state.users.get(profile.user_id)
        if profile.telegram_id is not None:
            stored = await self.user_by_telegram(profile.telegram_id) or stored
        return stored or self._state.users.setdefault(profile.user_id, profile)

    async def get_user(self, user_id: UserId) -> UserProfile | None:
        self._state.require_up()
        return self._state.users.get(user_id)

    async def set_tier(self, user_id: UserId, tier: str) -> UserProfile:
        self._state.require_up()
        stored = self._state.users.get(user_id)
        if stored is None:
            raise RefusedError("there is no such user")
        changed = self._state.users[user_id] = replace(stored, tier=tier)
        return changed

    async def user_by_telegram(self, telegram_id: int) -> UserProfile | None:
        self._state.require_up()
        users = self._state.users.values()
        return next((one for one in users if one.telegram_id == telegram_id), None)

    async def users_of_slots(self, cell: str, slots: Sequence[int]) -> tuple[UserId, ...]:
        self._state.require_up()
        if cell != self._state.cell:
            return ()
        wanted = set(slots)
        users = self._state.users.values()
        return tuple(sorted(one.user_id for one in users if one.slot in wanted))

    async def marks(self, cell: str, slots: Sequence[int]) -> Mapping[UserId, UserMark]:
        users = await self.users_of_slots(cell, slots)
        return {user: _mark(self._state.users[user], self._state.read(user)) for user in users}

    async def wishes_since(self, rev: int, limit: int = 500) -> tuple[tuple[UserId, int], ...]:
        self._state.require_up()
        revs = ((user, rows.bot.wish_rev) for user, rows in self._state.rows.items())
        newer = sorted((one for one in revs if one[1] > rev), key=lambda one: one[1])
        return tuple(newer[:limit])

    async def put_session(self, sid_hash: str, session: WebSession) -> None:
        require_aware(session.created_at, session.expires_at)
        self._state.require_up()
        if session.user_id not in self._state.users:
            raise RefusedError("there is no such user; add the user first")
        self._state.sessions[sid_hash] = session

    async def session(self, sid_hash: str) -> WebSession | None:
        self._state.require_up()
        return self._state.sessions.get(sid_hash)

    async def delete_session(self, sid_hash: str) -> None:
        self._state.require_up()
        self._state.sessions.pop(sid_hash, None)

    async def count_attempt(
        self, kind: str, key: str, at: datetime, limits: Sequence[AttemptLimit]
    ) -> datetime | None:
        require_aware(at)
        self._state.require_up()
        times = self._state.attempts.setdefault((kind, key), [])
        over = [free for limit in limits if (free := free_again(times, at, limit)) is not None]
        if over:
            return max(over)
        longest = max((limit.within for limit in limits), default=timedelta(0))
        times[:] = [*(one for one in times if one > at - longest), at]
        return None


def free_again(times: Sequence[datetime], at: datetime, limit: AttemptLimit) -> datetime | None:
    """Return when one of the counted times leaves the limit's window; None if there is room."""
    counted = sorted(one for one in times if one > at - limit.within)
    if len(counted) < limit.count:
        return None
    return counted[-limit.count] + limit.within


class MemoryStore:
    """A store that forgets. Tests may set `is_down` to make it unavailable for a while."""

    def __init__(self, *, cell: str) -> None:
        self._state = State(cell=cell)
        self._fleet = MemoryFleet(self._state)
        self._departures = MemoryDepartures(self._state)
        self._users: dict[UserId, MemoryUserStore] = {}

    def user(self, user_id: UserId) -> MemoryUserStore:
        known = self._users.get(user_id)
        return known or self._users.setdefault(user_id, MemoryUserStore(self._state, user_id))

    @property
    def fleet(self) -> MemoryFleet:
        return self._fleet

    @property
    def departures(self) -> MemoryDepartures:
        return self._departures

    @property
    def is_down(self) -> bool:
        return self._state.is_down

    @is_down.setter
    def is_down(self, value: bool) -> None:
        self._state.is_down = value

    async def ready(self) -> None:
        self._state.require_up()

    async def aclose(self) -> None:
        self._state.is_closed = True


def _mark(profile: UserProfile, rows: UserRows) -> UserMark:
    told = (
        profile.tier,
        profile.timezone,
        rows.bot.wish_rev,
        rows.bot.halted,
        sorted((one.account_id, one.version) for one in rows.accounts.values()),
        sorted((one.chat, one.version) for one in rows.channels.values()),
        sum(
            version
            for scope, (_, version) in rows.settings.items()
            if not scope.startswith(OFTEN_WRITTEN)
        ),
    )
    unread = any(row.stored.state is MessageState.NEW for row in rows.messages.values())
    return UserMark(rev=told, has_unread=unread)
