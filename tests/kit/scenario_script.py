"""Scenarios as they are written down: who trades with which settings, what happens, what follows.

A script is a list of lines. docs/scenarios.md explains each of them.
"""

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from signalfleet.domain.risk.facts import NewsEvent, NewsView
from signalfleet.domain.settings.choices import Impact

FOLDER: Final = Path(__file__).parents[1] / "scenarios"
START: Final = "2026-03-02 10:00"
NEW_LINE: Final = " // "
_LINE: Final = re.compile(r"(?P<verb>\w+)(?P<words>[^:=]*)(?::\s*(?P<text>.*))?")


class ScriptError(ValueError):
    """A scenario that cannot be played; the text says which line and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One line: a verb, the words after it, and what stands behind the colon."""

    line: str
    verb: str
    words: tuple[str, ...]
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """`account` are fields of the simulated account; `shows` is one sentence for the table.

    `pardons` are rules of MetaApi that a fault of the scenario itself makes the bot seem to break.
    """

    name: str
    kind: str
    shows: str
    steps: tuple[Step, ...]
    netting: bool
    settings: Mapping[str, object]
    account: Mapping[str, object]
    tier: str
    zone: str
    start: datetime
    pardons: frozenset[str]
    news: NewsView | None
    second: Mapping[str, object] | None
    has_paper: bool


def load_scenarios(folder: Path = FOLDER) -> tuple[Scenario, ...]:
    """Read every scenario, in the order of their files and within them."""
    found = tuple(one for path in sorted(folder.glob("*.toml")) for one in _read(path))
    names = [one.name for one in found]
    doubles = {name for name in names if names.count(name) > 1}
    if doubles:
        raise ScriptError(f"two scenarios have the same name: {', '.join(sorted(doubles))}")
    return found


def _read(path: Path) -> Iterator[Scenario]:
    for entry in tomllib.loads(path.read_text(encoding="utf-8"))["scenario"]:
        yield scenario_of(path.stem, dict(entry))


def scenario_of(kind: str, entry: dict[str, Any]) -> Scenario:
    name = entry.pop("name")
    account = dict(entry.pop("account", {}))
    start = _moment(entry.pop("start", START))
    made = Scenario(
        name=name,
        kind=kind,
        shows=entry.pop("shows"),
        steps=tuple(_steps(entry.pop("script"))),
        netting=entry.pop("netting", False),
        settings=entry.pop("settings", {}),
        account=account,
        tier=entry.pop("tier", "OPERATOR"),
        zone=entry.pop("zone", "UTC"),
        start=start,
        news=_news(entry.pop("news"), start) if "news" in entry else None,
        pardons=frozenset(entry.pop("pardons", ())),
        second=entry.pop("second", None),
        has_paper=entry.pop("paper", False),
    )
    if entry:
        raise ScriptError(f"{name}: nobody knows {', '.join(entry)}")
    if not any(step.verb == "expect" for step in made.steps):
        raise ScriptError(f"{name}: it expects nothing")
    return made


def _moment(text: str) -> datetime:
    return datetime.strptime(text, "%Y-%m-%d %H:%M").replace(tzinfo=UTC)


def _news(given: list[dict[str, str]] | str, start: datetime) -> NewsView:
    """Read a calendar's events, or what trouble it has; it was read a minute before the start."""
    if isinstance(given, str):
        return NewsView(trouble=given, is_configured=True)
    events = tuple(
        NewsEvent(
            at=_moment(one["at"]),
            currency=one["currency"],
            impact=Impact(one["impact"]),
            title=one["title"],
        )
        for one in given
    )
    return NewsView(events=events, read_at=start - timedelta(minutes=1), is_configured=True)


def _steps(script: str) -> Iterator[Step]:
    for raw in script.splitlines():
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        found = _LINE.fullmatch(line) or _LINE.fullmatch(line.replace("=", ":", 1))
        if found is None:
            raise ScriptError(f"{line!r} is no step")
        text = (found["text"] or "").replace(NEW_LINE, "\n")
        words = tuple(found["words"].split())
        yield Step(line=line, verb=found["verb"], words=words, text=text)
