"""The trading rows of a copy: by the names of the SQL schema, and as nodes. Pure."""

import json
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from pydantic import TypeAdapter

from signalfleet.adapters.firebase.client import Row
from signalfleet.adapters.firebase.database import whole
from signalfleet.adapters.firebase.rows import (
    COMMANDS,
    from_micros,
    intent_row,
    message_row,
    signal_row,
    steps_text,
    stored_copies,
    stored_intent,
    stored_message,
    stored_signal,
    stored_steps,
    stored_trade,
    to_json,
    to_micros,
    trade_row,
)
from signalfleet.domain.money import Lots, Price
from signalfleet.domain.signals.model import ChannelMessage, Signal, Span
from signalfleet.domain.trading.intents import Intent
from signalfleet.domain.trading.records import Copy, SignalRecord, TraceStep, Trade
from signalfleet.ports.inbox import StoredMessage
from signalfleet.ports.store_copy import CopiedRow

_READING: Final = TypeAdapter(Signal)
_SPANS: Final = TypeAdapter(tuple[Span, ...])
_MESSAGE: Final = TypeAdapter(ChannelMessage)
_STORED: Final = TypeAdapter(StoredMessage)
_RECORD: Final = TypeAdapter(SignalRecord)
_COPY: Final = TypeAdapter(Copy)
_TRADE: Final = TypeAdapter(Trade)
_INTENT: Final = TypeAdapter(Intent)
_BEFORE: Final = 0
"""The epoch of rows that have none in the SQL schema: below that of every owner to come."""
_ATTRIBUTES: Final = ("topic", "forwarded", "has_media", "media")


def message_cells(row: Row) -> CopiedRow:
    stored = stored_message(row)
    message = stored.message
    attributes = {name: getattr(message, name) for name in _ATTRIBUTES}
    struck = _SPANS.dump_python(message.struck, mode="json")
    return {
        "chat_id": message.channel,
        "msg_id": message.message,
        "rev": stored.rev,
        "arrival": whole(row, "arrival"),
        "content_hash": str(row.get("content", "")),
        "edited_at": to_micros(message.edited_at) if message.edited_at else 0,
        "posted_at": to_micros(message.posted_at),
        "received_at": to_micros(stored.received_at),
        "via": stored.via.value,
        "reply_to": message.reply_to,
        # PostgreSQL holds no zero character.
        "text": message.text.replace("\0", "\ufffd"),
        "attributes": to_json({**attributes, "struck": struck}, "a message"),
        "deleted_at": _maybe_micros(stored.deleted_at),
        "state": stored.state.value,
        "reason": stored.reason,
        "epoch": whole(row, "epoch"),
    }


def message_node(cells: CopiedRow) -> Row:
    edited, deleted = _int(cells, "edited_at"), cells["deleted_at"]
    message = {
        **json.loads(str(cells["attributes"])),
        "channel": cells["chat_id"],
        "message": cells["msg_id"],
        "text": cells["text"] or "",
        "posted_at": from_micros(_int(cells, "posted_at")),
        "version": cells["rev"],
        "edited_at": from_micros(edited) if edited else None,
        "reply_to": cells["reply_to"],
    }
    stored = _STORED.validate_python(
        {
            "message": _MESSAGE.validate_python(message),
            "rev": cells["rev"],
            "via": cells["via"],
            "received_at": from_micros(_int(cells, "received_at")),
            "state": cells["state"],
            "reason": cells["reason"],
            "deleted_at": None if deleted is None else from_micros(_int(cells, "deleted_at")),
        }
    )
    content = str(cells["content_hash"])
    return message_row(stored, content, _int(cells, "arrival"), _int(cells, "epoch"))


def signal_cells(row: Row) -> CopiedRow:
    record = stored_signal(row)
    return {
        "signal_id": record.signal_id,
        "chat_id": record.chat,
        "msg_id": record.message,
        "part": record.part,
        "entry_rev": record.entry_rev,
        "symbol": record.reading.symbol,
        "side": record.reading.side.value,
        "payload": _READING.dump_json(record.reading).decode(),
        "outcome": record.outcome.value if record.outcome else None,
        "reason": record.reason,
        "posted_at": to_micros(record.posted_at),
        "decided_at": to_micros(record.decided_at),
    }


def copy_cells(row: Row) -> list[CopiedRow]:
    return [
        {
            "signal_id": copy.signal,
            "account_id": copy.account,
            "plan": to_json(dict(copy.plan), "a copy's plan"),
            "fresh_until": _maybe_micros(copy.fresh_until),
            "lots": _plain(copy.lots.value),
            "budget": _plain(copy.budget),
            "outcome": copy.outcome.value if copy.outcome else None,
            "reason": copy.reason,
            "settled_at": _maybe_micros(copy.settled_at),
        }
        for copy in stored_copies(row).values()
    ]


def signal_node(cells: CopiedRow, copies: Mapping[str, CopiedRow]) -> Row:
    record = _RECORD.validate_python(
        {
            "signal_id": cells["signal_id"],
            "chat": cells["chat_id"],
            "message": cells["msg_id"],
            "part": cells["part"],
            "entry_rev": cells["entry_rev"],
            "reading": _READING.validate_json(str(cells["payload"])),
            "posted_at": from_micros(_int(cells, "posted_at")),
            "decided_at": from_micros(_int(cells, "decided_at")),
            "outcome": cells["outcome"],
            "reason": cells["reason"],
        }
    )
    return signal_row(record, {key: _copy(one) for key, one in copies.items()}, _BEFORE)


