"""Move a user's channels up or back when what they did says so, and tell the user."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Final

import structlog

from signalfleet.app.effective_settings import effective_settings
from signalfleet.app.paper_account import ensure_paper_account
from signalfleet.app.probation import go_on, step_back
from signalfleet.app.user_desk import UserDesk
from signalfleet.domain.accounts.notices import NoticeKind
from signalfleet.domain.errors import DomainError
from signalfleet.domain.ids import ChannelId
from signalfleet.domain.risk.probation import Probation, Stage
from signalfleet.ports.errors import PortError
from signalfleet.ports.store import Channel, CopyMode

log = structlog.get_logger()

AT_LEAST_EVERY: Final = timedelta(hours=1)
"""Days pass without any event."""
COUNTS: Final = frozenset({NoticeKind.TRADE_OPENED, NoticeKind.TRADE_CLOSED})
DRIFT: Final = "its messages began to look different"
SAID: Final = {
    Stage.PAPER: "trades on paper only",
    Stage.REDUCED: "trades with a part of the size",
    Stage.FULL: "trades in full",
}


class WatchProbations:
    """Looks after what was told to the user: a trade that opened or closed may be the last needed.

    What was missed while nobody ran is found at the first look.
    """

    def __init__(self, desk: UserDesk) -> None:
        self._desk = desk
        self._is_due = True
        self._looked_at: float | None = None
        self._drifted: set[ChannelId] = set()

    def told(self, kind: NoticeKind, about: str) -> None:
        """Hear what the user is told, without reading anything."""
        if kind in COUNTS:
            self._is_due = True
        scope, _, chat = about.partition(":")
        if kind is NoticeKind.FORMAT_DRIFT and scope == "chat":
            self._drifted.add(ChannelId(int(chat)))

    async def see(self) -> Iterator[tuple[str, str]]:
        """Move what is to be moved; return what each notice is about, and its words."""
        now = self._desk.clock.monotonic()
        is_late = self._looked_at is None or now - self._looked_at > AT_LEAST_EVERY.total_seconds()
        if not (self._is_due or is_late or self._drifted):
            return iter(())
        self._is_due, self._looked_at = False, now
        try:
            return iter(await self._move())
        except PortError:
            self._is_due = True
            raise

    async def _move(self) -> list[tuple[str, str]]:
        moved = []
        for channel in await self._desk.store.channels.list():
            found = None if channel.mode is CopyMode.OFF else await self._look(channel)
            if found is not None:
                moved.append((channel, found))
        if any(found.stage is Stage.PAPER for _, found in moved):
            await ensure_paper_account(self._desk.store)
        return [_told(channel, found) for channel, found in moved]

    async def _look(self, channel: Channel) -> Probation | None:
        store, now, chat = self._desk.store, self._desk.clock.now(), channel.chat
        if chat in self._drifted:
            self._drifted.discard(chat)
            return await step_back(store.settings, chat, DRIFT, now)
        try:
            rules = (await effective_settings(self._desk, chat, None)).rules
            return await go_on(store, chat, rules, now)
        except DomainError:
            log.exception("probation_not_looked_at", chat=chat)
            return None


def _told(channel: Channel, found: Probation) -> tuple[str, str]:
    return f"chat:{channel.chat}", f"{channel.title} now {SAID[found.stage]}: {found.why}"
