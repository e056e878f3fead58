"""Numbers and times as people read them. A sign is always shown where money is won or lost."""

import unicodedata
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from decimal import ROUND_HALF_UP, Decimal
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

MINUS: Final = "\N{MINUS SIGN}"
THIN_SPACE: Final = "\N{NARROW NO-BREAK SPACE}"
NOTHING: Final = "\N{EN DASH}"
CENT: Final = Decimal("0.01")
MINUTE: Final = timedelta(minutes=1)
HOUR: Final = timedelta(hours=1)
DAY: Final = timedelta(days=1)
BIDI_CONTROLS: Final = frozenset(
    chr(c) for c in (0x61C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A))
)


def amount(value: Decimal | None, digits: int = 2) -> str:
    """Group thousands with thin spaces: 10 482.15."""
    if value is None:
        return NOTHING
    text = f"{value:,.{digits}f}".replace(",", THIN_SPACE)
    return text.replace("-", MINUS)


def signed(value: Decimal | None, digits: int = 2) -> str:
    """Like `amount`, with a plus or a minus; zero has no sign."""
    if value is None:
        return NOTHING
    rounded = value.quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP)
    if rounded.is_zero():
        return amount(abs(rounded), digits)
    return f"+{amount(rounded, digits)}" if rounded > 0 else amount(rounded, digits)


def tone(value: Decimal | None) -> str:
    """Return the class of a won or lost amount: up, down or flat."""
    if value is None or abs(value) < CENT / 2:
        return "flat"
    return "up" if value > 0 else "down"


def percent(value: Decimal | None, digits: int = 1) -> str:
    return NOTHING if value is None else f"{value:.{digits}f}{THIN_SPACE}%".replace("-", MINUS)


def plain(value: object) -> str:
    """Show a value of a stored trace: text as it is, nothing as a dash."""
    if value is None or value == "":
        return NOTHING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(plain(item) for item in value)
    if isinstance(value, dict):
        return ", ".join(f"{key} {plain(item)}" for key, item in value.items())
    return str(value)


def seconds(span: timedelta | None) -> str:
    """Show how long something took: 0.41 s, 12.3 s, 3 min 04 s, 2 h 05 min."""
    if span is None:
        return NOTHING
    total = max(span.total_seconds(), 0.0)
    if total < 10:  # noqa: PLR2004
        return f"{total:.2f} s"
    if total < 60:  # noqa: PLR2004
        return f"{total:.1f} s"
    minutes, rest = divmod(int(total), 60)
    if minutes < 60:  # noqa: PLR2004
        return f"{minutes} min {rest:02d} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours < 24 else f"{hours // 24} d {hours % 24} h"  # noqa: PLR2004


def since(span: timedelta) -> str:
    """Show a step's distance from the message's own time."""
    return f"+{seconds(span)}" if span >= timedelta(0) else f"{MINUS}{seconds(-span)}"


def age(span: timedelta) -> str:
    """Show roughly how old something is, in one unit."""
    span = max(span, timedelta(0))
    for unit, word in ((DAY, "d"), (HOUR, "h"), (MINUTE, "min")):
        if span >= unit:
            return f"{span // unit} {word}"
    return f"{span // timedelta(seconds=1)} s"


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """A point in time in the user's zone; `utc` for machines and for the hover text."""

    shown: str
    clock: str
    utc: str


class Times:
    """Writes times in one user's zone."""

    def __init__(self, zone: str, now: datetime) -> None:
        self.zone = zone_of(zone)
        self.now = now
        self.name = str(self.zone)

    @property
    def midnight(self) -> datetime:
        """Return when the user's day began."""
        local = self.now.astimezone(self.zone)
        return local.replace(hour=0, minute=0, second=0, microsecond=0).astimezone(UTC)

    def at(self, moment: datetime) -> Moment:
        local = moment.astimezone(self.zone)
        clock = f"{local:%H:%M:%S}"
        is_today = local.date() == self.now.astimezone(self.zone).date()
        return Moment(
            shown=clock if is_today else f"{local.day} {local:%b %H:%M}",
            clock=clock,
            utc=f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%S}Z",
        )

    def age(self, moment: datetime) -> str:
        return age(self.now - moment)


def zone_of(name: str) -> tzinfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return UTC


def one_line(text: str, limit: int = 120) -> str:
    """Cut a foreign text to one line of visible characters; bidi controls are removed."""
    visible = "".join(" " if c.isspace() else c for c in text if c not in BIDI_CONTROLS)
    line = " ".join("".join(c for c in visible if unicodedata.category(c) != "Cc").split())
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "\N{HORIZONTAL ELLIPSIS}"
