"""Which order, at which price, a signal becomes at the present price."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from signalfleet.domain.instruments.model import Quote, Side
from signalfleet.domain.money import Price
from signalfleet.domain.risk.refusal import Refusal
from signalfleet.domain.settings.catalogue import EntryPolicy, Rules
from signalfleet.domain.signals.model import OrderKind, PriceRange
from signalfleet.domain.trading.intents import OpenLeg

HALF: Final = Decimal("0.5")


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryQuestion:
    side: Side
    order: OrderKind | None
    entry: PriceRange | None
    stop: Price
    first_target: Price | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryChoice:
    """`reference` is the worst price that the size must allow for."""

    kind: OrderKind
    price: Price | None
    reference: Price


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
        return EntryChoice(kind=OrderKind.MARKET, price=None, reference=now)
    place = _place(question, question.entry, now, rules)
    match question.order:
        case OrderKind.LIMIT:
            return _limit(place, rules)
        case OrderKind.STOP:
            return _stop(place, rules)
        case OrderKind.MARKET | None:
            return _market(question, place, rules)


def against_entry(
    command: OpenLeg, entry: PriceRange | None, quote: Quote, rules: Rules
) -> str | None:
    """Return why an order that was decided earlier must not go out at the present price."""
    if command.stop_loss is None:
        return None
    choice = choose_order(
        EntryQuestion(
            side=command.side,
            order=command.kind,
            entry=entry,
            stop=command.stop_loss,
            first_target=command.take_profit,
        ),
        quote,
        rules,
    )
    if isinstance(choice, Refusal):
        return choice.code
    return None if choice.kind is command.kind else "price_moved"


def _passed(question: EntryQuestion, quote: Quote, now: Price) -> Refusal | None:
    sign = question.side.sign
    leaving = quote.to_close(question.side)
    if (leaving.value - question.stop.value) * sign <= 0:
        return Refusal(code="sl_passed", detail=f"price {leaving}, stop {question.stop}")
    target = question.first_target
    if target is not None and (target.value - now.value) * sign <= 0:
        return Refusal(code="tp_passed", detail=f"price {now}, first target {target}")
    return None


def _place(question: EntryQuestion, entry: PriceRange, now: Price, rules: Rules) -> _Place:
    buying = question.side is Side.BUY
    near, far = (entry.high, entry.low) if buying else (entry.low, entry.high)
    sign = question.side.sign
    stop_distance = abs(near.value - question.stop.value)
    return _Place(
        now=now,
        near=near,
        worse=(now.value - near.value) * sign,
        better=(far.value - now.value) * sign,
        gap=stop_distance * rules.max_price_gap,
        stop_distance=stop_distance,
    )


def _at_market(worst: Price) -> EntryChoice:
    return EntryChoice(kind=OrderKind.MARKET, price=None, reference=worst)


def _market(question: EntryQuestion, place: _Place, rules: Rules) -> EntryChoice | Refusal:
    sign = question.side.sign
    worst = max(place.now.value * sign, place.near.value * sign) * sign
    policy = rules.entry_policy
    if place.better > 0:
        left = (place.now.value - question.stop.value) * sign
        if left < place.stop_distance * HALF:
            detail = f"price {place.now}, stop {question.stop}"
            return Refusal(code="near_stop", detail=detail)
        if policy is EntryPolicy.PENDING_ALWAYS:
            # Waiting here would take a stop order, and nobody asked for one.
            return _entry_passed(place)
        return _at_market(Price(worst))
    if place.worse > 0 and policy is EntryPolicy.PENDING_ALWAYS:
        return _pending(place, OrderKind.LIMIT, rules)
    if place.worse <= place.gap:
        return _at_market(Price(worst))
    may_wait = question.order is None and policy is EntryPolicy.MARKET_IF_NEAR
    if may_wait and rules.copy_pending:
        return _pending(place, OrderKind.LIMIT, rules)
    return Refusal(
        code="price_moved",
        detail=f"price {place.now} is {place.worse} worse than {place.near}, limit {place.gap}",
    )


def _limit(place: _Place, rules: Rules) -> EntryChoice | Refusal:
    if place.worse > 0:
        return _pending(place, OrderKind.LIMIT, rules)
    is_inside = place.better <= 0
    if is_inside or -place.worse <= place.gap:
        return _at_market(place.near)
    return _entry_passed(place)


def _stop(place: _Place, rules: Rules) -> EntryChoice | Refusal:
    if place.worse < 0:
        return _pending(place, OrderKind.STOP, rules)
    if place.worse <= place.gap:
        return _at_market(place.now)
    return _entry_passed(place)


def _pending(place: _Place, kind: OrderKind, rules: Rules) -> EntryChoice | Refusal:
    if not rules.copy_pending:
        return Refusal(code="order_kind_blocked", detail=f"{kind.value} at {place.near}")
    return EntryChoice(kind=kind, price=place.near, reference=place.near)


def _entry_passed(place: _Place) -> Refusal:
    return Refusal(code="entry_passed", detail=f"price {place.now}, entry {place.near}")
