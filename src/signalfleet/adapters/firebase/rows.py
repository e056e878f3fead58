"""Domain values to the rows of the database, and back. Pure.

What clients of the origin read (trades) lies flat; what only we read is one JSON text, because the
database drops nulls and empty maps and turns maps with small numbers as keys into lists. Amounts
and times are texts or whole numbers, never floats. Children that queries need stand beside it.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from pydantic import TypeAdapter

from signalfleet.adapters.firebase.client import Json, Row
from signalfleet.domain.errors import DomainError
from signalfleet.domain.ids import UserId
from signalfleet.domain.trading.intents import (
    Action,
    AmendLeg,
    CancelLeg,
    CloseLeg,
    Command,
    Intent,
    OpenLeg,
    ProtectLeg,
    ReduceLeg,
)
from signalfleet.domain.trading.records import Copy, SignalRecord, TraceStep, Trade
from signalfleet.ports.inbox import StoredMessage
from signalfleet.ports.store import Account, AccountView, Channel, UserProfile

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_LATEST: Final = 10**17
"""Microseconds, in the year 5138: counted down from it, the newest row comes first."""
_JSON: Final = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False)
_TRADE: Final = TypeAdapter(Trade)
_INTENT: Final = TypeAdapter(Intent)
_SIGNAL: Final = TypeAdapter(SignalRecord)
_COPY: Final = TypeAdapter(Copy)
_MESSAGE: Final = TypeAdapter(StoredMessage)
_ACCOUNT: Final = TypeAdapter(Account)
_CHANNEL: Final = TypeAdapter(Channel)
_VIEW: Final = TypeAdapter(AccountView)
_STEPS: Final = TypeAdapter(tuple[TraceStep, ...])
COMMANDS: Final[Mapping[str, TypeAdapter[Command]]] = {
    Action.OPEN: TypeAdapter(OpenLeg),
    Action.CLOSE: TypeAdapter(CloseLeg),
    Action.REDUCE: TypeAdapter(ReduceLeg),
    Action.PROTECT: TypeAdapter(ProtectLeg),
    Action.CANCEL: TypeAdapter(CancelLeg),
    Action.AMEND: TypeAdapter(AmendLeg),
}
_AMOUNTS: Final = frozenset(
    "volume volume_open open_price stop_loss take_profit close_price".split()
)


def require_aware(*moments: datetime | None) -> None:
    if any(moment is not None and moment.tzinfo is None for moment in moments):
        raise DomainError("a time must have a time zone")


def to_micros(moment: datetime) -> int:
    require_aware(moment)
    return (moment - _EPOCH) // _MICROSECOND


def from_micros(micros: int) -> datetime:
    return _EPOCH + micros * _MICROSECOND


def to_json(value: object, what: str) -> str:
    """Return canonical JSON; what JSON cannot say is refused, never turned into something else."""
    try:
        return _JSON.encode(value)
    except (TypeError, ValueError) as e:
        raise DomainError(f"{what} must hold JSON values only") from e


def trade_row(trade: Trade, decided_at: int, epoch: int) -> Row:
    require_aware(trade.opened_at, trade.closed_at)
    flat = _flat(_TRADE.dump_python(trade, mode="json", exclude_none=True))
    return {
        **flat,
        "decided_at": decided_at,
        "newest": f"{_LATEST - decided_at:018d}_{trade.signal}_{trade.account}_{trade.leg:03d}",
        "client": f"{trade.account}|{trade.client_id}",
        "live": trade.state.is_live,
        "epoch": epoch,
    }


def stored_trade(row: Row) -> Trade:
    return _TRADE.validate_python(_unflat(row, _AMOUNTS, Trade.__slots__))


def trade_order(row: Row) -> tuple[Json, ...]:
    """Sort key: by decision, then by signal, account and leg."""
    return row["decided_at"], row["signal"], row["account"], row["leg"]


def intent_row(intent: Intent, epoch: int) -> Row:
    require_aware(intent.created_at, intent.valid_until, intent.sending_at, intent.settled_at)
    return {
        "body": _INTENT.dump_json(intent).decode(),
        "action": intent.action.value,
        "state": intent.state.value,
        "account": intent.account,
        "trade": intent.trade,
        "open": not intent.state.is_final,
        "epoch": epoch,
    }


def stored_intent(row: Row) -> Intent:
    fields: dict[str, Any] = json.loads(str(row["body"]))
    # Two commands have no fields at all, so the action beside the text says which one it is.
    fields["command"] = COMMANDS[str(row["action"])].validate_python(fields["command"])
    return _INTENT.validate_python(fields)


def signal_row(signal: SignalRecord, copies: Mapping[str, Copy], epoch: int) -> Row:
    require_aware(signal.posted_at, signal.decided_at)
    order = f"{to_micros(signal.posted_at):018d}_{signal.message:012d}_{signal.part:04d}"
    row: Row = {
        "body": _SIGNAL.dump_json(signal).decode(),
        "post": f"c{signal.chat}_m{signal.message}",
        "order": order,
        "chat_order": f"c{signal.chat}_{order}",
        "decided_at": to_micros(signal.decided_at),
        "epoch": epoch,
    }
    if signal.outcome is not None:
        row["outcome"] = signal.outcome.value
    if copies:
        row["copies"] = {key: _copy_text(copy) for key, copy in copies.items()}
    return row


def stored_signal(row: Row) -> SignalRecord:
    return _SIGNAL.validate_json(str(row["body"]))


def stored_copies(row: Row) -> dict[str, Copy]:
    """Return the copies of a signal by the keys of their accounts, in the order of accounts."""
    copies = row.get("copies")
    if not isinstance(copies, dict):
        return {}
    found = ((key, _COPY.validate_json(str(text))) for key, text in copies.items())
    return dict(sorted(found, key=lambda pair: pair[1].account))


def _copy_text(copy: Copy) -> str:
    require_aware(copy.fresh_until, copy.settled_at)
    to_json(dict(copy.plan), "a copy's plan")
    return _COPY.dump_json(copy).decode()


def steps_text(steps: tuple[TraceStep, ...]) -> str:
    for step in steps:
        require_aware(step.at)
        to_json(dict(step.facts), "a trace step")
    return _STEPS.dump_json(steps).decode()


def stored_steps(text: str) -> tuple[TraceStep, ...]:
    return _STEPS.validate_json(text)


def message_row(stored: StoredMessage, content: str, arrival: int, epoch: int) -> Row:
    message = stored.message
    require_aware(message.posted_at, message.edited_at, stored.received_at, stored.deleted_at)
    row: Row = {
        "body": _MESSAGE.dump_json(stored).decode(),
        "content": content,
        "arrival": arrival,
        "state": stored.state.value,
        "epoch": epoch,
    }
    if stored.state == "NEW":
        row["new"] = arrival
    return row


def stored_message(row: Row) -> StoredMessage:
    return _MESSAGE.validate_json(str(row["body"]))


def with_text(stored: StoredMessage, text: str) -> str:
    message = replace(stored.message, text=text)
    return _MESSAGE.dump_json(replace(stored, message=message)).decode()


def account_text(account: Account) -> str:
    return _ACCOUNT.dump_json(account).decode()


def stored_account(row: Row) -> Account:
    return _ACCOUNT.validate_json(str(row["body"]))


def view_text(view: AccountView) -> str:
    require_aware(view.seen_at, view.facts.read_at)
    return _VIEW.dump_json(view).decode()


def stored_view(text: str) -> AccountView:
    return _VIEW.validate_json(text)


def channel_row(channel: Channel) -> Row:
    row = _flat(_CHANNEL.dump_python(channel, mode="json", exclude_none=True))
    return {**row, "access_hash": str(channel.access_hash)}


def stored_channel(row: Row) -> Channel:
    return _CHANNEL.validate_python(_unflat(row, frozenset(), Channel.__slots__))


def profile_row(profile: UserProfile) -> Row:
    return {name: value for name, value in asdict(profile).items() if value is not None}


def stored_profile(row: Row) -> UserProfile:
    fields: dict[str, Any] = _unflat(row, frozenset(), UserProfile.__slots__)
    fields.setdefault("telegram_id", None)
    return UserProfile(**(fields | {"user_id": UserId(fields["user_id"])}))


def _flat(fields: Mapping[str, Any]) -> Row:
    """Take amounts out of their wrapping; each is the text of a decimal."""
    return {
        name: value["value"] if isinstance(value, dict) else value for name, value in fields.items()
    }


def _unflat(row: Row, amounts: frozenset[str], names: Iterable[str]) -> dict[str, Any]:
    return {
        name: {"value": row[name]} if name in amounts else row[name]
        for name in names
        if name in row
    }
