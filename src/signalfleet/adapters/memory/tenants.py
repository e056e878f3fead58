"""Quotas, idempotency keys, the audit trail, retention and departures, in memory."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from signalfleet.adapters.memory.state import KeyInUse, State, UserRows, require_aware
from signalfleet.domain.accounts.audit import FIRST_HASH, AuditEntry, AuditRow, chained
from signalfleet.domain.accounts.retention import SWEPT_AT_ONCE, Cutoffs
from signalfleet.domain.ids import UserId
from signalfleet.domain.trading.records import QuotaUse
from signalfleet.ports.departures import Departure, Shredded
from signalfleet.ports.errors import RefusedError
from signalfleet.ports.inbox import MessageState
from signalfleet.ports.inbox_rows import InboxRow
from signalfleet.ports.tenant_records import Begun, Fresh, InFlight, Mismatch, Replay


@dataclass(slots=True)
class MemoryQuota:
    _state: State
    _user: UserId

    async def reserve(self, kind: str, day: str, limit: int) -> int | None:
        use = QuotaUse(kind=kind, day=day, count=1, limit=limit)
        return self._state.write(self._user).count_up(use)

    async def give_back(self, kind: str, day: str) -> None:
        quotas = self._state.write(self._user).quotas
        if quotas.get((day, kind), 0) > 0:
            quotas[day, kind] -= 1

    async def used(self, kind: str, day: str) -> int:
        return self._state.read(self._user).quotas.get((day, kind), 0)


@dataclass(slots=True)
class MemoryIdempotency:
    _state: State
    _user: UserId

    async def begin(
        self, key: str, route: str, request_hash: str, *, at: datetime, until: datetime
    ) -> Begun:
        require_aware(at, until)
        used = self._state.write(self._user).keys_used
        known = used.get(key)
        if known is None or known.until <= at:
            used[key] = KeyInUse(route=route, request_hash=request_hash, until=until)
            return Fresh()
        if (known.route, known.request_hash) != (route, request_hash):
            return Mismatch()
        return known.answer or InFlight()

    async def finish(self, key: str, status: int, body: str) -> None:
        known = self._state.write(self._user).keys_used.get(key)
        if known is not None:
            known.answer = Replay(status, body)

    async def give_back(self, key: str) -> None:
        used = self._state.write(self._user).keys_used
        if key in used and used[key].answer is None:
            del used[key]


@dataclass(slots=True)
class MemoryAuditTrail:
    _state: State
    _user: UserId

    async def add(self, entry: AuditEntry) -> AuditRow:
        events = self._state.write(self._user).events
        seq, before = (events[-1].seq + 1, events[-1].hash) if events else (1, FIRST_HASH)
        events.append(chained(self._user, entry, seq, before))
        return events[-1]

    async def list(self, after: int = 0, limit: int = 200) -> tuple[AuditRow, ...]:
        events = self._state.read(self._user).events
        return tuple(row for row in events if row.seq > after)[:limit]

    async def recent(self, limit: int = 100) -> tuple[AuditRow, ...]:
        return tuple(reversed(self._state.read(self._user).events))[:limit]


@dataclass(slots=True)
class MemoryRetention:
    _state: State
    _user: UserId

    async def sweep(self, cutoffs: Cutoffs, limit: int = SWEPT_AT_ONCE) -> Mapping[str, int]:
        rows = self._state.write(self._user)
        old = [
            key
            for key in rows.traces
            if key in rows.messages and rows.messages[key].stored.received_at < cutoffs.traces
        ][:limit]
        for key in old:
            del rows.traces[key]
        texts = [row for row in rows.messages.values() if _is_old(row, rows, cutoffs)][:limit]
        for row in texts:
            message = replace(row.stored.message, text="")
            row.stored = replace(row.stored, message=message)
        events = [row for row in rows.events if row.entry.at < cutoffs.audit][:limit]
        del rows.events[: len(events)]
        notices = [one for one in rows.notices if one.notice.at < cutoffs.notices][:limit]
        rows.notices[:] = [one for one in rows.notices if one not in notices]
        used = [key for key, one in rows.keys_used.items() if one.until <= cutoffs.now][:limit]
        for key_used in used:
            del rows.keys_used[key_used]
        days = [one for one in rows.quotas if one[0] < cutoffs.quota_day][:limit]
        for day in days:
            del rows.quotas[day]
        return {
            "traces": len(old),
            "texts": len(texts),
            "events": len(events),
            "notices": len(notices),
            "idempotency": len(used),
            "quotas": len(days),
        }


def _is_old(row: InboxRow, rows: UserRows, cutoffs: Cutoffs) -> bool:
    stored, message = row.stored, row.stored.message
    if not message.text or stored.state is MessageState.NEW:
        return False
    has_signal = any(
        (one.chat, one.message) == (message.channel, message.message)
        for one in rows.signals.values()
    )
    channel = rows.channels.get(message.channel)
    is_short_lived = not has_signal or (channel is not None and channel.is_protected)
    limit = cutoffs.other_text if is_short_lived else cutoffs.signal_text
    return stored.received_at < limit or (
        stored.deleted_at is not None and stored.deleted_at < cutoffs.deleted_text
    )


@dataclass(slots=True)
class MemoryDepartures:
    _state: State

    async def begin(self, user: UserId, report_id: str, at: datetime) -> Departure:
        require_aware(at)
        self._state.require_up()
        departures = self._state.departures
        known = next((one for one in departures.values() if one.user == user), None)
        new = Departure(report_id=report_id, user=user, begun_at=at)
        return known or departures.setdefault(report_id, new)

    async def under_way(self) -> tuple[Departure, ...]:
        self._state.require_up()
        open_ones = (one for one in self._state.departures.values() if one.finished_at is None)
        return tuple(sorted(open_ones, key=lambda one: (one.begun_at, one.report_id)))

    async def note(self, report_id: str, step: str, said: str) -> Departure:
        known = self._known(report_id)
        return self._keep(replace(known, steps={**known.steps, step: said}))

    async def shred(self, user: UserId, at: datetime) -> int:
        require_aware(at)
        self._state.require_up()
        self._state.shredded.setdefault(user, at)
        rows = self._state.rows.get(user) or UserRows()
        count = len(rows.keys)
        rows.keys.clear()
        return count

    async def shredded(self) -> tuple[Shredded, ...]:
        self._state.require_up()
        return tuple(
            Shredded(user=user, at=at) for user, at in sorted(self._state.shredded.items())
        )

    async def erase(self, user: UserId) -> Mapping[str, int]:
        self._state.require_up()
        rows = self._state.rows.pop(user, None)
        profile = self._state.users.pop(user, None)
        sessions = [sid for sid, one in self._state.sessions.items() if one.user_id == user]
        for sid in sessions:
            del self._state.sessions[sid]
        counts = {"users": int(profile is not None), "web_sessions": len(sessions)}
        if rows is not None:
            counts |= {
                "messages": len(rows.messages),
                "signals": len(rows.signals),
                "trades": len(rows.trades),
                "credentials": len(rows.sealed),
                "events": len(rows.events),
            }
        return {name: count for name, count in counts.items() if count}

    async def finish(self, report_id: str, at: datetime) -> Departure:
        require_aware(at)
        return self._keep(replace(self._known(report_id), user=None, finished_at=at))

    async def report(self, report_id: str) -> Departure | None:
        self._state.require_up()
        return self._state.departures.get(report_id)

    def _known(self, report_id: str) -> Departure:
        self._state.require_up()
        known = self._state.departures.get(report_id)
        if known is None:
            raise RefusedError("nobody leaves under this name")
        return known

    def _keep(self, departure: Departure) -> Departure:
        self._state.departures[departure.report_id] = departure
        return departure
