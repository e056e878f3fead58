"""The one place where paths are built. The user comes first, and every part is encoded."""

from typing import Final
from urllib.parse import quote, unquote

from signalfleet.adapters.firebase.limits import MAX_KEY_BYTES
from signalfleet.domain.errors import DomainError
from signalfleet.domain.ids import ChannelId, MessageId, UserId
from signalfleet.domain.trading.records import MessageKey

_ESCAPED: Final = str.maketrans(
    {char: f"%{ord(char):02X}" for char in (*"%.$#[]/?&+", *map(chr, range(32)), "\x7f")}
)
"""What the database forbids in keys, and what would mean something else in a query."""


def encode_key(raw: str) -> str:
    """Return a key that the database takes; different texts give different keys."""
    key = raw.translate(_ESCAPED)
    if not key or len(key.encode()) > MAX_KEY_BYTES:
        raise DomainError("a key must have 1 to 768 bytes")
    return key


def decode_key(key: str) -> str:
    """Return the text that a key was made of."""
    return unquote(key)


def path(*parts: str) -> str:
    """Join parts to a path inside the database."""
    return "/".join(encode_key(part) for part in parts)


def user_path(user_id: UserId, *parts: str) -> str:
    return path("users", UserId(user_id), *parts)


def url_path(inside: str) -> str:
    """Return the path as it stands in an address, where the percent signs of keys are quoted."""
    return "/".join(quote(part, safe="") for part in inside.split("/"))


def chat_key(chat: ChannelId) -> str:
    """Maps with small whole numbers as keys come back as lists, so a number gets a letter."""
    return f"c{chat}"


def post_key(chat: ChannelId, message: MessageId) -> str:
    return f"c{chat}_m{message}"


def revision_key(key: MessageKey) -> str:
    return f"{post_key(key.chat, key.message)}_r{key.rev}"


def slot_key(cell: str, slot: int | str) -> str:
    return f"{cell}_{slot}"
