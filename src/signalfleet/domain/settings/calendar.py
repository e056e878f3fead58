"""When nothing is opened: outside trading hours, before the weekend, around news."""

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from signalfleet.domain.errors import DomainError
from signalfleet.domain.settings.choices import Impact, NewsBlind, WeekendAction
from signalfleet.domain.settings.values import Kind, Merge, choice, setting

DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DAY: Final = 24 * 60
WEEK: Final = 7 * DAY
ALWAYS: Final = "always"
PART: Final = re.compile(
    r"(mon|tue|wed|thu|fri|sat|sun)(?:-(mon|tue|wed|thu|fri|sat|sun))? "
    r"([01][0-9]|2[0-4]):([0-5][0-9])-([01][0-9]|2[0-4]):([0-5][0-9])"
)
NEWS: Final = re.compile(r"(\d{1,4})/(\d{1,4}) (low|medium|high)")
WEEKEND: Final = re.compile(r"(no_new|close) (\d{1,4})")


@dataclass(frozen=True, slots=True)
class WeekTable:
    """Open times as minutes of a week from Monday on; joined tables are open where all are."""

    windows: tuple[tuple[int, int], ...] = ((0, WEEK),)
    text: str = ALWAYS

    def __or__(self, other: "WeekTable") -> "WeekTable":
        windows = [
            (max(a, c), min(b, d))
            for a, b in self.windows
            for c, d in other.windows
            if max(a, c) < min(b, d)
        ]
        texts = dict.fromkeys(one.text for one in (self, other) if one.text != ALWAYS)
        return WeekTable(tuple(sorted(windows)), " and ".join(texts) or ALWAYS)

    def is_open(self, weekday: int, hour: int, minute: int) -> bool:
        at = weekday * DAY + hour * 60 + minute
        return any(start <= at < end for start, end in self.windows)

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class NewsWindow:
    """Minutes before and after an event of at least this impact."""

    before: int
    after: int
    impact: Impact

    @property
    def looseness(self) -> Decimal:
        """Order windows: longer is stricter, and of equal ones that with the lower impact."""
        return Decimal(-10 * (self.before + self.after) + self.impact.rank)

    def __str__(self) -> str:
        return f"{self.before}/{self.after} {self.impact.value}"


@dataclass(frozen=True, slots=True)
class Weekend:
    action: WeekendAction = WeekendAction.KEEP
    minutes: int = 0

    def __str__(self) -> str:
        if self.action is WeekendAction.KEEP:
            return self.action.value
        return f"{self.action.value} {self.minutes}"


def _hours(value: object) -> WeekTable:
    if value == ALWAYS:
        return WeekTable()
    if not isinstance(value, str):
        raise DomainError("trading hours are text, such as mon-fri 08:00-17:30")
    windows = []
    for part in value.split(";"):
        found = PART.fullmatch(part.strip().lower())
        if found is None:
            raise DomainError(f"{part.strip()!r} is not like mon-fri 08:00-17:30")
        windows += _windows(found)
    return WeekTable(tuple(sorted(windows)), value.strip())


def _windows(found: re.Match[str]) -> list[tuple[int, int]]:
    first, last = DAYS.index(found[1]), DAYS.index(found[2] or found[1])
    start, end = int(found[3]) * 60 + int(found[4]), int(found[5]) * 60 + int(found[6])
    if last < first or not start < end <= DAY:
        raise DomainError("hours go forward: write times over midnight as two parts")
    return [(day * DAY + start, day * DAY + end) for day in range(first, last + 1)]


def _news(value: object) -> NewsWindow | None:
    if value == "none":
        return None
    found = NEWS.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise DomainError("a news window is like 30/15 high: minutes before, after, and impact")
    return NewsWindow(int(found[1]), int(found[2]), Impact(found[3]))


def _weekend(value: object) -> Weekend:
    if value == WeekendAction.KEEP.value:
        return Weekend()
    found = WEEKEND.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise DomainError("must be keep, or no_new or close with minutes, such as no_new 60")
    return Weekend(WeekendAction(found[1]), int(found[2]))


HOURS: Final = Kind(read=_hours, allowed="always, or mon-fri 08:00-17:30; sun 22:00-24:00")
NEWS_WINDOW: Final = Kind(
    read=_news,
    allowed="minutes before/after and impact such as 30/15 high, or none",
    write=lambda value: "none" if value is None else str(value),
)
WEEKEND_RULE: Final = Kind(read=_weekend, allowed="keep, no_new 60, or close 60")


@dataclass(frozen=True, kw_only=True)
class CalendarRules:
    trading_hours: WeekTable = setting(
        WeekTable(),
        HOURS,
        "When trades may be opened, in your time_zone; of several levels the hours in common.",
        merge=Merge.UNION,
        also_called=("schedule", "sessions", "skip-day", "trading hours"),
    )
    weekend: Weekend = setting(
        Weekend(WeekendAction.NO_NEW, 60),
        WEEKEND_RULE,
        "Before the weekend: keep everything, open nothing new so many minutes before, or close "
        "everything so many minutes before. Markets that never close are left alone.",
        also_called=("weekend auto-close", "Close on Friday"),
    )
    news_window: NewsWindow | None = setting(
        NewsWindow(30, 15, Impact.HIGH),
        NEWS_WINDOW,
        "Nothing is opened so many minutes before and after news of the symbol's currencies.",
        merge=Merge.LOWEST,
        also_called=("News filter", "newsFilter", "news blackout"),
    )
    news_blind: NewsBlind = setting(
        NewsBlind.ALLOW,
        choice(NewsBlind),
        "What happens while the calendar of news is missing, old or unreadable.",
    )
