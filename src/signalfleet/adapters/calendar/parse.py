"""Read events from a calendar's text: JSON rows, or iCalendar entries."""

import json
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from signalfleet.domain.risk.facts import NewsEvent
from signalfleet.domain.settings.choices import Impact

MOST: Final = 20_000
TITLE_CHARS: Final = 120
CURRENCY: Final = re.compile(r"\b([A-Z]{3})\b")
IMPACTS: Final[Mapping[str, Impact]] = {
    "low": Impact.LOW,
    "medium": Impact.MEDIUM,
    "moderate": Impact.MEDIUM,
    "high": Impact.HIGH,
    "1": Impact.LOW,
    "2": Impact.MEDIUM,
    "3": Impact.HIGH,
}
KNOWN: Final = frozenset(
    "ALL AUD BRL CAD CHF CNH CNY CZK DKK EUR GBP HKD HUF INR JPY KRW MXN NOK NZD PLN SEK SGD TRY "
    "USD ZAR".split()
)


class CalendarFormatError(ValueError):
    """The text is no calendar; the message says what is missing."""


def parse_calendar(text: str) -> tuple[NewsEvent, ...]:
    """Return the events in order of time; CalendarFormatError if none of the text can be read."""
    stripped = text.lstrip("\ufeff \r\n\t")
    if stripped.startswith("BEGIN:VCALENDAR"):
        found = _of_ical(stripped)
    elif stripped.startswith(("[", "{")):
        found = _of_json(stripped)
    else:
        raise CalendarFormatError("it is neither JSON nor iCalendar")
    return tuple(sorted(found, key=lambda event: (event.at, event.currency)))[:MOST]


def _of_json(text: str) -> list[NewsEvent]:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise CalendarFormatError("it is no valid JSON") from error
    rows = document.get("events") if isinstance(document, dict) else document
    if not isinstance(rows, list):
        raise CalendarFormatError("it holds no list of events")
    found = [event for row in rows if (event := _of_row(row)) is not None]
    if rows and not found:
        raise CalendarFormatError("no event has a time, a currency and an impact")
    return found


def _of_row(row: Any) -> NewsEvent | None:  # noqa: ANN401 - what JSON held
    if not isinstance(row, dict):
        return None
    currency = str(row.get("currency") or row.get("country") or "").upper()
    impact = IMPACTS.get(str(row.get("impact") or row.get("importance") or "").lower())
    at = _moment(row.get("at") or row.get("date") or row.get("time"))
    if at is None or impact is None or currency not in KNOWN:
        return None
    title = str(row.get("title") or row.get("event") or "news")[:TITLE_CHARS]
    return NewsEvent(at=at, currency=currency, impact=impact, title=title)


def _moment(value: object) -> datetime | None:
    """Read a time that says its offset; one without could be hours off."""
    try:
        found = datetime.fromisoformat(str(value))
        return found.astimezone(UTC) if found.tzinfo is not None else None
    except (ValueError, OverflowError):
        return None


def _of_ical(text: str) -> list[NewsEvent]:
    if "END:VCALENDAR" not in text:
        raise CalendarFormatError("the calendar is cut off")
    entries = list(_entries(text))
    found = [event for entry in entries if (event := _of_entry(entry)) is not None]
    if entries and not found:
        raise CalendarFormatError("no entry has a time in UTC, a currency and an impact")
    return found


def _entries(text: str) -> Iterator[dict[str, str]]:
    # A line that begins with a blank goes on from the one before.
    lines = re.sub(r"\r?\n[ \t]", "", text).splitlines()
    entry: dict[str, str] | None = None
    for line in lines:
        if line == "BEGIN:VEVENT":
            entry = {}
        elif line == "END:VEVENT" and entry is not None:
            yield entry
            entry = None
        elif entry is not None:
            name, _, value = line.partition(":")
            entry[name.partition(";")[0].upper()] = value.replace("\\,", ",").replace("\\n", " ")


def _of_entry(entry: Mapping[str, str]) -> NewsEvent | None:
    try:
        at = datetime.strptime(entry["DTSTART"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except (KeyError, ValueError):
        return None
    said = " ".join(entry.get(key, "") for key in ("SUMMARY", "CATEGORIES", "DESCRIPTION"))
    currency = next((one for one in CURRENCY.findall(said) if one in KNOWN), None)
    words = set(re.findall(r"[a-z]+", said.lower()))
    impact = next((IMPACTS[w] for w in ("high", "medium", "moderate", "low") if w in words), None)
    if impact is None:
        impact = {"1": Impact.HIGH, "5": Impact.MEDIUM, "9": Impact.LOW}.get(
            entry.get("PRIORITY", "")
        )
    if currency is None or impact is None:
        return None
    title = entry.get("SUMMARY", "news")[:TITLE_CHARS]
    return NewsEvent(at=at, currency=currency, impact=impact, title=title)
