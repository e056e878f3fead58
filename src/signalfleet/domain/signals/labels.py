"""Readings in the notation of the corpus, which is also what `signalfleet parse --jsonl` prints."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from signalfleet.domain.ids import ChannelId, MessageId
from signalfleet.domain.money import Price
from signalfleet.domain.signals.model import (
    Ambiguous,
    BreakEven,
    CancelPending,
    ChannelMessage,
    Close,
    ClosePart,
    Context,
    EntryOffset,
    FollowUp,
    MoveEntry,
    MoveStop,
    MoveTarget,
    NotASignal,
    ParseResult,
    PriceRange,
    Report,
    SetTargets,
    Signal,
    TpRef,
    Trail,
)
from signalfleet.domain.signals.parse import Parser

LABEL_TIME = datetime(2026, 1, 1, tzinfo=UTC)
Label = dict[str, Any]


def to_labels(result: ParseResult) -> list[Label]:
    """Give a result as labels; changes of levels of one trade become one `modify`."""
    if isinstance(result, NotASignal):
        return [{"kind": "none"}]
    if isinstance(result, Ambiguous):
        return [{"kind": "review"}]
    labels: list[Label] = []
    for reading in result.readings:
        label = _label(reading)
        if label["kind"] == "modify" and labels and _joins(labels[-1], label):
            _join(labels[-1], label)
        else:
            labels.append(label)
    return labels


def parse_line(parser: Parser, line: dict[str, Any]) -> dict[str, Any]:
    """Read one line `{"id", "text", "context"}` and give `{"id", "predict"}`."""
    surroundings = line.get("context") or {}
    replied = surroundings.get("reply_to")
    earlier = surroundings.get("edit_of")
    context = Context(
        replied=_message(replied, 1) if replied is not None else None,
        before_edit=_message(earlier, 2) if earlier is not None else None,
    )
    message = ChannelMessage(
        channel=ChannelId(-1),
        message=MessageId(2),
        version=0 if earlier is None else 1,
        text=line["text"],
        posted_at=LABEL_TIME,
        reply_to=MessageId(1) if replied is not None else None,
    )
    return {"id": line["id"], "predict": to_labels(parser.parse(message, context))}


def _message(text: str, number: int) -> ChannelMessage:
    return ChannelMessage(
        channel=ChannelId(-1), message=MessageId(number), text=text, posted_at=LABEL_TIME
    )


def _number(value: Price | Decimal | None) -> float | None:
    if value is None:
        return None
    return float(value.value if isinstance(value, Price) else value)


def _range(entry: PriceRange | None) -> list[float | None] | None:
    return [_number(entry.low), _number(entry.high)] if entry else None


def _label(reading: Signal | FollowUp | Report) -> Label:
    if isinstance(reading, Signal):
        return {
            "kind": "open",
            "symbol": reading.symbol,
            "side": reading.side.value,
            "order": reading.order.value if reading.order else None,
            "entry": _range(reading.entry),
            "sl": _number(reading.stop),
            "tps": [_number(target) for target in reading.targets],
            "sl_pips": _number(reading.stop_pips),
            "tp_pips": [_number(pips) for pips in reading.target_pips],
            "risk_percent": _number(reading.risk_percent),
            "lot": float(reading.lots.value) if reading.lots else None,
            "leverage": _number(reading.leverage),
        }
    if isinstance(reading, Report):
        return {
            "kind": "hit",
            "symbol": reading.symbol,
            "what": reading.what,
            "index": reading.index,
        }
    return _follow_up(reading)


def _follow_up(reading: FollowUp) -> Label:
    action, target = reading.action, reading.target
    if isinstance(action, BreakEven):
        return {"kind": "break_even", "symbol": target.symbol, "price": _number(action.price)}
    if isinstance(action, Close | CancelPending):
        return {
            "kind": "close" if isinstance(action, Close) else "cancel",
            "symbol": target.symbol,
            "side": target.side.value if target.side else None,
            "scope": "all" if target.everything else None,
        }
    if isinstance(action, ClosePart):
        return {
            "kind": "close_partial",
            "symbol": target.symbol,
            "fraction": _number(action.fraction),
            "tp_index": None,
        }
    return _modify(action, target.symbol)


def _modify(action: MoveStop | MoveTarget | SetTargets | MoveEntry, symbol: str | None) -> Label:
    label: Label = {
        "kind": "modify",
        "symbol": symbol,
        "sl": None,
        "tps": None,
        "entry": None,
        "tp_index": None,
        "sl_ref": None,
    }
    if isinstance(action, MoveStop):
        to = action.to
        if isinstance(to, Price):
            label["sl"] = _number(to)
        elif isinstance(to, TpRef):
            label["sl"], label["sl_ref"] = _number(to.price), f"tp{to.index}"
        elif isinstance(to, EntryOffset):
            label["sl_ref"] = f"be+{to.pips:f}pips"
        elif isinstance(to, Trail):
            label["sl_ref"] = f"trail{to.pips:f}pips" if to.pips is not None else "trail"
    elif isinstance(action, MoveTarget):
        label["tps"], label["tp_index"] = [_number(action.price)], action.index
    elif isinstance(action, SetTargets):
        label["tps"] = [_number(price) for price in action.prices]
    else:
        label["entry"] = _range(action.entry)
    return label


def _joins(before: Label, label: Label) -> bool:
    if before["kind"] != "modify" or before["symbol"] != label["symbol"]:
        return False
    return all(
        before[field] is None or label[field] is None
        for field in ("sl", "tps", "entry", "tp_index", "sl_ref")
    )


def _join(before: Label, label: Label) -> None:
    for field in ("sl", "tps", "entry", "tp_index", "sl_ref"):
        if label[field] is not None:
            before[field] = label[field]
