"""How domain values become columns and back: times, amounts, and JSON for what has no columns."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final

from pydantic import TypeAdapter

from signalfleet.domain.errors import DomainError
from signalfleet.domain.signals.model import ChannelMessage, Signal, Span
from signalfleet.domain.trading.intents import (
    Action,
    AmendLeg,
    CancelLeg,
    CloseLeg,
    Command,
    OpenLeg,
    ProtectLeg,
    ReduceLeg,
)
from signalfleet.domain.trading.records import TraceStep
from signalfleet.ports.store import AccountView

KEPT: Final = 2048
"""How many texts stay read: a trade's rows are read again at each of its events."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)

_JSON: Final = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False)
# These write the fields in the order of the class, so equal values give equal text.
_SIGNAL: Final = TypeAdapter(Signal)
_VIEW: Final = TypeAdapter(AccountView)
_SPANS: Final = TypeAdapter(tuple[Span, ...])
# Two commands have no fields at all, so the action beside the text says which one it is.
_COMMANDS: Final[Mapping[Action, TypeAdapter[Command]]] = {
    Action.OPEN: TypeAdapter(OpenLeg),
    Action.CLOSE: TypeAdapter(CloseLeg),
    Action.REDUCE: TypeAdapter(ReduceLeg),
    Action.PROTECT: TypeAdapter(ProtectLeg),
    Action.CANCEL: TypeAdapter(CancelLeg),
    Action.AMEND: TypeAdapter(AmendLeg),
}


def to_micros(moment: datetime) -> int:
    if moment.tzinfo is None:
        raise DomainError("a time must have a time zone")
    return (moment - _EPOCH) // _MICROSECOND


def maybe_micros(moment: datetime | None) -> int | None:
    return None if moment is None else to_micros(moment)


def from_micros(micros: int) -> datetime:
    return _EPOCH + micros * _MICROSECOND


def maybe_time(micros: int | None) -> datetime | None:
    return None if micros is None else from_micros(micros)


def maybe_text(value: Decimal | None) -> str | None:
    return None if value is None else str(value)


def maybe_decimal(value: str | None) -> Decimal | None:
    return None if value is None else Decimal(value)


def to_json(value: object, what: str) -> str:
    """Return canonical JSON; what JSON cannot say is refused, never turned into something else."""
    try:
        return _JSON.encode(value)
    except (TypeError, ValueError) as e:
        raise DomainError(f"{what} must hold JSON values only") from e


def from_json(text: str) -> Mapping[str, object]:
    values: dict[str, object] = json.loads(text)
    return values


def encode_signal(signal: Signal) -> str:
    return _SIGNAL.dump_json(signal).decode()


@lru_cache(maxsize=KEPT)
def decode_signal(text: str) -> Signal:
    return _SIGNAL.validate_json(text)


def encode_command(action: Action, command: Command) -> str:
    return _COMMANDS[action].dump_json(command).decode()


@lru_cache(maxsize=KEPT)
def decode_command(action: Action, text: str) -> Command:
    return _COMMANDS[action].validate_json(text)


def encode_view(view: AccountView) -> str:
    return _VIEW.dump_json(view).decode()


def decode_view(text: str) -> AccountView:
    return _VIEW.validate_json(text)


def encode_trace(steps: tuple[TraceStep, ...]) -> str:
    return to_json(
        [
            {"stage": step.stage, "at": to_micros(step.at), "facts": dict(step.facts)}
            for step in steps
        ],
        "a trace step",
    )


def decode_trace(text: str) -> tuple[TraceStep, ...]:
    return tuple(
        TraceStep(stage=step["stage"], at=from_micros(step["at"]), facts=step["facts"])
        for step in json.loads(text)
    )


def encode_attributes(message: ChannelMessage) -> str:
    """Return what a message has besides text and times, in one column."""
    return to_json(
        {
            "struck": _SPANS.dump_python(message.struck, mode="json"),
            "topic": message.topic,
            "forwarded": message.forwarded,
            "has_media": message.has_media,
            "media": message.media,
        },
        "a message",
    )


def decode_attributes(text: str) -> dict[str, Any]:
    attributes: dict[str, Any] = json.loads(text)
    attributes["struck"] = _SPANS.validate_python(attributes["struck"])
    return attributes
