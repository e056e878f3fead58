"""Until when a signal may be entered, where its text says so.

Only what can be placed in time without guessing counts: a time of day needs its zone, a span
of time counts from the post. Everything else leaves the user's own limit in force.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta, timezone
from decimal import Decimal
from itertools import pairwise
from typing import Final

from signalfleet.domain.errors import DomainError
from signalfleet.domain.signals import text
from signalfleet.domain.signals.model import Span

UNITS: Final[Mapping[str, timedelta]] = {
    "minutes": timedelta(minutes=1),
    "hours": timedelta(hours=1),
    "days": timedelta(days=1),
}
KINDS: Final = frozenset({"until", "within", "day", *UNITS})
LONGEST: Final = timedelta(days=30)
MAX_DIGITS: Final = 4
MAX_OFFSET_HOURS: Final = 14
NEAR: Final = 4
"""How many tokens after its phrase a time or a number may begin."""
DAY_HOURS: Final = 24
HALF_DAY: Final = 12
CLOCK: Final = re.compile(r"(\d{1,2}):(\d\d)(?::\d\d)?")
GLUED: Final = 3
ZONES: Final = frozenset({"gmt", "utc"})

Phrase = tuple[tuple[str, ...], str]
"""The tokens of a phrase, and its kind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Phrases:
    """First token -> the phrases that begin with it, the longest first.

    A text without any of the tokens `leads` states no end, which is quickly seen.
    """

    table: Mapping[str, Sequence[Phrase]] = field(default_factory=dict)
    leads: frozenset[str] = frozenset()


NO_PHRASES: Final = Phrases()


def build_phrases(languages: Mapping[str, Mapping[str, Iterable[str]]]) -> Phrases:
    """Build the table from the contents of `data/expiry.toml`: language -> kind -> phrases."""
    found: dict[str, list[Phrase]] = {}
    leads: set[str] = set()
    for language, kinds in languages.items():
        for kind, phrases in kinds.items():
            if kind not in KINDS:
                raise DomainError(f"{language}: {kind!r} is no kind of expiry")
            for phrase in phrases:
                key = tuple(piece for _, piece, _, _ in text.tokens(text.fold(phrase)))
                if not key:
                    raise DomainError(f"{language}: {phrase!r} holds no word")
                found.setdefault(key[0], []).append((key, kind))
                if kind not in UNITS:
                    leads.add(key[0])
    table = {first: sorted(known, key=lambda one: -len(one[0])) for first, known in found.items()}
    return Phrases(table=table, leads=frozenset(leads))


def stated_expiry(
    source: str, posted_at: datetime, phrases: Phrases
) -> tuple[datetime, Span] | None:
    """Return the earliest end that a text states, with the words that say so."""
    pieces = text.tokens(text.fold(source))
    ends: list[tuple[datetime, int, int]] = []
    for at in range(len(pieces)):
        found = _phrase(pieces, at, phrases)
        if found is None or found[1] in UNITS:
            continue
        behind, kind = found
        stated = _end(pieces, behind, kind, posted_at, phrases)
        if stated is not None:
            ends.append((stated[0], at, stated[1]))
    if not ends:
        return None
    end, first, last = min(ends)
    places = text.offsets(source)
    start, stop = places[pieces[first][2]], places[pieces[last][3] - 1] + 1
    return end, Span(field="expires", start=start, end=stop)


def _phrase(pieces: list[text.Token], at: int, phrases: Phrases) -> tuple[int, str] | None:
    """Return where the longest phrase that begins here ends, and its kind."""
    for key, kind in phrases.table.get(pieces[at][1], ()):
        if tuple(piece for _, piece, _, _ in pieces[at : at + len(key)]) == key:
            return at + len(key), kind
    return None


def _end(
    pieces: list[text.Token], at: int, kind: str, posted_at: datetime, phrases: Phrases
) -> tuple[datetime, int] | None:
    """Return the end that follows a phrase, and the last token that belongs to it."""
    if kind == "day":
        midnight = posted_at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        return midnight + timedelta(days=1), at - 1
    for begin in range(at, min(at + NEAR, len(pieces))):
        token = pieces[begin][0]
        if token == text.LINE:
            return None
        if kind == "until" and token == text.MOMENT:
            return _clock(pieces, begin, posted_at)
        if kind == "within" and token == text.NUMBER:
            return _lasting(pieces, begin, posted_at, phrases)
        if token not in (text.MARK, text.WORD):
            return None
    return None


def _lasting(
    pieces: list[text.Token], at: int, posted_at: datetime, phrases: Phrases
) -> tuple[datetime, int] | None:
    digits = pieces[at][1].replace(",", ".")
    unit = _phrase(pieces, at + 1, phrases) if at + 1 < len(pieces) else None
    if unit is None or unit[1] not in UNITS or len(digits) > MAX_DIGITS or digits.count(".") > 1:
        return None
    seconds = int(Decimal(digits) * int(UNITS[unit[1]].total_seconds()))
    lasting = timedelta(seconds=seconds)
    return (posted_at + lasting, unit[0] - 1) if timedelta(0) < lasting <= LONGEST else None


def _clock(pieces: list[text.Token], at: int, posted_at: datetime) -> tuple[datetime, int] | None:
    """Place a time of day with its zone on the next such moment after the post."""
    found = CLOCK.fullmatch(pieces[at][1])
    if found is None:
        return None
    hour, minute, last = int(found[1]), int(found[2]), at
    half = pieces[at + 1][1] if at + 1 < len(pieces) else ""
    if half in {"am", "pm"} and 1 <= hour <= HALF_DAY:
        hour = hour % HALF_DAY + (HALF_DAY if half == "pm" else 0)
        last += 1
    zone = _zone(pieces, last + 1)
    if zone is None or hour >= DAY_HOURS or minute >= 60:  # noqa: PLR2004 - minutes of an hour
        return None
    offset, last = zone
    day = posted_at.astimezone(offset).date()
    end = datetime.combine(day, time(hour, minute), offset).astimezone(UTC)
    return (end if end > posted_at else end + timedelta(days=1)), last


def _zone(pieces: list[text.Token], at: int) -> tuple[timezone, int] | None:
    """Read GMT, UTC, or one of them with whole hours: the zones that mean one thing only."""
    if at < len(pieces) and pieces[at][1] == "(":
        at += 1
    if at >= len(pieces) or pieces[at][1] not in ZONES:
        return None
    glued = [
        after
        for before, after in pairwise(pieces[at : at + GLUED])
        if before[3] == after[2] and after[1] not in {")", ".", ","}
    ]
    if not glued:
        return UTC, at
    sign, hours = glued[0][1], glued[1][1] if len(glued) > 1 else ""
    if sign not in {"+", "-"} or not re.fullmatch(r"\d{1,2}", hours):
        return None
    if int(hours) > MAX_OFFSET_HOURS:
        return None
    return timezone(timedelta(hours=int(hours) * (1 if sign == "+" else -1))), at + 2
