"""Which notices go to which place outside the pages, and which of them have got there."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, time, timedelta
from enum import StrEnum
from typing import Final

from signalfleet.domain.accounts.notices import Notice, NoticeKind, NoticeLevel
from signalfleet.domain.errors import DomainError

TOGETHER: Final = 10
"""Notices that go out as one message at most."""
KEPT_BACK: Final = 50
"""Notices that quiet hours hold at most; the oldest are left to the page."""
TOO_OLD: Final = timedelta(hours=24)
MAX_UNSURE: Final = 2
"""How often a message may go out whose arrival is not known."""


class TargetKind(StrEnum):
    TELEGRAM = "telegram"
    EMAIL = "email"
    PUSH = "push"


_EVERYTHING: Final = frozenset(NoticeLevel)
ABOUT_TARGETS: Final = "target:"


@dataclass(frozen=True, slots=True, kw_only=True)
class QuietHours:
    """From `begin` until `end` on the user's clock; over midnight if it ends before it begins."""

    begin: time
    end: time

    def covers(self, local: datetime) -> bool:
        now = local.time()
        if self.begin <= self.end:
            return self.begin <= now < self.end
        return now >= self.begin or now < self.end


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """What a user wishes to be told, where and when. A target that is not named gets all."""

    levels: Mapping[TargetKind, frozenset[NoticeLevel]] = field(default_factory=dict)
    quiet: QuietHours | None = None
    summary_at: time | None = time(21)

    def wants(self, target: TargetKind, notice: Notice) -> bool:
        """Tell whether a notice goes to a target; its own trouble is told elsewhere."""
        if notice.about == f"{ABOUT_TARGETS}{target.value}":
            return False
        return notice.level in self.levels.get(target, _EVERYTHING)

    def is_quiet(self, notice: Notice, local: datetime) -> bool:
        """Tell whether a notice waits: what may have cost money never does."""
        if notice.level is not NoticeLevel.INFO or self.quiet is None:
            return False
        return notice.kind is not NoticeKind.DAILY_SUMMARY and self.quiet.covers(local)


@dataclass(frozen=True, slots=True, kw_only=True)
class Numbered:
    number: int
    notice: Notice


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """How far a target came. Each number up to `done` is there, left out, held or under way.

    `unsure`: how often what is under way may have arrived without our knowing it.
    """

    done: int = 0
    held: tuple[int, ...] = ()
    under_way: tuple[int, ...] = ()
    unsure: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """What goes out next, with the mark that must be stored before and the one for its arrival."""

    rows: tuple[Numbered, ...]
    mark: Mark
    given_up: int = 0

    @property
    def sending(self) -> Mark:
        """Return the mark while it is on its way: a crash counts as a message that may be there."""
        return replace(self.mark, unsure=self.mark.unsure + 1)

    @property
    def arrived(self) -> Mark:
        return replace(self.mark, under_way=(), unsure=0)


def next_batch(
    mark: Mark,
    rows: Sequence[Numbered],
    choices: Choices,
    target: TargetKind,
    now: datetime,
    local: datetime,
) -> Batch:
    """Choose what goes to a target now, from the stored rows (oldest first)."""
    known = {row.number: row for row in rows}
    given_up = 0
    if mark.under_way:
        again = [known[number] for number in mark.under_way if number in known]
        again = [row for row in again if now - row.notice.at <= TOO_OLD]
        if again and mark.unsure < MAX_UNSURE:
            under_way = tuple(row.number for row in again)
            left_out = len(mark.under_way) - len(again)
            return Batch(
                rows=tuple(again), mark=replace(mark, under_way=under_way), given_up=left_out
            )
        given_up = len(mark.under_way)
        mark = replace(mark, under_way=(), unsure=0)
    chosen: list[Numbered] = []
    held: list[int] = []
    done = mark.done
    for row in rows:
        if row.number <= mark.done and row.number not in mark.held:
            continue
        if len(chosen) == TOGETHER:
            if row.number in mark.held:
                held.append(row.number)
                continue
            break
        done = max(done, row.number)
        if now - row.notice.at > TOO_OLD or not choices.wants(target, row.notice):
            continue
        if choices.is_quiet(row.notice, local):
            held.append(row.number)
        else:
            chosen.append(row)
    after = Mark(
        done=done,
        held=tuple(held[-KEPT_BACK:]),
        under_way=tuple(row.number for row in chosen),
    )
    return Batch(rows=tuple(chosen), mark=after, given_up=given_up)


def choices_from(doc: Mapping[str, object]) -> Choices:
    """Read a stored document; what cannot be read counts as not chosen."""
    listed = doc.get("levels")
    levels: dict[TargetKind, frozenset[NoticeLevel]] = {}
    if isinstance(listed, dict):
        for kind in TargetKind:
            names = listed.get(kind.value)
            if isinstance(names, list):
                levels[kind] = frozenset(one for one in NoticeLevel if one.value in names)
    quiet: QuietHours | None = None
    begin, end = _time(doc.get("quiet_from")), _time(doc.get("quiet_until"))
    if begin is not None and end is not None and begin != end:
        quiet = QuietHours(begin=begin, end=end)
    summary = doc.get("summary_at", "21:00")
    return Choices(levels=levels, quiet=quiet, summary_at=_time(summary))


def choices_document(choices: Choices) -> dict[str, object]:
    """Write choices as `choices_from` reads them."""
    quiet = choices.quiet
    return {
        "levels": {
            kind.value: [one.value for one in NoticeLevel if one in levels]
            for kind, levels in choices.levels.items()
        },
        "quiet_from": "" if quiet is None else clock_text(quiet.begin),
        "quiet_until": "" if quiet is None else clock_text(quiet.end),
        "summary_at": "" if choices.summary_at is None else clock_text(choices.summary_at),
    }


def read_time(text: str) -> time:
    """Read HH:MM; DomainError says how it must look."""
    found = _time(text)
    if found is None:
        raise DomainError("a time of day looks like 07:30")
    return found


def clock_text(at: time) -> str:
    return at.strftime("%H:%M")


def _time(value: object) -> time | None:
    if not isinstance(value, str):
        return None
    hours, colon, minutes = value.partition(":")
    is_pair = colon == ":" and all(
        one.isascii() and one.isdecimal() and len(one) in (1, 2) for one in (hours, minutes)
    )
    if not is_pair or not (int(hours) < 24 and int(minutes) < 60):  # noqa: PLR2004
        return None
    return time(int(hours), int(minutes))


def mark_from(doc: Mapping[str, object]) -> Mark:
    """Read a stored mark; an absent one has come nowhere yet."""

    def numbers(name: str) -> tuple[int, ...]:
        listed = doc.get(name)
        return tuple(n for n in listed if isinstance(n, int)) if isinstance(listed, list) else ()

    def number(name: str) -> int:
        value = doc.get(name)
        return value if isinstance(value, int) else 0

    return Mark(
        done=number("done"),
        held=numbers("held"),
        under_way=numbers("under_way"),
        unsure=number("unsure"),
    )


def mark_document(mark: Mark) -> dict[str, object]:
    return {
        "done": mark.done,
        "held": list(mark.held),
        "under_way": list(mark.under_way),
        "unsure": mark.unsure,
    }
