"""The broker's book in a script's words, and comparing it with what a script expects."""

import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, Final

from signalfleet.domain.exchange.model import Entry
from signalfleet.domain.money import Price

Facts = Mapping[str, str]
NONE: Final = "none"
KINDS: Final = frozenset({"limit", "stop", "market"})
HEAD: Final = ("symbol", "side", "lots")
EXACT: Final = frozenset({"sl", "tp"})
_NUMBER: Final = re.compile(r"-?[0-9]+(\.[0-9]+)?")


def positions(book: Any) -> list[Facts]:
    return [
        _facts(
            symbol=held.symbol,
            side=held.side.value,
            lots=held.lots.value,
            at=held.open_price,
            sl=held.stop_loss,
            tp=held.take_profit,
        )
        for held in book.positions.values()
    ]


def orders(book: Any) -> list[Facts]:
    return [
        _facts(
            symbol=order.symbol,
            side=order.side.value,
            kind=order.kind.value,
            lots=order.lots_left.value,
            at=order.price,
            sl=order.stop_loss,
            tp=order.take_profit,
            until=None if order.expires_at is None else f"{order.expires_at:%H.%M}",
        )
        for order in book.orders.values()
    ]


def closed(book: Any) -> list[Facts]:
    """Return the deals that took volume away, by whom: our order, a stop, a target."""
    return [
        _facts(
            symbol=deal.symbol,
            side=_of_position(deal.side.value),
            lots=deal.lots.value,
            at=deal.price,
            by=deal.label.reason.value,
        )
        for deal in book.deals
        if deal.entry not in (Entry.IN, Entry.BALANCE)
    ]


def expected(text: str) -> list[Facts]:
    """Read `XAUUSD buy 0.05 sl 2340 tp 2360; ...`; `none` is nothing."""
    if text.strip() == NONE:
        return []
    return [_item(part) for part in text.split(";")]


def difference(wanted: list[Facts], found: list[Facts]) -> str | None:
    """Say how two lists differ, whatever their order; None if they do not."""
    left = list(found)
    for one in wanted:
        match = next((other for other in left if _fits(one, other)), None)
        if match is None:
            return f"expected {show(wanted)}, the broker has {show(found)}"
        left.remove(match)
    return f"expected {show(wanted)}, the broker has {show(found)}" if left else None


def show(items: Iterable[Facts]) -> str:
    return "; ".join(" ".join(f"{key} {value}" for key, value in one.items()) for one in items) or (
        NONE
    )


def risk(book: Any, contract_of: Any) -> Decimal:
    """Return what all open positions and waiting orders lose at their stops, without costs."""
    total = Decimal(0)
    for held in (*book.positions.values(), *book.orders.values()):
        start = getattr(held, "open_price", None) or held.price
        if held.stop_loss is None:
            raise AssertionError(f"{held.symbol} has no stop")
        lots = getattr(held, "lots_left", None) or held.lots
        away = (start.value - held.stop_loss.value) * (1 if held.side.value == "buy" else -1)
        total += away * lots.value * contract_of(held.symbol)
    return total


def _facts(**values: object) -> Facts:
    return {key: _text(value) for key, value in values.items() if value is not None}


def _text(value: object) -> str:
    if isinstance(value, Price):
        value = value.value
    return f"{value.normalize():f}" if isinstance(value, Decimal) else str(value)


def _item(text: str) -> Facts:
    words = text.split()
    found: dict[str, str] = {}
    head = [word for word in words[:4] if word not in KINDS]
    for word in words[:4]:
        if word in KINDS:
            found["kind"] = word
    found |= dict(zip(HEAD, head[:3], strict=True))
    rest = words[3 + ("kind" in found) :]
    found |= dict(zip(rest[::2], rest[1::2], strict=True))
    return {key: _text(_number(value)) for key, value in found.items()}


def _number(value: str) -> object:
    return Decimal(value) if _NUMBER.fullmatch(value) else value


def _fits(wanted: Facts, found: Facts) -> bool:
    keys = wanted.keys() | (EXACT & found.keys())
    return all(wanted.get(key) == found.get(key) for key in keys)


def _of_position(side: str) -> str:
    """A deal that closes a buy is a sell."""
    return "sell" if side == "buy" else "buy"
