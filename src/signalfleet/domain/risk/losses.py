"""The books of an account's losses: from what each period counts, and which limit was reached."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, time, timedelta, tzinfo
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Any, Final

from signalfleet.domain.errors import DomainError
from signalfleet.domain.risk.balances import NO_BALANCE, BalanceBook, amount_of, time_of
from signalfleet.domain.risk.facts import LossLine, Movement
from signalfleet.domain.settings.catalogue import Rules
from signalfleet.domain.settings.choices import DrawdownFrom, LossAnchor
from signalfleet.domain.settings.loss_limits import LossLimit

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

    def shifted(self, amount: Decimal) -> "Anchor":
        """Return it after a payment: what was paid in or out was not won or lost."""
        return replace(self, balance=self.balance + amount, equity=self.equity + amount)

    def highest(self, other: "Anchor | None") -> "Anchor":
        if other is None:
            return self
        return replace(
            self,
            balance=max(self.balance, other.balance),
            equity=max(self.equity, other.equity),
        )

    def document(self) -> dict[str, object]:
        return {
            "start": self.start.isoformat(),
            "balance": str(self.balance),
            "equity": str(self.equity),
        }

    @classmethod
    def of_document(cls, value: Any) -> "Anchor":  # noqa: ANN401 - what JSON held
        return cls(
            start=time_of(value["start"]),
            balance=amount_of(value["balance"]),
            equity=amount_of(value["equity"]),
        )

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
    """Kept with the account's settings, so that a restart forgets no loss.

    `peak` is the highest equity seen since the loss in all is counted, `day_peak` the highest
    balance and equity with which a day began since then. `money` is what is known of the balance.
    """

    anchors: Mapping[Period, Anchor] = field(default_factory=dict)
    reached: frozenset[Period] = frozenset()
    warned: frozenset[Period] = frozenset()
    peak: Decimal | None = None
    day_peak: Anchor | None = None
    money: BalanceBook = NO_BALANCE

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
        anchor = Anchor(start=now, balance=balance, equity=equity)
        day_peak = None if Period.TOTAL in due else self.day_peak
        return replace(
            self,
            anchors={**self.anchors, **dict.fromkeys(due, anchor)},
            reached=self.reached - due,
            warned=self.warned - due,
            peak=equity if Period.TOTAL in due else self.peak,
            day_peak=anchor.highest(day_peak) if Period.DAY in due or not day_peak else day_peak,
        )

    def accounted(self, now: datetime, balance: Decimal, moves: Sequence[Movement]) -> "LossBook":
        """Take payments out of what the periods count from; see whether all is explained."""
        money, fresh = self.money.after(now, balance, moves)
        book = replace(self, money=money)
        for move in fresh:
            if move.is_payment:
                book = book.paid(move)
        return book

    def unread(self, now: datetime, balance: Decimal) -> "LossBook":
        return replace(self, money=self.money.unread(now, balance))

    def paid(self, move: Movement) -> "LossBook":
        """Take a payment out of what counts from before it."""
        anchors = {
            period: one.shifted(move.amount) if one.start < move.at else one
            for period, one in self.anchors.items()
        }
        total = self.anchors.get(Period.TOTAL)
        if total is None or total.start >= move.at:
            return replace(self, anchors=anchors)
        peak, day_peak = self.peak, self.day_peak
        return replace(
            self,
            anchors=anchors,
            peak=None if peak is None else peak + move.amount,
            day_peak=None if day_peak is None else day_peak.shifted(move.amount),
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
        return replace(
            self,
            anchors=kept,
            reached=self.reached - gone,
            warned=self.warned - gone,
            peak=None,
            day_peak=None,
        )

    def lines(self, rules: Rules) -> tuple[LossLine, ...]:
        """Return the limits that are set, with what each counts from."""
        found = []
        for period, (key, name) in _LIMITS.items():
            limit: LossLimit = getattr(rules, key)
            anchor = self.anchors.get(period)
            if not limit or anchor is None:
                continue
            begun = anchor.money(rules.loss_anchor)
            top, suffix = begun, ""
            if period is Period.TOTAL and rules.drawdown_from is not DrawdownFrom.START:
                top, suffix = max(begun, self._top(rules)), " from the peak"
            parts = []
            if limit.percent is not None:
                parts.append((begun * limit.percent / 100, f"{limit.percent:f} %", True))
            if limit.money is not None:
                parts.append((limit.money, f"{limit.money:.2f}", False))
            for amount, text, in_percent in parts:
                floor = top - amount
                if suffix and rules.drawdown_from.stops_at_start:
                    floor = min(floor, begun)
                line = LossLine(
                    name=name,
                    code=key,
                    key=key,
                    anchor=top,
                    allowed=top - floor,
                    limit=text + suffix,
                    in_percent=in_percent,
                    reached=period in self.reached,
                )
                found.append(line)
        return tuple(found)

    def _top(self, rules: Rules) -> Decimal:
        if rules.drawdown_from.is_intraday:
            return self.peak or Decimal(0)
        return Decimal(0) if self.day_peak is None else self.day_peak.money(rules.loss_anchor)

    def seen(self, equity: Decimal, rules: Rules) -> tuple["LossBook", tuple["Crossing", ...]]:
        """Compare the equity with the limits; return what was crossed for the first time."""
        book = self
        if rules.total_drawdown and rules.drawdown_from.is_intraday:
            book = replace(self, peak=max(self.peak or equity, equity))
        reached, warned, crossed = set(self.reached), set(self.warned), []
        periods = {key: period for period, (key, _) in _LIMITS.items()}
        for line in book.lines(rules):
            period, lost = periods[line.key], line.anchor - equity
            if period not in reached and lost >= line.allowed:
                reached.add(period)
                crossed.append(Crossing(line=line, equity=equity, is_reached=True))
            elif (
                period not in warned
                and period not in reached
                and lost > 0
                and lost >= line.allowed * WARN_AT
            ):
                warned.add(period)
                crossed.append(Crossing(line=line, equity=equity, is_reached=False))
        return replace(book, reached=frozenset(reached), warned=frozenset(warned)), tuple(crossed)

    def document(self) -> dict[str, object]:
        return {
            "anchors": {period.value: one.document() for period, one in self.anchors.items()},
            "reached": sorted(self.reached),
            "warned": sorted(self.warned),
            "peak": None if self.peak is None else str(self.peak),
            "day_peak": None if self.day_peak is None else self.day_peak.document(),
            "money": self.money.document(),
        }

    @classmethod
    def of_document(cls, doc: Mapping[str, object]) -> "LossBook":
        """Read a stored book; DomainError if it cannot be read: a loss must not be forgotten."""
        try:
            peak: Any = doc.get("peak")
            day_peak = doc.get("day_peak")
            return cls(
                anchors={
                    Period(key): Anchor.of_document(one)
                    for key, one in _dict(doc, "anchors").items()
                },
                reached=_periods(doc, "reached"),
                warned=_periods(doc, "warned"),
                peak=None if peak is None else amount_of(peak),
                day_peak=None if day_peak is None else Anchor.of_document(day_peak),
                money=BalanceBook.of_document(_dict(doc, "money")),
            )
        except (ValueError, KeyError, TypeError, InvalidOperation) as error:
            raise DomainError("the stored record of losses cannot be read") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Crossing:
    """A limit that was reached, or of which four fifths are used up."""

    line: LossLine
    equity: Decimal
    is_reached: bool

    @property
    def text(self) -> str:
        line = self.line
        return f"the {line.name} is {line.said(self.equity)}, your limit is {line.limit}"


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


def _dict(doc: Mapping[str, object], key: str) -> Mapping[str, Any]:
    value = doc.get(key, {})
    if not isinstance(value, Mapping):
        raise TypeError(key)
    return value


def _periods(doc: Mapping[str, object], key: str) -> frozenset[Period]:
    value = doc.get(key, [])
    words: Sequence[Any] = value if isinstance(value, list | tuple) else ()
    return frozenset(Period(str(word)) for word in words)
