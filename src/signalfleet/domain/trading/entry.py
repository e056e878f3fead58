"""Which order, at which price, a signal becomes at the present price."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from signalfleet.domain.instruments.model import Quote, Side
from signalfleet.domain.money import Price
from signalfleet.domain.risk.refusal import Refusal, refused
from signalfleet.domain.settings.catalogue import Rules
from signalfleet.domain.settings.choices import EntryPolicy
from signalfleet.domain.signals.model import OrderKind, PriceRange
from signalfleet.domain.trading.intents import OpenLeg

HALF: Final = Decimal("0.5")
NO_STOP_REACH: Final = Decimal("0.005")
"""What stands for the stop distance of a trade without stop and target, as a share of the price."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryQuestion:
    side: Side
    order: OrderKind | None
    entry: PriceRange | None
    stop: Price | None
    first_target: Price | None

    def reach(self, entry: Price) -> Decimal:
        """Return the stop distance, or what stands for it: gaps are measured with it."""
        if self.stop is not None:
            return abs(entry.value - self.stop.value)
        if self.first_target is not None:
            return abs(entry.value - self.first_target.value)
        return entry.value * NO_STOP_REACH


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryChoice:
    """`reference` is the worst price that the size must allow for.

    `worst` is the last price at which an order at market may still leave. `share` is how much of
    the copy enters here, of 1 in all.
    """

    kind: OrderKind
    price: Price | None
    reference: Price
    worst: Price | None = None
    share: Decimal = Decimal(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """Distances measured along the trade: positive is worse than the stated entry."""

    now: Price
    near: Price
    worse: Decimal
    better: Decimal
    gap: Decimal
    stop_distance: Decimal


def choose_order(question: EntryQuestion, quote: Quote, rules: Rules) -> EntryChoice | Refusal:
    """Choose market, limit or stop; refuse where the moment has passed."""
    now = quote.to_open(question.side)
    passed = _passed(question, quote, now)
    if passed is not None:
        return passed
    if question.entry is None:
        gap = question.reach(now) * rules.max_price_gap
        worst = _last_price(now, gap, question.side.sign)
        return EntryChoice(kind=OrderKind.MARKET, price=None, reference=now, worst=worst)
    place = _place(question, question.entry, now, rules)
    match question.order:
        case OrderKind.LIMIT:
            return _limit(place, rules, question.side.sign)
        case OrderKind.STOP:
            return _stop(place, rules, question.side.sign)
        case OrderKind.MARKET | None:
            return _market(question, place, rules)


def against_entry(
    command: OpenLeg, entry: PriceRange | None, quote: Quote, rules: Rules
) -> str | None:
    """Return why an order that was decided earlier must not go out at the present price."""
    if command.stop_loss is None:
        return None
    if command.price is not None:
        # A layer of a zone waits at its own price.
        entry = PriceRange.of(command.price)
    choice = choose_order(
        EntryQuestion(
            side=command.side,
            order=command.kind,
            entry=entry,
            stop=command.stop_loss,
            first_target=command.first_target or command.take_profit,
        ),
        quote,
        rules,
    )
    if isinstance(choice, Refusal):
        return choice.code
    return None if choice.kind is command.kind else "price_moved"


def against_quote(command: OpenLeg, quote: Quote) -> str | None:
    """Return why a decided order must not leave at this price; a better price is none.

    It needs nothing but the order, so that it can be asked on the open connection.
    """
    sign = command.side.sign
    now = quote.to_open(command.side).value
    leaving = quote.to_close(command.side).value
    target = command.first_target or command.take_profit
    if command.stop_loss is not None and (leaving - command.stop_loss.value) * sign <= 0:
        return "sl_passed"
    if target is not None and (target.value - now) * sign <= 0:
        return "tp_passed"
    if command.kind is OrderKind.MARKET:
        is_off = command.worst is not None and (now - command.worst.value) * sign > 0
    else:
        waits = 1 if command.kind is OrderKind.LIMIT else -1
        is_off = command.price is not None and (now - command.price.value) * sign * waits <= 0
    return "price_moved" if is_off else None


def _passed(question: EntryQuestion, quote: Quote, now: Price) -> Refusal | None:
    sign = question.side.sign
    leaving = quote.to_close(question.side)
    if question.stop is not None and (leaving.value - question.stop.value) * sign <= 0:
        detail = f"price {leaving}, stop {question.stop}"
        return _passed_by("sl_passed", leaving, f"stop {question.stop}", detail)
    target = question.first_target
    if target is not None and (target.value - now.value) * sign <= 0:
        detail = f"price {now}, first target {target}"
        return _passed_by("tp_passed", now, f"first target {target}", detail)
    return None


def _place(question: EntryQuestion, entry: PriceRange, now: Price, rules: Rules) -> _Place:
    buying = question.side is Side.BUY
    near, far = (entry.high, entry.low) if buying else (entry.low, entry.high)
    sign = question.side.sign
    stop_distance = question.reach(near)
    return _Place(
        now=now,
        near=near,
        worse=(now.value - near.value) * sign,
        better=(far.value - now.value) * sign,
        gap=stop_distance * rules.max_price_gap,
        stop_distance=stop_distance,
    )


def _at_market(place: _Place, reference: Price, sign: int) -> EntryChoice:
    worst = _last_price(place.near, place.gap, sign)
    return EntryChoice(kind=OrderKind.MARKET, price=None, reference=reference, worst=worst)


def _last_price(stated: Price, gap: Decimal, sign: int) -> Price | None:
    """Return the price at which the gap is used up; None if none can be that far away."""
    value = stated.value + gap * sign
    return Price(value) if value > 0 else None


def _market(question: EntryQuestion, place: _Place, rules: Rules) -> EntryChoice | Refusal:
    sign = question.side.sign
    worst = max(place.now.value * sign, place.near.value * sign) * sign
    policy = rules.entry_policy
    if place.better > 0:
        stop = question.stop
        if stop is not None and (place.now.value - stop.value) * sign < place.stop_distance * HALF:
            detail = f"price {place.now}, stop {question.stop}"
            left = (place.now.value - stop.value) * sign
            return refused(
                "near_stop",
                "way to the stop",
                f"{left:f}",
                f"at least {place.stop_distance * HALF:f}",
                source="product default",
                detail=detail,
            )
        if policy is EntryPolicy.PENDING_ALWAYS:
            # Waiting here would take a stop order, and nobody asked for one.
            return _entry_passed(place)
        return _at_market(place, Price(worst), sign)
    if place.worse > 0 and policy is EntryPolicy.PENDING_ALWAYS:
        return _pending(place, OrderKind.LIMIT, rules)
    if place.worse <= place.gap:
        return _at_market(place, Price(worst), sign)
    may_wait = question.order is None and policy is EntryPolicy.MARKET_IF_NEAR
    if may_wait and rules.copy_pending:
        return _pending(place, OrderKind.LIMIT, rules)
    return refused(
        "price_moved",
        "distance from the entry",
        f"{place.worse:f}",
        f"{place.gap.normalize():f}",
        setting="max_price_gap",
        detail=f"price {place.now} is {place.worse} worse than {place.near}, limit {place.gap}",
    )


def _limit(place: _Place, rules: Rules, sign: int) -> EntryChoice | Refusal:
    if place.worse > 0:
        return _pending(place, OrderKind.LIMIT, rules)
    is_inside = place.better <= 0
    if is_inside or -place.worse <= place.gap:
        return _at_market(place, place.near, sign)
    return _entry_passed(place)


def _stop(place: _Place, rules: Rules, sign: int) -> EntryChoice | Refusal:
    if place.worse < 0:
        return _pending(place, OrderKind.STOP, rules)
    if place.worse <= place.gap:
        return _at_market(place, place.now, sign)
    return _entry_passed(place)


def _pending(place: _Place, kind: OrderKind, rules: Rules) -> EntryChoice | Refusal:
    if not rules.copy_pending:
        return refused(
            "order_kind_blocked",
            "kind of order",
            kind.value,
            "no waiting orders",
            setting="copy_pending",
            detail=f"{kind.value} at {place.near}",
        )
    return EntryChoice(kind=kind, price=place.near, reference=place.near)


def _entry_passed(place: _Place) -> Refusal:
    detail = f"price {place.now}, entry {place.near}"
    return _passed_by("entry_passed", place.now, f"entry {place.near}", detail)


def _passed_by(code: str, price: Price, level: str, detail: str) -> Refusal:
    return refused(code, "price", str(price), level, source="the signal", detail=detail)