def _copy(cells: CopiedRow) -> Copy:
    return _COPY.validate_python(
        {
            "signal": cells["signal_id"],
            "account": cells["account_id"],
            "plan": json.loads(str(cells["plan"])),
            "fresh_until": _maybe_time(cells, "fresh_until"),
            "lots": Lots(Decimal(str(cells["lots"]))),
            "budget": Decimal(str(cells["budget"])),
            "outcome": cells["outcome"],
            "reason": cells["reason"],
            "settled_at": _maybe_time(cells, "settled_at"),
        }
    )


def trace_cells(key: str, row: Row) -> CopiedRow:
    chat, message, rev = key[1:].replace("_m", " ").replace("_r", " ").split()
    steps = [
        {"stage": step.stage, "at": to_micros(step.at), "facts": dict(step.facts)}
        for step in stored_steps(str(row["steps"]))
    ]
    return {
        "chat_id": int(chat),
        "msg_id": int(message),
        "rev": int(rev),
        "steps": to_json(steps, "a trace step"),
    }


def trace_node(cells: CopiedRow) -> Row:
    steps = tuple(
        TraceStep(stage=step["stage"], at=from_micros(step["at"]), facts=step["facts"])
        for step in json.loads(str(cells["steps"]))
    )
    return {"steps": steps_text(steps), "epoch": _BEFORE}


def intent_cells(row: Row) -> CopiedRow:
    intent = stored_intent(row)
    return {
        "intent_id": intent.intent_id,
        "account_id": intent.account,
        "trade_id": intent.trade,
        "lane": intent.lane.value,
        "action": intent.action.value,
        "cause": intent.cause,
        "client_id": intent.client_id,
        "request": COMMANDS[intent.action].dump_json(intent.command).decode(),
        "state": intent.state.value,
        "reason": intent.reason,
        "attempt": intent.attempt,
        "epoch": whole(row, "epoch"),
        "valid_until": _maybe_micros(intent.valid_until),
        "waits_for": intent.waits_for,
        "cancel_wanted": int(intent.cancel_wanted),
        "sending_at": _maybe_micros(intent.sending_at),
        "settled_at": _maybe_micros(intent.settled_at),
        "order_id": intent.order_id,
        "position_id": intent.position_id,
        "evidence": intent.evidence,
        "created_at": to_micros(intent.created_at),
    }


_OF_INTENT: Final = (
    "intent_id cause client_id state reason attempt waits_for order_id position_id evidence"
).split()


def intent_node(cells: CopiedRow) -> Row:
    fields: dict[str, Any] = {name: cells[name] for name in _OF_INTENT}
    for name in ("valid_until", "sending_at", "settled_at"):
        fields[name] = _maybe_time(cells, name)
    command = COMMANDS[str(cells["action"])].validate_json(str(cells["request"]))
    intent = _INTENT.validate_python(
        {
            **fields,
            "account": cells["account_id"],
            "trade": cells["trade_id"],
            "command": command,
            "cancel_wanted": bool(cells["cancel_wanted"]),
            "created_at": from_micros(_int(cells, "created_at")),
        }
    )
    return intent_row(intent, _int(cells, "epoch"))


_OF_TRADE: Final = (
    "trade_id leg client_id magic symbol side state order_id position_id close_reason"
).split()
_PRICES: Final = ("open_price", "stop_loss", "take_profit", "close_price")
_VOLUMES: Final = ("volume", "volume_open")
_MONEY: Final = ("profit", "commission", "swap")


def trade_cells(row: Row) -> CopiedRow:
    trade = stored_trade(row)
    prices = {name: getattr(trade, name) for name in (*_PRICES, *_VOLUMES)}
    money = {name: getattr(trade, name) for name in _MONEY}
    words = {name: getattr(trade, name) for name in _OF_TRADE}
    return {
        **words,
        **{name: None if one is None else _plain(one.value) for name, one in prices.items()},
        **{name: None if one is None else _plain(one) for name, one in money.items()},
        "side": trade.side.value,
        "state": trade.state.value,
        "account_id": trade.account,
        "signal_id": trade.signal,
        "opened_at": _maybe_micros(trade.opened_at),
        "closed_at": _maybe_micros(trade.closed_at),
    }


def trade_node(cells: CopiedRow, decided_at: int) -> Row:
    def amount(name: str) -> Decimal | None:
        return None if cells[name] is None else Decimal(str(cells[name]))

    prices = {name: Price(one) for name in _PRICES if (one := amount(name)) is not None}
    volumes = {name: Lots(amount(name) or Decimal(0)) for name in _VOLUMES}
    trade = _TRADE.validate_python(
        {
            **{name: cells[name] for name in _OF_TRADE},
            **prices,
            **volumes,
            **{name: amount(name) for name in _MONEY},
            "account": cells["account_id"],
            "signal": cells["signal_id"],
            "opened_at": _maybe_time(cells, "opened_at"),
            "closed_at": _maybe_time(cells, "closed_at"),
        }
    )
    return trade_row(trade, decided_at, _BEFORE)


def _int(cells: CopiedRow, name: str) -> int:
    return int(cells[name] or 0)


def _plain(value: Decimal) -> str:
    return f"{value:f}"


def _maybe_micros(moment: datetime | None) -> int | None:
    return None if moment is None else to_micros(moment)


def _maybe_time(cells: CopiedRow, name: str) -> datetime | None:
    return None if cells[name] is None else from_micros(_int(cells, name))
