"""One clause of a follow-up: its meaningful facts, and how a reading is made of them."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Final

from signalfleet.domain.money import Price
from signalfleet.domain.signals.blocks import MAX_INDEX, SIDES
from signalfleet.domain.signals.facts import NUM, Clause, Facts, Item
from signalfleet.domain.signals.levels import price_of
from signalfleet.domain.signals.model import (
    Action,
    BreakEven,
    FollowUp,
    Issue,
    Report,
    Span,
    TradeRef,
)
from signalfleet.domain.signals.numbers import Band, amount
from signalfleet.domain.signals.opens import Known
from signalfleet.domain.signals.text import offsets

ORDINALS: Final = {"first": 1, "second": 2, "third": 3}
VERBS: Final = frozenset({"move", "modified", "trail", "remove"})
COUPLE: Final = 2
FEW: Final = 3
SEVERAL: Final = 6
UNKNOWN_COST: Final = 3


class ClauseReader:
    """The state of the walk over the clauses of one text."""

    def __init__(
        self,
        facts: Facts,
        bands: "dict[str, Band | None]",
        known: Known,
        symbols: list[str],
        source: str,
    ) -> None:
        self.facts = facts
        self.bands = bands
        self.known = known
        self.symbols = symbols
        self.source = source
        self.places: Sequence[int] | None = None
        self.readings: list[FollowUp | Report] = []
        self.targets: list[tuple[int, Item]] = []
        self.targets_at = 0
        self.has_verb = bool(facts.roles & VERBS)
        self.clause = Clause([])
        self.may_act = True
        self.may_report = True
        self.seq: list[Item] = []
        self.leads_with_price: bool | None = None

    def _symbol(self) -> str | None:
        for item in self.clause.items:
            if item.role == "symbol":
                return item.value
        return self.symbols[0] if len(self.symbols) == 1 else None

    def _ref(self, *, everything: bool = False, with_side: bool = False) -> TradeRef:
        side = None
        if with_side:
            for item in self.facts.items:
                if item.role in SIDES:
                    side = SIDES[item.role]
                    break
        return TradeRef(symbol=self._symbol(), side=side, everything=everything)

    def _spans(self, field: str, *items: Item) -> tuple[Span, ...]:
        if self.places is None:
            self.places = offsets(self.source)
        return tuple(
            Span(field=field, start=self.places[item.start], end=self.places[item.end - 1] + 1)
            for item in items
        )

    def _act(
        self,
        action: Action,
        *items: Item,
        ref: TradeRef | None = None,
        issues: tuple[Issue, ...] = (),
    ) -> None:
        if not self.may_act:
            return
        target = ref or self._ref()
        named = list(dict.fromkeys(one.value for one in self.clause.items if one.role == "symbol"))
        if len(named) > 1 and isinstance(action, BreakEven) and ref is None:
            for name in named:
                self._act(action, *items, ref=TradeRef(symbol=name), issues=issues)
            return
        if any(
            isinstance(old, FollowUp) and (old.action, old.target) == (action, target)
            for old in self.readings
        ):
            return
        self.readings.append(
            FollowUp(
                action=action,
                target=target,
                issues=issues,
                spans=self._spans(type(action).__name__, *items),
                confidence=100 - UNKNOWN_COST * self.clause.unknown,
            )
        )

    def _report(self, what: str, index: int | None, item: Item) -> None:
        if self.may_report:
            self.readings.append(
                Report(
                    what=what,  # type: ignore[arg-type]
                    index=index,
                    symbol=self._symbol(),
                    spans=self._spans("report", item),
                )
            )

    def _price(self, item: Item, sign: int = 0) -> Price | None:
        symbol = self._symbol() or self.known.symbol
        band = self.bands.get(symbol) if symbol else None
        anchor = self.known.anchors[0] if self.known.anchors else None
        value = price_of(item, band, anchor, sign)
        return Price(value) if value is not None and value > 0 else None

    def _next(self, at: int, *skip: str) -> int:
        while at < len(self.seq) and self.seq[at].role in skip:
            at += 1
        return at

    def _role(self, at: int) -> str:
        return self.seq[at].role if at < len(self.seq) else ""

    def _is_clear(self) -> bool:
        """Tell whether the clause can be an instruction about levels.

        With a verb of moving or in a reply some unknown words may stand around; a bare level
        elsewhere must be understood as good as entirely, in a message that is.
        """
        clause = self.clause
        if self.known.is_reply or clause.roles & VERBS:
            return clause.unknown <= FEW
        if clause.roles & {"above", "below"} or clause.unknown > 1 or self._has_bare_price():
            return False
        return sum(one.unknown for one in self.facts.clauses) <= (
            SEVERAL if self.has_verb else COUPLE
        )

    def _has_bare_price(self) -> bool:
        """Tell whether a price without a label leads the text: an opening that was not understood.

        Its levels are no instruction about another trade.
        """
        if self.leads_with_price is None:
            first = next(
                (
                    item.role
                    for item in self.facts.items
                    if item.role in {"stop", "target"}
                    or (item.role == NUM and not item.unit and len(item.value) > COUPLE)
                ),
                "",
            )
            self.leads_with_price = first == NUM
        return self.leads_with_price

    def _number_from(self, at: int, units: set[str]) -> Item | None:
        for item in self.seq[at : at + 3]:
            if item.role == NUM and item.unit in units:
                return item
            if item.role not in {"until", "dash", "move", "now", "plus", "symbol", "trail", NUM}:
                return None
        return None

    def _past_numbers(self, at: int) -> int:
        while self._role(at) in {NUM, "dash", "slash"}:
            at += 1
        return at


def decimal_of(item: Item) -> Decimal:
    return amount(item.value)


def is_index(item: Item) -> bool:
    return (
        not item.unit
        and item.value.isdigit()
        and len(item.value) <= COUPLE
        and 0 < int(item.value) <= MAX_INDEX
    )
