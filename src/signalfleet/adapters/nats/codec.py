"""Subjects and payloads of the bus: keys for work, small JSON for events. Pure."""

import json
import re
from typing import Final

from signalfleet.adapters.nats import limits
from signalfleet.domain.ids import UserId, slot
from signalfleet.ports.bus import LiveEvent, Plain, WorkItem

_TOKEN: Final = re.compile(r"[a-z0-9_]{1,40}")
_KEY: Final = re.compile(r"[!-~]{1,200}")
_ADDRESS: Final = re.compile(r"[A-Za-z0-9_-]{1,60}(?:\.[A-Za-z0-9_-]{1,60}){0,5}")


def require_kind(kind: str) -> str:
    if not _TOKEN.fullmatch(kind):
        raise ValueError("a kind on the bus is 1 to 40 of a-z 0-9 _")
    return kind


def work_subject(item: WorkItem) -> str:
    kind = require_kind(item.kind)
    return f"{limits.WORK_PREFIX}.{slot(item.user)}.{item.user}.{kind}"


def work_message_id(item: WorkItem) -> str:
    """Return what the server takes repeats by; one user's key never hides another's."""
    return f"{item.user}.{item.kind}.{item.key}"


def encode_work(item: WorkItem) -> bytes:
    if not _KEY.fullmatch(item.key):
        raise ValueError("a work key is 1 to 200 visible ASCII characters")
    return json.dumps({"v": 1, "key": item.key}).encode()


def decode_work(subject: str, payload: bytes) -> WorkItem:
    """Return the item; ValueError if it is none of ours."""
    tokens = subject.removeprefix(f"{limits.WORK_PREFIX}.").split(".")
    value = json.loads(payload)
    if len(tokens) != 3 or not isinstance(value, dict) or value.get("v") != 1:  # noqa: PLR2004
        raise ValueError("not a work item")
    key = value.get("key")
    if not isinstance(key, str) or not _KEY.fullmatch(key):
        raise ValueError("a work item without a key")
    return WorkItem(user=UserId(tokens[1]), kind=require_kind(tokens[2]), key=key)


def event_subject(event: LiveEvent) -> str:
    return f"{limits.EVENT_PREFIX}.{event.user}.{require_kind(event.kind)}"


def encode_event(event: LiveEvent) -> bytes:
    """Return the payload; ValueError when it is not plain JSON or above 8 KiB."""
    try:
        payload = json.dumps(dict(event.payload), allow_nan=False).encode()
    except TypeError as e:
        raise ValueError(f"an event holds plain values only: {e}") from e
    if len(payload) > limits.EVENT_BYTES:
        raise ValueError(f"an event is at most {limits.EVENT_BYTES} bytes; send a key instead")
    return payload


def decode_event(user: UserId, subject: str, payload: bytes) -> LiveEvent:
    """Return the event; ValueError if it is none of ours."""
    value = json.loads(payload)
    if not isinstance(value, dict):
        raise ValueError("an event must be an object")  # noqa: TRY004  # One kind of refusal.
    return LiveEvent(user=user, kind=require_kind(subject.rpartition(".")[2]), payload=value)


def ask_subject(address: str) -> str:
    if not _ADDRESS.fullmatch(address):
        raise ValueError("an address on the bus is 1 to 6 words of a-z A-Z 0-9 _ -, with dots")
    return f"{limits.ASK_PREFIX}.{address}"


def encode_plain(values: Plain, at_most: int) -> bytes:
    """Return the payload; ValueError when it is not plain JSON or too long."""
    try:
        payload = json.dumps(dict(values), allow_nan=False, ensure_ascii=False).encode()
    except TypeError as e:
        raise ValueError(f"the bus carries plain values only: {type(e).__name__}") from None
    if len(payload) > at_most:
        raise ValueError(f"this is at most {at_most} bytes on the bus")
    return payload


def decode_plain(payload: bytes) -> dict[str, object]:
    value = json.loads(payload)
    if not isinstance(value, dict):
        raise ValueError("what is asked and answered must be an object")  # noqa: TRY004 - as above
    return value
