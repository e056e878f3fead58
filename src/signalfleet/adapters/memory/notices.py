"""A user's notices, in memory."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from signalfleet.adapters.memory.state import State, json_copy, require_aware
from signalfleet.domain.accounts.notices import QUIET, Notice
from signalfleet.domain.ids import UserId
from signalfleet.ports.notices import KEPT, StoredNotice


@dataclass(slots=True)
class MemoryNotices:
    _state: State
    _user: UserId

    async def add(self, notice: Notice, *, quiet: timedelta = QUIET) -> bool:
        facts = json_copy(notice.facts, "a notice's facts")
        rows = self._state.write(self._user)
        for known in rows.notices:
            is_same = (known.notice.kind, known.notice.about) == (notice.kind, notice.about)
            if is_same and known.notice.at > notice.at - quiet:
                return False
        rows.noticed += 1
        rows.notices.append(StoredNotice(number=rows.noticed, notice=replace(notice, facts=facts)))
        del rows.notices[:-KEPT]
        return True

    async def recent(self, limit: int = 100) -> tuple[StoredNotice, ...]:
        notices = self._state.read(self._user).notices
        return tuple(reversed(notices[-limit:])) if limit > 0 else ()

    async def unread(self) -> int:
        return sum(1 for one in self._state.read(self._user).notices if one.read_at is None)

    async def mark_read(self, until: int, at: datetime) -> None:
        require_aware(at)
        notices = self._state.write(self._user).notices
        notices[:] = [
            replace(one, read_at=at) if one.number <= until and one.read_at is None else one
            for one in notices
        ]
