"""Identifiers, and how those that must survive a crash are derived.

Every id of a signal, trade, intent and order is a pure function of the event that caused it, so a
repeat finds what was already done. The strings are on disk and in brokers' books: a change to any
derivation needs a new scheme digit in `client_id`.
"""

import base64
import hashlib
import re
import unicodedata
from datetime import datetime
from functools import cache, lru_cache
from typing import Final, NewType, Self

from signalfleet.domain.errors import DomainError

USER_ID_PATTERN: Final = re.compile(r"u_[0-9a-z]{16,26}")
SLOTS: Final = 512
_LETTERS: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
_PAIRS: Final = [one + other for one in _LETTERS for other in _LETTERS]
_GROUP: Final = 5
"""So many bytes are eight letters, and these four pairs."""

ChannelId = NewType("ChannelId", int)
"""Telegram's marked chat id: -100... for channels."""
MessageId = NewType("MessageId", int)
"""Unique within one chat, never globally."""
AccountId = NewType("AccountId", str)
SignalId = NewType("SignalId", str)
TradeId = NewType("TradeId", str)
IntentId = NewType("IntentId", str)
ClientId = NewType("ClientId", str)
RevisionId = NewType("RevisionId", str)
InstallationId = NewType("InstallationId", str)


class UserId(str):
    """A tenant's id, safe as a path part, bus token and file name."""

    __slots__ = ()

    def __new__(cls, value: str) -> Self:
        if not USER_ID_PATTERN.fullmatch(value):
            raise DomainError("a user id is u_ and 16 to 26 of 0-9 a-z")
        return super().__new__(cls, value)


def length_prefixed(*fields: object) -> bytes:
    """Join fields so that no two different lists give the same bytes."""
    return b"".join([_one_field(str(field)) for field in fields])


@lru_cache(maxsize=4096)
def _one_field(text: str) -> bytes:
    raw = text.encode()
    return len(raw).to_bytes(4, "big") + raw


def tag(person: bytes, size: int, *fields: object) -> str:
    """Digest the fields to base32 letters and digits (A-Z, 2-7)."""
    return _base32(_digest(person, size, *fields).digest())


def _digest(person: bytes, size: int, *fields: object) -> hashlib.blake2b:
    return hashlib.blake2b(length_prefixed(*fields), digest_size=size, person=person)


def _base32(raw: bytes) -> str:
    """Encode without padding; the standard library takes four times as long for ids."""
    if len(raw) % _GROUP:
        return base64.b32encode(raw).decode().rstrip("=")
    text = ""
    for at in range(0, len(raw), _GROUP):
        bits = int.from_bytes(raw[at : at + _GROUP], "big")
        text += f"{_PAIRS[bits >> 30]}{_PAIRS[bits >> 20 & 1023]}"
        text += f"{_PAIRS[bits >> 10 & 1023]}{_PAIRS[bits & 1023]}"
    return text


def new_user_id(entropy: bytes) -> UserId:
    """Make a user id from 16 random bytes."""
    return UserId("u_" + base64.b32encode(entropy[:16]).decode().rstrip("=").lower())


def content_hash(text: str, reply_to: MessageId | None, media: str) -> str:
    """Tell whether two deliveries of a message carry the same content."""
    body = length_prefixed(unicodedata.normalize("NFC", text), reply_to or 0, media)
    return hashlib.blake2b(body, digest_size=16, person=b"sf-content-1").hexdigest()


def revision_id(
    user: UserId,
    chat: ChannelId,
    message: MessageId,
    edited_at: datetime | None,
    content: str,
) -> RevisionId:
    seconds = int(edited_at.timestamp()) if edited_at else 0
    return RevisionId("m" + tag(b"sf-rev-1", 15, user, chat, message, seconds, content))


def signal_id(user: UserId, chat: ChannelId, message: MessageId, part: int) -> SignalId:
    """Name one idea of a message; an edit has no part in it, so it cannot enter again."""
    return SignalId(tag(b"sf-signal-1", 10, user, chat, message, part))


def trade_id(user: UserId, account: AccountId, signal: SignalId, leg: int) -> TradeId:
    """Return the same id each time the same leg of the same signal is planned."""
    return TradeId(tag(b"sf-trade-1", 10, user, account, signal, leg))


def intent_id(
    user: UserId, account: AccountId, trade: TradeId, action: str, cause: str
) -> IntentId:
    return IntentId("i" + tag(b"sf-intent-1", 15, user, account, trade, action, cause))


class CopyNames:
    """Names the trades of one copy and their entries, as `trade_id` and `intent_id` do.

    What is the same in all of them is digested once: a copy may have a hundred legs.
    """

    def __init__(self, user: UserId, account: AccountId, signal: SignalId, action: str) -> None:
        self._trade = _digest(b"sf-trade-1", 10, user, account, signal)
        self._entry = _digest(b"sf-intent-1", 15, user, account)
        self._what = length_prefixed(action, "entry")

    def trade(self, leg: int) -> TradeId:
        digest = self._trade.copy()
        digest.update(_one_field(str(leg)))
        return TradeId(_base32(digest.digest()))

    def entry(self, trade: TradeId) -> IntentId:
        digest = self._entry.copy()
        raw = trade.encode()
        digest.update(len(raw).to_bytes(4, "big") + raw + self._what)
        return IntentId("i" + _base32(digest.digest()))


@cache
def installation_tag(installation: InstallationId) -> str:
    """Two characters that mark our orders among other installations' at one broker account."""
    return tag(b"sf-inst-1", 10, installation)[:2]


def client_id(installation: InstallationId, trade: TradeId, operation: str) -> ClientId:
    """Make the 24 characters that travel with an order; `operation` is E0, E1, P0..., C0..."""
    return ClientId(f"S1{installation_tag(installation)}_{trade}_{operation}")


def client_id_stem(client: str) -> str:
    """Return the first two parts: brokers may replace the third on a stop or target."""
    return "_".join(client.split("_")[:2])


def magic(installation: InstallationId, chat: ChannelId) -> int:
    raw = length_prefixed(installation, chat)
    digest = hashlib.blake2b(raw, digest_size=4, person=b"sf-magic-1").digest()
    return 1_600_000_000 + int.from_bytes(digest, "big") % 100_000_000


def slot(user: UserId) -> int:
    """Return the user's slot, the unit in which workers own users."""
    digest = hashlib.blake2b(user.encode(), digest_size=8, person=b"sf-slot-1").digest()
    return int.from_bytes(digest, "big") % SLOTS
