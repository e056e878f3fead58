"""Read later instructions about an earlier signal: clause by clause, word by word."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Final

from signalfleet.domain.money import Price
from signalfleet.domain.signals.blocks import MAX_INDEX, SIDES
from signalfleet.domain.signals.facts import MAX_CLAUSE, NUM, UNKNOWN, Clause, Facts, Item
from signalfleet.domain.signals.levels import price_of
from signalfleet.domain.signals.model import (
    Action,
    BreakEven,
    CancelPending,
    Close,
    ClosePart,
    EntryOffset,
    FollowUp,
    Issue,
    MoveEntry,
    MoveStop,
    MoveTarget,
    PriceRange,
    Reason,
    Report,
    SetTargets,
    Span,
    TpRef,
    TradeRef,
    Trail,
)
from signalfleet.domain.signals.numbers import Band
from signalfleet.domain.signals.opens import MOOD_REASONS, Known
from signalfleet.domain.signals.text import offsets

BLOCKING: Final = frozenset(
    "member negation conditional optional future question wish example news confirmation pre_alert "
    "later past other_market advert recap".split()
)
REPORT_BLOCKING: Final = frozenset({"question", "future", "conditional", "example", "negation"})
MEANINGFUL: Final = frozenset(
    "stop target entry zone break_even close close_loose half part part_loose cancel pending hit hit_stop hit_even layer "
    "all first second third move remove trail old modified closed invalid rest position num "
    "symbol buy sell buy_loose sell_loose open_target none_word tick cross slash dash plus now "
    "limit stop_order until hold amp again profit".split()
)
ORDINALS: Final = {"first": 1, "second": 2, "third": 3}
HUNDRED: Final = Decimal(100)
NO_PRICE_UNITS: Final = frozenset(
    {"percent", "time", "other", "ordinal", "leverage", "lots", "r", "plus", "money"}
)
VERBS: Final = frozenset({"move", "modified", "trail", "remove"})


class FollowUps:
    """What the follow-up grammar found in one text."""

    __slots__ = ("readings", "reasons")

    def __init__(self) -> None:
        self.readings: list[FollowUp | Report] = []
        self.reasons: set[Reason] = set()

    @property
    def has_action(self) -> bool:
        return any(isinstance(reading, FollowUp) for reading in self.readings)


def read_follow_ups(
    facts: Facts, bands: "dict[str, Band | None]", known: Known, source: str
) -> FollowUps:
    """Read the instructions and reports of a text, in its order."""
    found = FollowUps()
    symbols: list[str] = []
    for item in facts.items:
        if item.role == "symbol" and item.value not in symbols:
            symbols.append(item.value)
    reader = _Reader(facts, bands, known, symbols, source)
    for clause in facts.clauses:
        if not clause.roles & _TRIGGERS or len(clause.items) > MAX_CLAUSE:
            continue
        blocked = clause.moods & BLOCKING
        if clause.asks:
            blocked = blocked | {"question"}
        if blocked:
            found.reasons |= {MOOD_REASONS[mood] for mood in blocked if mood in MOOD_REASONS}
        reader.read(clause, may_act=not blocked, may_report=not blocked & REPORT_BLOCKING)
    found.readings = reader.finish()
    return found


_TRIGGERS: Final = frozenset(
    "stop target break_even close close_loose half part cancel hit hit_stop hit_even trail closed invalid remove "
    "entry tick percent".split()
)


class _Reader:
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
        self.clause = Clause()
        self.may_act = True
        self.may_report = True
        self.seq: list[Item] = []

    # One clause

    def read(self, clause: Clause, *, may_act: bool, may_report: bool) -> None:
        self.clause = clause
        self.may_act, self.may_report = may_act, may_report
        self.seq = [item for item in clause.items if item.role in MEANINGFUL]
        at = 0
        handled: set[str] = set()
        while at < len(self.seq):
            item = self.seq[at]
            step = _STEPS.get(item.role)
            at = step(self, at, handled) if step is not None else at + 1

    def finish(self) -> list[FollowUp | Report]:
        self._flush_targets()
        return self.readings

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
        self, action: Action, *items: Item, ref: TradeRef | None = None, issues: tuple[Issue, ...] = ()
    ) -> None:
        if not self.may_act:
            return
        target = ref or self._ref()
        named = list(
            dict.fromkeys(one.value for one in self.clause.items if one.role == "symbol")
        )
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
            return clause.unknown <= 3
        if clause.roles & {"above", "below"} or clause.unknown > 1:
            return False
        return sum(one.unknown for one in self.facts.clauses) <= (6 if self.has_verb else 2)

    # Stops

    def stop(self, at: int, handled: set[str]) -> int:
        item = self.seq[at]
        before = self._role(at - 1) if at else ""
        if before == "old":
            return self._past_numbers(at + 1)
        was_target = at > 1 and self._role(at - 2) in {"target", "num"}
        if (before == "hit" and not was_target) or self._role(at + 1) == "hit":
            self._report("be" if self._role(at + 2) == "break_even" else "sl", None, item)
            return at + 2
        if before == "remove" or before == "none_word":
            return at + 1
        look = self._next(at + 1, "until", "move", "now", "position", "dash", "slash", "stop")
        role = self._role(look)
        fits = self._is_clear()
        number = self._number_from(look + (role == "trail"), {"pips", ""})
        trails = role == "trail" or before == "trail"
        if trails and role not in {"target", "entry", "break_even"} and (
            number is None or number.unit
        ):
            if fits and "stop" not in handled:
                handled.add("stop")
                self._act(
                    MoveStop(to=Trail(pips=_decimal(number) if number else None)),
                    *([number] if number else [item]),
                )
            return look + 2
        if role in {"break_even", "entry"}:
            return self._to_entry(look, item, handled, fits=fits)
        if role in ORDINALS and self._role(look + 1) == "target":
            return self._to_target(look + 1, item, handled, fits=fits, index=ORDINALS[role])
        if role == "target":
            return self._to_target(look, item, handled, fits=fits)
        number = self._number_from(look + (role == "trail"), {"", "thousand"})
        if number is not None and fits:
            price = self._price(number, -self.known.side.sign if self.known.side else 0)
            if price is not None and "stop" not in handled:
                handled.add("stop")
                self._act(MoveStop(to=price), number)
            return self.seq.index(number) + 1
        if number is None and fits and before in {"num", "until"} and self.has_verb:
            self._stop_after_number(at, handled)
        return at + 1

    def _stop_after_number(self, at: int, handled: set[str]) -> None:
        """Read "use 4057 as your SL"."""
        number = next((one for one in reversed(self.seq[:at]) if one.role == NUM), None)
        if number is None or number.unit or "stop" in handled:
            return
        price = self._price(number)
        if price is not None:
            handled.add("stop")
            self._act(MoveStop(to=price), number)

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

    def _to_entry(self, look: int, item: Item, handled: set[str], *, fits: bool) -> int:
        look_after = look + 1
        while self._role(look_after) in {"break_even", "entry", "slash", "move", "now", "until"}:
            look_after += 1
        number = None
        for other in self.seq[look_after : look_after + 2]:
            if other.role == NUM:
                number = other
                break
            if other.role not in {"plus", "at", "dash"}:
                break
        if not fits or handled & {"break_even", "stop"}:
            return look_after
        handled.add("break_even")
        if number is not None and number.unit in {"pips", "plus"}:
            self._act(MoveStop(to=EntryOffset(pips=_decimal(number))), number)
        else:
            price = self._price(number) if number is not None and not number.unit else None
            self._act(BreakEven(price=price), item, *([number] if number and price else []))
        return look_after + (1 if number is not None else 0)

    def _to_target(
        self, look: int, item: Item, handled: set[str], *, fits: bool, index: int = 0
    ) -> int:
        after = self._next(look + 1, "first", "second", "third")
        index = index or ORDINALS.get(self._role(look + 1), 0)
        number = self.seq[after] if self._role(after) == NUM else None
        if number is not None and _is_index(number):
            index = index or int(number.value)
            after += 1
            number = self.seq[after] if self._role(after) == NUM else None
        elif number is not None and not index:
            return look
        if not index and number is None and "move" not in self.clause.roles:
            return look
        if fits and "stop" not in handled:
            handled.add("stop")
            price = self._price(number) if number is not None and not number.unit else None
            known = self.known.targets
            if price is None and 0 <= (index or 1) - 1 < len(known):
                price = known[(index or 1) - 1]
            self._act(MoveStop(to=TpRef(index=index or 1, price=price)), item)
        return after

    def break_even(self, at: int, handled: set[str]) -> int:
        item = self.seq[at]
        before = self._role(at - 1) if at else ""
        if before in {"hit", "closed"}:
            self._report("be", None, item)
            return at + 1
        if before == "close" and not self.clause.roles & {"part", "half"}:
            return at + 1
        if "close" in self.clause.roles and not self.clause.roles & {"part", "half", "stop", "move"}:
            return at + 1
        if "break_even" in handled or "stop" in handled or "leg" in handled:
            return at + 1
        look = self._next(at + 1, "until", "plus")
        number = self.seq[look] if self._role(look) == NUM else None
        if self._role(look) == "stop":
            # "BE SL", "risk free: SL 4524"
            after = self._next(look + 1, "until", "move", "now")
            if self._role(after) == NUM:
                return at + 1
        if self.clause.unknown > (2 if self.has_verb or self.known.is_reply else 1):
            return at + 1
        if self._role(look) == "hit":
            self._report("be", None, item)
            return look + 1
        handled.add("break_even")
        if number is not None and not number.unit:
            price = self._price(number)
            if price is not None:
                self._act(MoveStop(to=price), number)
                return look + 1
        if number is not None and number.unit in {"pips", "plus"} and "plus" in self.clause.roles:
            self._act(MoveStop(to=EntryOffset(pips=_decimal(number))), number)
            return look + 1
        self._act(BreakEven(), item)
        return look

    def trail(self, at: int, handled: set[str]) -> int:
        item = self.seq[at]
        if "stop" in handled or self.clause.unknown > 2:
            return at + 1
        look = self._next(at + 1, "until", "move", "position")
        if self._role(look) == "stop":
            return at + 1
        number = self._number_from(look, {"pips", ""})
        if number is None:
            return at + 1
        handled.add("stop")
        if number.unit == "pips":
            self._act(MoveStop(to=Trail(pips=_decimal(number))), number)
        else:
            price = self._price(number)
            if price is not None:
                self._act(MoveStop(to=price), number)
        return self.seq.index(number) + 1 if number in self.seq else at + 1

    # Targets

    def target(self, at: int, handled: set[str]) -> int:
        item = self.seq[at]
        before = self._role(at - 1) if at else ""
        look = at + 1
        index = 0
        ordinal = ORDINALS
        if self._role(look) in ordinal:
            index = ordinal[self._role(look)]
            look += 1
        elif before in ordinal:
            index = ordinal[before]
        if before == "old":
            return self._past_numbers(look)
        number = self.seq[look] if self._role(look) == NUM else None
        if number is not None and _is_index(number):
            after = self._next(look + 1, "until", "dash", "move", "now")
            follows = self._role(after) == NUM and not self.seq[after].unit
            if follows or number.is_glued or self._role(look + 1) != NUM:
                index = int(number.value)
                look += 1
        if before == "hit" or self._is_done(look):
            self._report("tp", index or None, item)
            return look + 1
        if before in {"remove", "cancel"} or (before == "move" and self._is_removed(at)):
            if self.clause.unknown <= 3:
                self._act(MoveTarget(index=index or None, price=None), item)
                handled |= {"cancel", "removed"}
            return look
        look = self._next(look, "until", "move", "dash", "now")
        took = False
        while look < len(self.seq):
            other = self.seq[look]
            if other.role == NUM:
                if not other.unit and self._may_take_target():
                    self._take_target(index, other)
                    took = True
                    index = 0
                look += 1
            elif other.role in {"slash", "dash", "amp", "until"}:
                look += 1
            else:
                break
        if took and self._role(look) == "tick" and not self.clause.roles & VERBS:
            # A price with a tick behind it is a target that was reached.
            self.targets = [one for one in self.targets if one[1].clause != item.clause]
            self._report("tp", index or None, item)
            return look + 1
        if not took and self._role(look) == "open_target" and self._may_take_target():
            self._act(MoveTarget(index=index or None, price=None), item)
            return look + 1
        return look

    def _is_removed(self, at: int) -> bool:
        return "off" in {item.value for item in self.clause.items} and self._role(at + 1) != NUM

    def _is_done(self, at: int) -> bool:
        """Tell whether the words after "TP2" say that it was reached."""
        for item in self.seq[at : at + 4]:
            if item.role == "hit":
                return True
            if item.role == "tick":
                return not (
                    at < len(self.seq)
                    and any(
                        other.role == NUM and not other.unit and not _is_index(other)
                        for other in self.seq[at : at + 3]
                    )
                )
            if item.role not in {"plus", NUM, "dash", "amp", "all"}:
                return False
        return False

    def _may_take_target(self) -> bool:
        return self.may_act and self._is_clear()

    def _take_target(self, index: int, number: Item) -> None:
        if not self.targets:
            self.targets_at = len(self.readings)
        self.targets.append((index, number))

    def _flush_targets(self) -> None:
        prices = []
        sign = self.known.side.sign if self.known.side else 0
        for index, number in self.targets:
            price = self._price(number, sign)
            if price is not None:
                prices.append((index, price, number))
        if not prices:
            return
        items = [number for _, _, number in prices]
        self.may_act = True
        before = self.readings[self.targets_at :]
        del self.readings[self.targets_at :]
        if len(prices) == 1 and prices[0][0]:
            self._act(MoveTarget(index=prices[0][0], price=prices[0][1]), *items)
        else:
            self._act(SetTargets(prices=tuple(price for _, price, _ in prices)), *items)
        self.readings.extend(before)

    # Closing

    def close(self, at: int, handled: set[str]) -> int:
        item = self.seq[at]
        if handled & {"close", "cancel"}:
            return at + 1
        roles = self.clause.roles
        if item.role == "closed":
            return self._closed(at, handled)
        fraction, leg = self._fraction()
        is_part = fraction is not None or leg is not None or bool(roles & {"part", "half"})
        if item.role == "close" and "part_loose" in roles:
            is_part = True
        room = 3 if is_part or self.known.is_reply or roles & {"symbol", "position"} else 1
        if self.clause.unknown > room or (self._has_stop_first(at) and item.role == "close_loose"):
            return at + 1
        if item.role == "close_loose" and not is_part:
            if self.clause.unknown or item.value in {"off", "secure", "lock"}:
                return at + 1
        if item.role in {"half", "part"} and not self._is_closing(item):
            return at + 1
        if roles & {"pending", "limit", "stop_order"} and not is_part:
            handled.add("cancel")
            self._act(CancelPending(), item, ref=self._ref(everything="all" in roles))
            return at + 1
        handled.add("close")
        if leg is not None:
            handled.add("leg")
        if is_part and fraction != 1:
            issues = (Issue.FRACTION_UNSTATED,) if fraction is None and leg is None else ()
            self._act(ClosePart(fraction=fraction, leg=leg), item, issues=issues)
            return at + 1
        named = [other.value for other in self.clause.items if other.role == "symbol"]
        if len(set(named)) > 1:
            for name in dict.fromkeys(named):
                self._act(Close(), item, ref=TradeRef(symbol=name))
            return at + 1
        everything = "all" in roles and not named and not self.symbols
        self._act(Close(), item, ref=self._ref(everything=everything, with_side=True))
        return at + 1

    def percent(self, at: int, handled: set[str]) -> int:
        """Read "take 70% profit": a share of the profit or the rest is a part to close."""
        item = self.seq[at]
        roles = self.clause.roles
        if item.unit != "percent" or "close" in handled or self.clause.unknown > 1:
            return at + 1
        if roles & {"close", "close_loose", "half", "part", "hit", "risk"}:
            return at + 1
        if "move" in roles and roles & {"profit", "rest", "position"}:
            fraction, _ = self._fraction()
            if fraction is not None and fraction < 1:
                handled.add("close")
                self._act(ClosePart(fraction=fraction), item)
        return at + 1

    def _has_stop_first(self, at: int) -> bool:
        return any(item.role in {"stop", "target"} for item in self.seq[:at])

    def _is_closing(self, item: Item) -> bool:
        """Tell whether "half" or "partials" is what to close and not a size or a report."""
        roles = self.clause.roles
        if roles & {"close", "close_loose"}:
            return True
        if item.role == "part":
            after = [other.role for other in self.seq if other.start > item.start]
            return self.clause.unknown <= 1 and "hit" not in after
        return bool(roles & {"move", "part", "profit", "position", "now"}) and (
            self.clause.unknown == 0
        )

    def _closed(self, at: int, handled: set[str]) -> int:
        item = self.seq[at]
        roles = self.facts.roles
        if self.clause.roles & {"half", "part", "percent"} or "past" in self.facts.moods:
            self._report("tp", None, item)
            return at + 1
        names = "symbol" in roles and bool(roles & set(SIDES))
        if (names or self.known.is_reply or not self.facts.items[1:]) and self.clause.unknown <= 2:
            handled.add("close")
            self._act(Close(), item, ref=self._ref(with_side=True))
        return at + 1

    def _fraction(self) -> tuple[Decimal | None, int | None]:
        roles = self.clause.roles
        numbers = [item for item in self.seq if item.role == NUM]
        for item in numbers:
            if item.unit == "percent":
                part = _decimal(item) / HUNDRED
                if not 0 < part <= 1:
                    continue
                keeps = any(
                    other.role in {"hold", "rest", "move"}
                    and other.end <= item.start
                    and other.value in {"keep", "leave", "hold"}
                    for other in self.clause.items
                ) and not any(
                    other.role == "close" and other.end <= item.start for other in self.clause.items
                )
                return (1 - part if keeps else part), None
        for first, second in zip(numbers, numbers[1:], strict=False):
            one, two = _decimal(first), _decimal(second)
            if "lots" in {first.unit, second.unit} and 0 < one < two:
                return one / two, None
            between = self.facts.folded[first.end : second.start].strip()
            if between == "/" and 0 < one < two <= MAX_INDEX:
                return one / two, None
        if "half" in roles:
            return Decimal("0.5"), None
        for item, after in zip(self.seq, self.seq[1:], strict=False):
            if item.role == "layer" and after.role == NUM and _is_index(after):
                return None, int(after.value)
        for item in self.seq:
            leg = {"first": 1, "second": 2, "third": 3}.get(item.role)
            if leg is not None and roles & {"entry", "layer", "position", "limit"}:
                return None, leg
        return None, None

    def cancel(self, at: int, handled: set[str]) -> int:
        item = self.seq[at]
        if handled & {"cancel", "removed"} or self.clause.unknown > 2:
            return at + 1
        if self._role(at + 1) in {"stop", "target"}:
            return at + 1
        handled.add("cancel")
        roles = self.clause.roles
        everything = "all" in roles and "symbol" not in roles and not self.symbols
        self._act(CancelPending(), item, ref=self._ref(everything=everything))
        return at + 1

    def invalid(self, at: int, handled: set[str]) -> int:
        item = self.seq[at]
        if handled & {"close", "cancel"} or self.clause.unknown > 1:
            return at + 1
        if any(isinstance(reading, FollowUp) for reading in self.readings):
            return at + 1
        if {"close", "cancel"} & self.facts.roles:
            return at + 1
        handled.add("close")
        if self.clause.roles & {"pending", "limit", "stop_order"}:
            self._act(CancelPending(), item)
        else:
            self._act(Close(), item, ref=self._ref(with_side=True))
        return at + 1

    def remove(self, at: int, _handled: set[str]) -> int:
        return at + 1

    def hit(self, at: int, _handled: set[str]) -> int:
        item = self.seq[at]
        follow = self._role(at + 1)
        if follow in {"target", "stop", "break_even"}:
            return at + 1
        if self.clause.roles & {"entry", "limit", "pending"}:
            self._report("entry", None, item)
        return at + 1

    def hit_words(self, at: int, _handled: set[str]) -> int:
        item = self.seq[at]
        self._report("sl" if item.role == "hit_stop" else "be", None, item)
        return at + 2 if self._role(at + 1) in {"stop", "break_even"} else at + 1

    def entry(self, at: int, handled: set[str]) -> int:
        item = self.seq[at]
        if "move" not in self.clause.roles or handled & {"stop", "break_even", "close"}:
            return at + 1
        if self.clause.roles & {"stop", "target", "close", "break_even"}:
            return at + 1
        numbers = [
            other
            for other in self.seq[at + 1 :]
            if other.role == NUM and other.unit not in NO_PRICE_UNITS and other.unit != "pips"
        ][:2]
        prices = [price for number in numbers if (price := self._price(number)) is not None]
        if prices and self.clause.unknown <= 2:
            self._act(MoveEntry(entry=PriceRange.of(prices[0], prices[-1])), *numbers)
            return len(self.seq)
        return at + 1 if item else at + 1


def _decimal(item: Item) -> Decimal:
    return Decimal(item.value.replace(",", ".").replace("'", "").replace("\xa0", ""))


def _is_index(item: Item) -> bool:
    return (
        not item.unit
        and item.value.isdigit()
        and len(item.value) <= 2
        and 0 < int(item.value) <= MAX_INDEX
    )


_STEPS: Final = {
    "stop": _Reader.stop,
    "break_even": _Reader.break_even,
    "trail": _Reader.trail,
    "target": _Reader.target,
    **dict.fromkeys(("close", "close_loose", "half", "part", "closed"), _Reader.close),
    NUM: _Reader.percent,
    "cancel": _Reader.cancel,
    "invalid": _Reader.invalid,
    "remove": _Reader.remove,
    "hit": _Reader.hit,
    "hit_stop": _Reader.hit_words,
    "hit_even": _Reader.hit_words,
    "entry": _Reader.entry,
}
__all__ = ["UNKNOWN", "FollowUps", "read_follow_ups"]
