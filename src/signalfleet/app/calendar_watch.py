"""Say when the calendar of news cannot be relied on, once for each change."""

from signalfleet.app.user_desk import UserDesk
from signalfleet.domain.accounts.notices import NoticeKind
from signalfleet.domain.risk.moments import blindness
from signalfleet.ports.errors import ConflictError

SCOPE = "news"
BLIND = "blind"


class CalendarWatch:
    """Keeps what the pages show of the calendar; what the user is told follows from it."""

    def __init__(self, desk: UserDesk) -> None:
        self._desk = desk
        self._known: str | None = None
        self._has_looked = False

    def has_news(self) -> bool:
        """Tell, without reading anything, whether it is time to see; never without a calendar."""
        calendar = self._desk.calendar
        if calendar is None or not calendar.view().is_configured:
            return False
        blind = blindness(calendar.view(), self._desk.clock.now())
        return not self._has_looked or (blind is None) != (self._known is None)

    async def see(self) -> tuple[NoticeKind, str] | None:
        """Return what to tell the user, if that has changed; without a calendar nothing is told."""
        calendar = self._desk.calendar
        if calendar is None or not self.has_news():
            return None
        blind = blindness(calendar.view(), self._desk.clock.now())
        settings = self._desk.store.settings
        doc, version = await settings.get(SCOPE)
        before = doc.get(BLIND)
        self._known, self._has_looked = blind, True
        if (blind is None) == (before is None):
            return None
        try:
            await settings.put(SCOPE, {BLIND: blind}, version)
        except ConflictError:
            self._has_looked = False
            return None
        if blind is None:
            return NoticeKind.CALENDAR_BACK, "the calendar of news can be read again"
        return NoticeKind.CALENDAR_BLIND, blind
