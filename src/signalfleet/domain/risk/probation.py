"""Probation: a channel trades on paper first, then with a part of the size, then in full."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from itertools import accumulate
from typing import Any, Final

from signalfleet.domain.errors import DomainError
from signalfleet.domain.risk.refusal import Check
from signalfleet.domain.settings.catalogue import Rules
from signalfleet.domain.settings.resolve import Effective

STEPS_KEPT: Final = 20
SKIPPED: Final = "you chose to skip it"
SWITCHED_OFF: Final = "your setting probation is off"
UNREADABLE: Final = "what was kept of it cannot be read"


class Stage(StrEnum):
    PAPER = "paper"
    REDUCED = "reduced"
    FULL = "full"

    @property
    def before(self) -> "Stage":
        """Return the stage to which a channel goes back."""
        return Stage.REDUCED if self is Stage.FULL else Stage.PAPER


@dataclass(frozen=True, slots=True, kw_only=True)
class StageStep:
    """A change of stage, as it is shown: when, to what, and why."""

    at: datetime
    stage: Stage
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Probation:
    """Where a channel is. What came before `since` counts no more."""

    stage: Stage
    since: datetime
    why: str
    steps: tuple[StageStep, ...] = ()

    @classmethod
    def begun(cls, now: datetime, why: str = "the channel is new") -> "Probation":
        step = StageStep(at=now, stage=Stage.PAPER, why=why)
        return cls(stage=Stage.PAPER, since=now, why=why, steps=(step,))

    def moved(self, stage: Stage, why: str, now: datetime) -> "Probation":
        step = StageStep(at=now, stage=stage, why=why)
        steps = (*self.steps, step)[-STEPS_KEPT:]
        return replace(self, stage=stage, since=now, why=why, steps=steps)

    def document(self) -> dict[str, object]:
        return {
            "stage": self.stage.value,
            "since": self.since.isoformat(),
            "why": self.why,
            "steps": [
                {"at": one.at.isoformat(), "stage": one.stage.value, "why": one.why}
                for one in self.steps
            ],
        }

    @classmethod
    def of_document(cls, doc: Mapping[str, Any]) -> "Probation":
        """Read a stored document; raise DomainError if it says nothing certain."""
        try:
            return cls(
                stage=Stage(doc["stage"]),
                since=_moment(doc["since"]),
                why=str(doc["why"]),
                steps=tuple(
                    StageStep(at=_moment(one["at"]), stage=Stage(one["stage"]), why=str(one["why"]))
                    for one in doc["steps"]
                ),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise DomainError("a stored probation cannot be read") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class ClosedSignal:
    """A signal of which nothing is open any more; `r` is its result by what it could lose."""

    closed_at: datetime
    r: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelRecord:
    """What a channel did in its stage: signals that were taken, and those that closed, in order."""

    taken: int = 0
    closed: tuple[ClosedSignal, ...] = ()

    def expectancy(self, last: int | None = None) -> Decimal | None:
        """Return the mean result in R, of the last ones if a number is given; None of nothing."""
        counted = self.closed if last is None else self.closed[-last:]
        if not counted:
            return None
        return sum((one.r for one in counted), Decimal(0)) / len(counted)

    @property
    def drawdown(self) -> Decimal:
        """Return the largest fall of the summed results, in R."""
        sums = [Decimal(0), *accumulate(one.r for one in self.closed)]
        peaks = accumulate(sums, max)
        return max(peak - now for peak, now in zip(peaks, sums, strict=True))


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a channel is: `next` says what would happen now, `missing` what it still lacks."""

    record: ChannelRecord
    next: Stage | None
    why: str
    missing: tuple[str, ...]


def progress_of(
    probation: Probation, record: ChannelRecord, rules: Rules, now: datetime
) -> Progress:
    """Say whether a channel goes a stage up or back, or what it lacks for the next one."""
    wanted = int(rules.probation_closed)
    last = record.expectancy(wanted)
    is_losing = len(record.closed) >= wanted and last is not None and last < 0
    if is_losing and last is not None:
        text = f"its last {wanted} closed signals lost {-last:.2f} R each on average"
        back = None if probation.stage is Stage.PAPER else probation.stage.before
        return Progress(record=record, next=back, why=text, missing=(f"{text}: it must win",))
    if probation.stage is Stage.FULL:
        return Progress(record=record, next=None, why="", missing=())
    up = Stage.REDUCED if probation.stage is Stage.PAPER else Stage.FULL
    if up is Stage.REDUCED:
        missing, why = _paper(probation, record, rules, now)
    else:
        missing, why = _reduced(record, rules)
    return Progress(record=record, next=None if missing else up, why=why, missing=missing)


def _paper(
    probation: Probation, record: ChannelRecord, rules: Rules, now: datetime
) -> tuple[tuple[str, ...], str]:
    wanted, days = int(rules.probation_signals), timedelta(days=float(rules.probation_days))
    if record.taken >= wanted:
        return (), f"{record.taken} signals were taken on paper"
    if now - probation.since >= days:
        return (), f"{days.days} days have passed on paper"
    until = probation.since + days
    count = f"{wanted - record.taken} more signals on paper, to {wanted}"
    return (f"{count}; or time, until {until.day} {until:%B}",), ""


def _reduced(record: ChannelRecord, rules: Rules) -> tuple[tuple[str, ...], str]:
    wanted, most = int(rules.probation_closed), rules.probation_drawdown
    missing = []
    expectancy = record.expectancy()
    if len(record.closed) < wanted:
        missing.append(f"{wanted - len(record.closed)} more closed signals, to {wanted}")
    if expectancy is not None and expectancy < 0:
        missing.append(f"a mean result of 0 R or more: it is {expectancy:.2f} R")
    if record.drawdown > most:
        missing.append(f"a largest fall of {most:f} R or less: it was {record.drawdown:.2f} R")
    why = f"{len(record.closed)} signals closed, {expectancy or Decimal(0):+.2f} R each on average"
    return tuple(missing), why


def check_probation(stage: Stage, *, is_paper: bool) -> Check:
    """Real money is not traded by a channel that is still on paper."""
    return Check(
        name="probation",
        value="on paper" if stage is Stage.PAPER else stage.value,
        limit="reduced or full, but for paper accounts",
        source="this channel",
        passed=is_paper or stage is not Stage.PAPER,
        code="on_probation",
    )


def reduced(effective: Effective, stage: Stage) -> Effective:
    """Return the settings with the size that the stage allows; the size says where it is from."""
    rules = effective.rules
    if stage is not Stage.REDUCED or rules.probation_share == 1:
        return effective
    share = f"probation, {rules.probation_share.normalize():f} of {rules.size_factor:f}"
    return replace(
        effective,
        rules=replace(rules, size_factor=rules.size_factor * rules.probation_share),
        sources={
            **effective.sources,
            "size_factor": f"{share} from {effective.source('size_factor')}",
        },
    )


def closed_of(results: Sequence[tuple[datetime, Decimal]]) -> tuple[ClosedSignal, ...]:
    """Return closed signals in the order of their ends."""
    return tuple(ClosedSignal(closed_at=at, r=r) for at, r in sorted(results))


def _moment(text: object) -> datetime:
    found = datetime.fromisoformat(str(text))
    if found.tzinfo is None:
        raise ValueError("a moment without a time zone")
    return found
