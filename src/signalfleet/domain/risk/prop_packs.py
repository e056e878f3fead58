"""Rules of prop firms as data: the strictest limits for one account, with their source and date."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Any, Final

from signalfleet.domain.errors import DomainError
from signalfleet.domain.settings.resolve import problems_of

SLUG: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")
STATIC: Final = "static"
_KINDS: Final = {
    STATIC: "start",
    "trailing": "peak",
    "trailing_end_of_day": "day_peak",
    "trailing_to_start": "peak_to_start",
    "trailing_end_of_day_to_start": "day_peak_to_start",
}
_SETTINGS: Final = {
    "daily_loss": "daily_loss",
    "total_loss": "total_drawdown",
    "daily_anchor": "loss_anchor",
    "reset_time": "loss_reset",
    "reset_zone": "time_zone",
    "news_window": "news_window",
    "weekend": "weekend",
    "max_lots": "max_lots",
}
_OTHERS: Final = frozenset(
    {"name", "source", "read_on", "total_kind", "hedging", "third_party_signals"}
)


class Signals(StrEnum):
    """Whether a firm lets its traders follow the signals of others."""

    FORBIDDEN = "forbidden"
    ALLOWED = "allowed"
    UNCLEAR = "unclear"


@dataclass(frozen=True, slots=True, kw_only=True)
class PropPack:
    """`settings` is a level's document that nothing may loosen."""

    slug: str
    name: str
    source: str
    read_on: date
    signals: Signals
    settings: Mapping[str, object]

    @property
    def version(self) -> str:
        """Return what a confirmation is about: another date of reading needs another one."""
        return f"{self.slug} {self.read_on.isoformat()}"


def build_pack(slug: str, content: Mapping[str, Any]) -> PropPack:
    """Build a pack from a file's content; DomainError names what is wrong with it."""
    if not SLUG.fullmatch(slug):
        raise DomainError(f"{slug!r} is no name of a rule pack")
    unknown = set(content) - set(_SETTINGS) - _OTHERS
    if unknown:
        raise DomainError(f"{slug}: unknown fields {', '.join(sorted(unknown))}")
    missing = {"name", "source", "read_on", "daily_loss", "total_loss", "third_party_signals"}
    missing -= set(content)
    if missing:
        raise DomainError(f"{slug}: {', '.join(sorted(missing))} must be given")
    kind = _KINDS.get(str(content.get("total_kind", STATIC)))
    if kind is None:
        raise DomainError(f"{slug}: total_kind must be one of {', '.join(_KINDS)}")
    if not isinstance(content["read_on"], date):
        raise DomainError(f"{slug}: read_on must be a date")
    settings = {key: content[field] for field, key in _SETTINGS.items() if field in content}
    settings["drawdown_from"] = kind
    if content.get("hedging") is False:
        settings["conflict"] = "refuse_new"
    problems = problems_of(settings, "account")
    if problems:
        raise DomainError(f"{slug}: {' '.join(problems)}")
    try:
        signals = Signals(str(content["third_party_signals"]))
    except ValueError as error:
        allowed = ", ".join(Signals)
        raise DomainError(f"{slug}: third_party_signals must be one of {allowed}") from error
    return PropPack(
        slug=slug,
        name=str(content["name"]),
        source=str(content["source"]),
        read_on=content["read_on"],
        signals=signals,
        settings=settings,
    )
