"""Domain values to the columns of a row, and back. Pure."""

from decimal import Decimal
from functools import lru_cache
from typing import TypeAlias

from signalfleet.adapters.sql.codec import (
    KEPT,
    decode_attributes,
    decode_command,
    decode_signal,
    encode_attributes,
    encode_command,
    encode_signal,
    from_json,
    from_micros,
    maybe_decimal,
    maybe_micros,
    maybe_text,
    maybe_time,
    to_json,
    to_micros,
)
from signalfleet.adapters.sql.schema import NEVER_EDITED
from signalfleet.adapters.sql.session import Row
from signalfleet.domain.ids import UserId
from signalfleet.domain.instruments.model import Side
from signalfleet.domain.money import Lots, Price
from signalfleet.domain.signals.model import ChannelMessage
from signalfleet.domain.signals.revisions import KnownRevision
from signalfleet.domain.trading.intents import Action, Intent, IntentState
from signalfleet.domain.trading.records import (
    Copy,
    CopyOutcome,
    MessageKey,
    SignalRecord,
    Trade,
    TradeState,
)
from signalfleet.ports.chat_source import Origin
from signalfleet.ports.inbox import MessageState, StoredMessage

Params: TypeAlias = dict[str, object]


def key_params(user: UserId, key: MessageKey) -> Params:
    return {"user_id": user, "chat_id": key.chat, "msg_id": key.message, "rev": key.rev}


def message_params(user: UserId, stored: StoredMessage, content: str, epoch: int) -> Params:
    message = stored.message
    # PostgreSQL holds no zero character; the hash of the content is that of the text as it came.
    return {
        **key_params(user, stored.key),
        "owner": user,
        "content_hash": content,
        "edited_at": to_micros(message.edited_at) if message.edited_at else NEVER_EDITED,
        "posted_at": to_micros(message.posted_at),
        "received_at": to_micros(stored.received_at),
        "via": stored.via,
        "reply_to": message.reply_to,
        "text": message.text.replace("\0", "\ufffd"),
        "attributes": encode_attributes(message),
        "deleted_at": maybe_micros(stored.deleted_at),
        "state": stored.state,
        "reason": stored.reason,
        "epoch": epoch,
    }


def stored_message(row: Row) -> StoredMessage:
    edited_at = row["edited_at"]
    return StoredMessage(
        message=ChannelMessage(
            channel=row["chat_id"],
            message=row["msg_id"],
            text=row["text"] or "",
            posted_at=from_micros(row["posted_at"]),
            version=row["rev"],
            edited_at=None if edited_at == NEVER_EDITED else from_micros(edited_at),
            reply_to=row["reply_to"],
            **decode_attributes(row["attributes"]),
        ),
        rev=row["rev"],
        via=Origin(row["via"]),
        received_at=from_micros(row["received_at"]),
        state=MessageState(row["state"]),
        reason=row["reason"],
        deleted_at=maybe_time(row["deleted_at"]),
    )


def known_revision(row: Row) -> KnownRevision:
    edited_at = row["edited_at"]
    return KnownRevision(
        rev=row["rev"],
        edited_at=None if edited_at == NEVER_EDITED else from_micros(edited_at),
        content=row["content_hash"],
        posted_at=from_micros(row["posted_at"]),
        deleted_at=maybe_time(row["deleted_at"]),
    )


def signal_params(user: UserId, signal: SignalRecord) -> Params:
    return {
        "user_id": user,
        "signal_id": signal.signal_id,
        "chat_id": signal.chat,
        "msg_id": signal.message,
        "part": signal.part,
        "entry_rev": signal.entry_rev,
        "symbol": signal.reading.symbol,
        "side": signal.reading.side,
        "payload": encode_signal(signal.reading),
        "outcome": signal.outcome,
        "reason": signal.reason,
        "posted_at": to_micros(signal.posted_at),
        "decided_at": to_micros(signal.decided_at),
    }


def signal_record(row: Row) -> SignalRecord:
    return SignalRecord(
        signal_id=row["signal_id"],
        chat=row["chat_id"],
        message=row["msg_id"],
        part=row["part"],
        entry_rev=row["entry_rev"],
        reading=decode_signal(row["payload"]),
        posted_at=from_micros(row["posted_at"]),
        decided_at=from_micros(row["decided_at"]),
        outcome=_outcome(row["outcome"]),
        reason=row["reason"],
    )


def copy_params(user: UserId, copy: Copy) -> Params:
    return {
        "user_id": user,
        "signal_id": copy.signal,
        "account_id": copy.account,
        "plan": to_json(dict(copy.plan), "a copy's plan"),
        "fresh_until": maybe_micros(copy.fresh_until),
        "lots": str(copy.lots.value),
        "budget": str(copy.budget),
        "outcome": copy.outcome,
        "reason": copy.reason,
        "settled_at": maybe_micros(copy.settled_at),
    }


