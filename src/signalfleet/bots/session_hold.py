"""Which process uses a user's Telegram session, written down where all processes look."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from signalfleet.domain.ids import UserId
from signalfleet.ports.clock import Clock
from signalfleet.ports.errors import ConflictError
from signalfleet.ports.store import Store

SCOPE: Final = "hold:telegram"
BOT_LASTS: Final = timedelta(seconds=180)
DESK_LASTS: Final = timedelta(seconds=60)
RENEW_EVERY: Final = timedelta(seconds=60)
TICK: Final = timedelta(seconds=5)
LET_GO_AFTER: Final = 0.6 * BOT_LASTS
"""Unrenewed for so long, a holder closes its connection: before anybody may think it gone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """`epoch` is that of the bot's slot, and 0 for a desk that needs the session for a moment."""

    by: str
    epoch: int
    until: datetime

    @property
    def is_of_bot(self) -> bool:
        return self.epoch > 0


class SessionHolds:
    """One document for each user, replaced under its version, so only one taker can win.

    A bot of a newer epoch need not wait for an older one's time: owning the slot proves its end.
    """

    def __init__(self, store: Store, clock: Clock, name: str) -> None:
        self.name = name
        self._store = store
        self._clock = clock
        self._written: dict[UserId, int] = {}

    async def take(self, user: UserId, epoch: int = 0) -> bool:
        """Take it; False while another process has it."""
        return await self._take(user, epoch, is_free=True)

    async def _take(self, user: UserId, epoch: int, *, is_free: bool) -> bool:
        settings = self._store.user(user).settings
        doc, version = await settings.get(SCOPE)
        now = self._clock.now()
        held = _hold_of(doc)
        if held is None and not is_free:
            return False
        if held is not None and held.by != self.name and held.until > now:
            is_outlived = held.is_of_bot and epoch > held.epoch
            if not is_outlived:
                return False
        return await self._write(user, epoch, version)

    async def renew(self, user: UserId, epoch: int) -> bool:
        """Renew what was taken here, without a look if nobody else has written meanwhile.

        What was given back meanwhile stays so.
        """
        version = self._written.get(user)
        if version is not None and await self._write(user, epoch, version):
            return True
        return await self._take(user, epoch, is_free=False)

    async def _write(self, user: UserId, epoch: int, version: int) -> bool:
        until = self._clock.now() + (BOT_LASTS if epoch else DESK_LASTS)
        mine = {"by": self.name, "epoch": epoch, "until": until.isoformat()}
        self._written.pop(user, None)
        try:
            written = await self._store.user(user).settings.put(SCOPE, mine, version)
        except ConflictError:
            return False
        if epoch:
            self._written[user] = written
        return True

    async def release(self, user: UserId) -> None:
        """Give it back; what somebody else has taken meanwhile stays theirs."""
        self._written.pop(user, None)
        settings = self._store.user(user).settings
        doc, version = await settings.get(SCOPE)
        held = _hold_of(doc)
        if held is None or held.by != self.name:
            return
        try:
            await settings.put(SCOPE, {}, version)
        except ConflictError:
            return

    async def elsewhere(self, user: UserId) -> str | None:
        """Return the name of another process whose bot reads with the session now."""
        doc, _ = await self._store.user(user).settings.get(SCOPE)
        held = _hold_of(doc)
        if held is None or held.by == self.name or not held.is_of_bot:
            return None
        return held.by if held.until > self._clock.now() else None


def _hold_of(doc: Mapping[str, object]) -> Hold | None:
    by, epoch, until = doc.get("by"), doc.get("epoch"), doc.get("until")
    if not isinstance(by, str) or not isinstance(epoch, int) or not isinstance(until, str):
        return None
    return Hold(by=by, epoch=epoch, until=datetime.fromisoformat(until))
