"""The books of an account's losses: from what each period counts, and which limit was reached."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, time, timedelta, tzinfo
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Any, Final

from signalfleet.domain.errors import DomainError
from signalfleet.domain.risk.facts import LossLine
from signalfleet.domain.settings.catalogue import Rules
from signalfleet.domain.settings.choices import LossAnchor

WARN_AT: Final = Decimal("0.8")


class Period(StrEnum):
    DAY = "day"
    WEEK = "week"
    TOTAL = "total"


_LIMITS: Final = {
    Period.DAY: ("daily_loss", "loss of the day"),
    Period.WEEK: ("weekly_loss", "loss of the week"),
    Period.TOTAL: ("total_drawdown", "loss in all"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Anchor:
    """What was there when a period began, or when we first looked after that."""

    start: datetime
    balance: Decimal
    equity: Decimal

    def money(self, kind: LossAnchor) -> Decimal:
        match kind:
            case LossAnchor.BALANCE:
                return self.balance
            case LossAnchor.EQUITY:
                return self.equity
            case LossAnchor.HIGHER_OF_BOTH:
                return max(self.balance, self.equity)


@dataclass(frozen=True, slots=True, kw_only=True)
class LossBook:
    """Kept with the account's settings, so that a restart forgets no loss."""

    anchors: Mapping[Period, Anchor] = field(default_factory=dict)
    reached: frozenset[Period] = frozenset()
    warned: frozenset[Period] = frozenset()

    def rolled(
        self, now: datetime, zone: tzinfo, reset: time, balance: Decimal, equity: Decimal
    ) -> "LossBook":
        """Begin each period anew whose time has come; a limit reached in it is open again."""
        starts = {
            Period.DAY: day_start(now, zone, reset),
            Period.WEEK: week_start(now, zone, reset),
            Period.TOTAL: datetime.min.replace(tzinfo=UTC),
        }
        due = {
            period
            for period, start in starts.items()
            if period not in self.anchors or self.anchors[period].start < start
        }
        if not due:
            return self
        fresh = {period: Anchor(start=now, balance=balance, equity=equity) for period in due}
        return LossBook(
            anchors={**self.anchors, **fresh},
            reached=self.reached - due,
            warned=self.warned - due,
        )

    @classmethod
    def all_reached(cls, now: datetime, balance: Decimal, equity: Decimal) -> "LossBook":
        """Return a book that lets nothing be opened: what was lost before is not known."""
        anchor = Anchor(start=now, balance=balance, equity=equity)
        every = frozenset(Period)
        return cls(anchors=dict.fromkeys(Period, anchor), reached=every, warned=every)

    def without_total(self) -> "LossBook":
        """Begin to count the loss in all anew, as the user asked."""
        gone = {Period.TOTAL}
        kept = {period: one for period, one in self.anchors.items() if period not in gone}
        return LossBook(anchors=kept, reached=self.reached - gone, warned=self.warned - gone)

    def lines(self, rules: Rules) -> tuple[LossLine, ...]:
        """Return the limits that are set, with what each counts from."""
        found = []
        for period, (key, name) in _LIMITS.items():
            percent: Decimal | None = getattr(rules, key)
            anchor = self.anchors.get(period)
            if percent is None or anchor is None:
                continue
            line = LossLine(
                name=name,
                code=key,
                key=key,
                percent=percent,
                anchor=anchor.money(rules.loss_anchor),
                reached=period in self.reached,
            )
            found.append(line)
        return tuple(found)

    def seen(self, equity: Decimal, rules: Rules) -> tuple["LossBook", tuple["Crossing", ...]]:
        """Compare the equity with the limits; return what was crossed for the first time."""
        reached, warned, crossed = set(self.reached), set(self.warned), []
        periods = {key: period for period, (key, _) in _LIMITS.items()}
        for line in self.lines(rules):
            period = periods[line.key]
            allowed, lost = line.anchor - line.floor, line.anchor - equity
            if period not in reached and lost >= allowed:
                reached.add(period)
                crossed.append(Crossing(line=line, lost=lost, is_reached=True))
            elif period not in warned and period not in reached and lost >= allowed * WARN_AT:
                warned.add(period)
                crossed.append(Crossing(line=line, lost=lost, is_reached=False))
        book = replace(self, reached=frozenset(reached), warned=frozenset(warned))
        return book, tuple(crossed)

    def document(self) -> dict[str, object]:
        return {
            "anchors": {
                period.value: {
                    "start": one.start.isoformat(),
                    "balance": str(one.balance),
                    "equity": str(one.equity),
                }
                for period, one in self.anchors.items()
            },
            "reached": sorted(self.reached),
            "warned": sorted(self.warned),
        }

    @classmethod
    def of_document(cls, doc: Mapping[str, object]) -> "LossBook":
        """Read a stored book; DomainError if it cannot be read: a loss must not be forgotten."""
        try:
            return cls(
                anchors={Period(key): _anchor(one) for key, one in _dict(doc, "anchors").items()},
                reached=_periods(doc, "reached"),
                warned=_periods(doc, "warned"),
            )
        except (ValueError, KeyError, TypeError, InvalidOperation) as error:
            raise DomainError("the stored record of losses cannot be read") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Crossing:
    """A limit that was reached, or of which four fifths are used up."""

    line: LossLine
    lost: Decimal
    is_reached: bool

    @property
    def text(self) -> str:
        percent = self.lost / self.line.anchor * 100 if self.line.anchor > 0 else Decimal(0)
        return f"the {self.line.name} is {percent:.2f} %, your limit is {self.line.percent:f} %"


def day_start(now: datetime, zone: tzinfo, reset: time) -> datetime:
    """Return when the day began that `now` is in; where clocks change, days are longer or shorter.

    Wall-clock times are combined with the zone and compared in UTC: a reset at a time that a clock
    change leaves out comes with the change, one that comes twice counts the first time.
    """
    date = now.astimezone(zone).date() + timedelta(days=1)
    while True:
        start = datetime.combine(date, reset, zone).astimezone(UTC)
        if start <= now:
            return start
        date -= timedelta(days=1)


def week_start(now: datetime, zone: tzinfo, reset: time) -> datetime:
    """Return when the week began: at the reset time of its Monday."""
    date = now.astimezone(zone).date() + timedelta(days=1)
    while True:
        start = datetime.combine(date, reset, zone).astimezone(UTC)
        if date.weekday() == 0 and start <= now:
            return start
        date -= timedelta(days=1)


def _anchor(value: Any) -> Anchor:  # noqa: ANN401 - what JSON held
    start = datetime.fromisoformat(value["start"])
    if start.tzinfo is None:
        raise ValueError("no time zone")
    return Anchor(start=start, balance=_money(value["balance"]), equity=_money(value["equity"]))


def _money(value: str) -> Decimal:
    found = Decimal(value)
    if not found.is_finite():
        raise ValueError("not an amount")
    return found


def _dict(doc: Mapping[str, object], key: str) -> Mapping[str, Any]:
    value = doc.get(key, {})
    if not isinstance(value, Mapping):
        raise TypeError(key)
    return value


def _periods(doc: Mapping[str, object], key: str) -> frozenset[Period]:
    value = doc.get(key, [])
    words: Sequence[Any] = value if isinstance(value, list | tuple) else ()
    return frozenset(Period(str(word)) for word in words)
