"""At which prices of a stated zone a copy enters, and how much of it at each."""

from dataclasses import replace
from decimal import Decimal

from signalfleet.domain.instruments.model import Instrument, Quote
from signalfleet.domain.money import Price
from signalfleet.domain.risk.refusal import Refusal
from signalfleet.domain.risk.shares import layer_shares
from signalfleet.domain.settings.catalogue import Rules
from signalfleet.domain.settings.choices import EntryPolicy, ZoneMode
from signalfleet.domain.signals.model import OrderKind, PriceRange
from signalfleet.domain.trading.entry import EntryChoice, EntryQuestion, choose_order
from signalfleet.domain.trading.legs import room


def choose_orders(
    question: EntryQuestion, quote: Quote, instrument: Instrument, rules: Rules, *, layered: bool
) -> tuple[EntryChoice, ...] | Refusal:
    """Choose the orders of a copy, nearest to the price first; without `layered` it is one."""
    zone = _zone(question)
    mode = ZoneMode.NEAR if zone is None else rules.zone_mode
    if mode is ZoneMode.LAYERS and not layered:
        mode = ZoneMode.NEAR
    if zone is not None and mode in (ZoneMode.MIDDLE, ZoneMode.FAR):
        return _deeper(question, zone, quote, instrument, rules)
    choice = choose_order(question, quote, rules)
    if isinstance(choice, Refusal):
        return choice
    if zone is None or mode is not ZoneMode.LAYERS or rules.layers == 1:
        return (_limited(choice, quote, question, instrument, rules),)
    return tuple(
        _limited(one, quote, question, instrument, rules)
        for one in _layers(question, zone, choice, quote, instrument, rules)
    )


def _zone(question: EntryQuestion) -> PriceRange | None:
    """Return the zone whose depth the user may choose; none for a stop order or a single price."""
    entry = question.entry
    if entry is None or entry.low == entry.high or question.order is OrderKind.STOP:
        return None
    return entry


def _deeper(
    question: EntryQuestion, zone: PriceRange, quote: Quote, instrument: Instrument, rules: Rules
) -> tuple[EntryChoice, ...] | Refusal:
    """Wait for a better price of the zone than its near edge, unless it is there already."""
    near, far = _edges(question, zone)
    value = far.value if rules.zone_mode is ZoneMode.FAR else (near.value + far.value) / 2
    wanted = Price(value).rounded(instrument.tick_size)
    narrowed = replace(question, entry=PriceRange.of(wanted, far))
    now = quote.to_open(question.side)
    is_worse = (now.value - wanted.value) * question.side.sign > 0
    waits = question.order is not OrderKind.MARKET
    if is_worse and waits and rules.entry_policy is not EntryPolicy.MARKET_ALWAYS:
        narrowed = replace(narrowed, order=OrderKind.LIMIT)
    choice = choose_order(narrowed, quote, rules)
    if isinstance(choice, Refusal):
        return choice
    return (_limited(choice, quote, question, instrument, rules),)


def _layers(
    question: EntryQuestion,
    zone: PriceRange,
    first: EntryChoice,
    quote: Quote,
    instrument: Instrument,
    rules: Rules,
) -> list[EntryChoice]:
    """Put one order at each layer; those that the price has reached go at market together."""
    near, far = _edges(question, zone)
    count, sign = rules.layers, question.side.sign
    step = (far.value - near.value) / (count - 1)
    prices = [
        Price(near.value + step * index).rounded(instrument.tick_size) for index in range(count)
    ]
    shares = layer_shares(rules.layer_weights, count)
    if first.kind is not OrderKind.MARKET:
        waiting = _merged(prices, shares)
        return [
            EntryChoice(kind=OrderKind.LIMIT, price=price, reference=price, share=share)
            for price, share in waiting
        ]
    now = quote.to_open(question.side).value
    free = room(instrument)
    # A limit must be on the other side of the price, and as far from it as the broker wants.
    reached = [(now - price.value) * sign <= 0 or abs(now - price.value) < free for price in prices]
    reached[0] = True
    at_once = sum((s for s, done in zip(shares, reached, strict=True) if done), Decimal(0))
    deeper = [(p, s) for p, s, done in zip(prices, shares, reached, strict=True) if not done]
    found = [replace(first, share=at_once)] if at_once else []
    if rules.copy_pending:
        found += [
            EntryChoice(kind=OrderKind.LIMIT, price=price, reference=price, share=share)
            for price, share in _merged([p for p, _ in deeper], tuple(s for _, s in deeper))
        ]
    return found or [first]


def _merged(prices: list[Price], shares: tuple[Decimal, ...]) -> list[tuple[Price, Decimal]]:
    """Join layers that fall on the same tick, and leave out those without a share."""
    found: dict[Price, Decimal] = {}
    for price, share in zip(prices, shares, strict=True):
        found[price] = found.get(price, Decimal(0)) + share
    return [(price, share) for price, share in found.items() if share > 0]


def _limited(
    choice: EntryChoice,
    quote: Quote,
    question: EntryQuestion,
    instrument: Instrument,
    rules: Rules,
) -> EntryChoice:
    """Bound the price of an order at market by the deviation that the user allows."""
    if choice.kind is not OrderKind.MARKET or rules.max_deviation is None:
        return choice
    sign = question.side.sign
    now = quote.to_open(question.side).value
    value = now + rules.max_deviation * instrument.point * sign
    if value <= 0:
        return choice
    if choice.worst is not None and (choice.worst.value - value) * sign <= 0:
        return choice
    return replace(choice, worst=Price(value))


def _edges(question: EntryQuestion, zone: PriceRange) -> tuple[Price, Price]:
    """Return the near and the far edge: a buy's price comes from above."""
    return (zone.high, zone.low) if question.side.sign > 0 else (zone.low, zone.high)