def signal_copy(row: Row) -> Copy:
    return Copy(
        signal=row["signal_id"],
        account=row["account_id"],
        plan=from_json(row["plan"]),
        fresh_until=maybe_time(row["fresh_until"]),
        lots=_lots(row["lots"]),
        budget=Decimal(row["budget"]),
        outcome=_outcome(row["outcome"]),
        reason=row["reason"],
        settled_at=maybe_time(row["settled_at"]),
    )


def trade_params(user: UserId, trade: Trade) -> Params:
    return {
        "user_id": user,
        "trade_id": trade.trade_id,
        "account_id": trade.account,
        "signal_id": trade.signal,
        "leg": trade.leg,
        "client_id": trade.client_id,
        "magic": trade.magic,
        "symbol": trade.symbol,
        "side": trade.side,
        "state": trade.state,
        "volume": str(trade.volume.value),
        "volume_open": str(trade.volume_open.value),
        "open_price": _price_text(trade.open_price),
        "stop_loss": _price_text(trade.stop_loss),
        "take_profit": _price_text(trade.take_profit),
        "close_price": _price_text(trade.close_price),
        "profit": maybe_text(trade.profit),
        "commission": maybe_text(trade.commission),
        "swap": maybe_text(trade.swap),
        "order_id": trade.order_id,
        "position_id": trade.position_id,
        "opened_at": maybe_micros(trade.opened_at),
        "closed_at": maybe_micros(trade.closed_at),
        "close_reason": trade.close_reason,
    }


def stored_trade(row: Row) -> Trade:
    return Trade(
        trade_id=row["trade_id"],
        account=row["account_id"],
        signal=row["signal_id"],
        leg=row["leg"],
        client_id=row["client_id"],
        magic=row["magic"],
        symbol=row["symbol"],
        side=Side(row["side"]),
        state=TradeState(row["state"]),
        volume=_lots(row["volume"]),
        volume_open=_lots(row["volume_open"]),
        open_price=_price(row["open_price"]),
        stop_loss=_price(row["stop_loss"]),
        take_profit=_price(row["take_profit"]),
        close_price=_price(row["close_price"]),
        profit=maybe_decimal(row["profit"]),
        commission=maybe_decimal(row["commission"]),
        swap=maybe_decimal(row["swap"]),
        order_id=row["order_id"],
        position_id=row["position_id"],
        opened_at=maybe_time(row["opened_at"]),
        closed_at=maybe_time(row["closed_at"]),
        close_reason=row["close_reason"],
    )


def intent_params(user: UserId, intent: Intent, epoch: int) -> Params:
    return {
        "user_id": user,
        "intent_id": intent.intent_id,
        "account_id": intent.account,
        "trade_id": intent.trade,
        "lane": intent.lane,
        "action": intent.action,
        "cause": intent.cause,
        "client_id": intent.client_id,
        "request": encode_command(intent.action, intent.command),
        "state": intent.state,
        "reason": intent.reason,
        "attempt": intent.attempt,
        "epoch": epoch,
        "valid_until": maybe_micros(intent.valid_until),
        "waits_for": intent.waits_for,
        "cancel_wanted": int(intent.cancel_wanted),
        "sending_at": maybe_micros(intent.sending_at),
        "settled_at": maybe_micros(intent.settled_at),
        "order_id": intent.order_id,
        "position_id": intent.position_id,
        "evidence": intent.evidence,
        "created_at": to_micros(intent.created_at),
    }


def stored_intent(row: Row) -> Intent:
    return Intent(
        intent_id=row["intent_id"],
        account=row["account_id"],
        trade=row["trade_id"],
        cause=row["cause"],
        client_id=row["client_id"],
        command=decode_command(Action(row["action"]), row["request"]),
        state=IntentState(row["state"]),
        created_at=from_micros(row["created_at"]),
        attempt=row["attempt"],
        reason=row["reason"],
        valid_until=maybe_time(row["valid_until"]),
        waits_for=row["waits_for"],
        cancel_wanted=bool(row["cancel_wanted"]),
        sending_at=maybe_time(row["sending_at"]),
        settled_at=maybe_time(row["settled_at"]),
        order_id=row["order_id"],
        position_id=row["position_id"],
        evidence=row["evidence"],
    )


def _outcome(word: str | None) -> CopyOutcome | None:
    return None if word is None else CopyOutcome(word)


@lru_cache(maxsize=KEPT)
def _lots(text: str) -> Lots:
    return Lots(Decimal(text))


@lru_cache(maxsize=KEPT)
def _price(text: str | None) -> Price | None:
    return None if text is None else Price(Decimal(text))


def _price_text(price: Price | None) -> str | None:
    return None if price is None else str(price.value)
