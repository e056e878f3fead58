"""The operator's calendar of news, if one was given."""

from signalfleet.adapters.calendar.feed import CalendarFeed, NoCalendar, from_address, from_file
from signalfleet.bootstrap.settings import Settings
from signalfleet.ports.clock import Clock


def calendar_of(settings: Settings, clock: Clock) -> CalendarFeed | NoCalendar:
    """Return the feed; the last good copy is kept beside the data."""
    kept = settings.data_dir / "calendar.json"
    if settings.calendar_file is not None:
        return CalendarFeed(from_file(settings.calendar_file), kept, clock)
    if settings.calendar_url:
        return CalendarFeed(from_address(settings.calendar_url), kept, clock)
    return NoCalendar()
