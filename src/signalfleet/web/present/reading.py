"""A reading in one line, and the message's text cut where it was understood."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from signalfleet.domain.money import Price
from signalfleet.domain.signals.model import OrderKind, PriceRange, Signal, Span
from signalfleet.web.present.words import Words, readable

DASH: Final = "\N{EN DASH}"
ROLES: Final[Mapping[str, str]] = {
    "side": "side",
    "symbol": "symbol",
    "entry": "entry",
    "order": "entry",
    "stop": "stop",
    "sl": "stop",
    "stop_loss": "stop",
    "stop_pips": "stop",
    "target": "target",
    "targets": "target",
    "tp": "target",
    "take_profit": "target",
    "target_pips": "target",
    "tp_pips": "target",
    "target_r": "target",
    "breakeven": "stop",
    "movestop": "stop",
    "movetarget": "target",
    "settargets": "target",
    "moveentry": "entry",
    "close": "side",
    "closepart": "side",
    "cancelpending": "side",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """A piece of a text; `label` is set where it was understood. `role` picks the colour."""

    text: str
    label: str = ""
    role: str = ""


def signal_line(signal: Signal) -> str:
    """Say an entry in one line: BUY LIMIT XAUUSD 2350, S/L 2340, T/P 2360 / 2370."""
    kind = f" {signal.order.value.upper()}" if signal.order not in (None, OrderKind.MARKET) else ""
    head = f"{signal.side.value.upper()}{kind} {signal.symbol or 'no symbol'}"
    entry = _range(signal.entry) if signal.entry else "at market"
    parts = [f"{head} {entry}"]
    if signal.stop is not None:
        parts.append(f"S/L {signal.stop}")
    elif signal.stop_pips is not None:
        parts.append(f"S/L {_figure(signal.stop_pips)} pips")
    targets = _targets(signal)
    if targets:
        parts.append(f"T/P {targets}")
    if signal.risk_percent is not None:
        parts.append(f"risk {_figure(signal.risk_percent)} %")
    return ", ".join(parts)


def _targets(signal: Signal) -> str:
    if signal.targets:
        return " / ".join(_target(price) for price in signal.targets)
    if signal.target_pips:
        return " / ".join(_figure(pips) for pips in signal.target_pips) + " pips"
    return " / ".join(f"{_figure(r)} R" for r in signal.target_r)


def _target(price: Price | None) -> str:
    return "open" if price is None else str(price)


def _range(prices: PriceRange) -> str:
    one = str(prices.low)
    return one if prices.low == prices.high else f"{one}{DASH}{prices.high}"


def _figure(value: Decimal) -> str:
    return f"{value.normalize():f}"


def cut(text: str, spans: Iterable[Span], words: Words) -> tuple[Segment, ...]:
    """Cut a text at its spans. What overlaps or lies outside is left out: spans are stored data."""
    pieces: list[Segment] = []
    at = 0
    names = numbered(spans, words)
    for span in sorted(names, key=lambda one: (one.start, -one.end)):
        if span.start < at or span.end <= span.start or span.end > len(text):
            continue
        if span.start > at:
            pieces.append(Segment(text=text[at : span.start]))
        pieces.append(
            Segment(
                text=text[span.start : span.end],
                label=names[span],
                role=ROLES.get(_field(span.field), "other"),
            )
        )
        at = span.end
    if at < len(text) or not pieces:
        pieces.append(Segment(text=text[at:]))
    return tuple(pieces)


def numbered(spans: Iterable[Span], words: Words) -> dict[Span, str]:
    """Name all spans; several targets are counted in the order of the text."""
    found = sorted(set(spans), key=lambda one: (one.start, one.end))
    many = Counter(_field(one.field) for one in found)
    seen: Counter[str] = Counter()
    names: dict[Span, str] = {}
    for span in found:
        name = _field(span.field)
        seen[name] += 1
        label = span_label(span.field, words)
        is_counted = many[name] > 1 and name.startswith("target") and not label[-1:].isdigit()
        names[span] = f"{label} {seen[name]}" if is_counted else label
    return names


def span_label(field: str, words: Words) -> str:
    """Name a span for people; a number at the end of the field's name is kept: T/P 2."""
    name = _field(field)
    number = "".join(char for char in field if char.isdigit())
    label = words.say("span", name) if words.has("span", name) else readable(name)
    return f"{label} {number}" if number else label


def _field(field: str) -> str:
    return field.lower().rstrip("0123456789_[]. ")


def stored_spans(readings: Sequence[Mapping[str, Any]]) -> list[Span]:
    """Take the spans out of a stored trace, leaving out what is not one."""
    found: list[Span] = []
    for reading in readings:
        for item in reading.get("spans") or ():
            start, end, field = item.get("start"), item.get("end"), item.get("field", "")
            if isinstance(start, int) and isinstance(end, int) and isinstance(field, str):
                found.append(Span(start=start, end=end, field=field))
    return found
