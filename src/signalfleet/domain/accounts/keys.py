"""Names of what is kept for a user outside the store: cache entries, counters of limits.

All of them are built here, and the user comes first, so that no two users can share one.
"""

import hashlib
from typing import Final, NewType

from signalfleet.domain.errors import DomainError
from signalfleet.domain.ids import UserId

Key = NewType("Key", str)
MAX_CHARS: Final = 512
_ESCAPED: Final = str.maketrans({char: f"%{ord(char):02X}" for char in "%|/:\n\r \t\0"})


def user_key(user: UserId, *parts: str) -> Key:
    """Join the user and the parts; different parts give different keys."""
    key = "|".join((UserId(user), *(part.translate(_ESCAPED) for part in parts)))
    if len(key) > MAX_CHARS or not all(parts):
        raise DomainError("the parts of a key are not empty and not endless")
    return Key(key)


def visitor_key(address: str) -> Key:
    """Name a visitor who has not signed in; the address itself is not kept."""
    digest = hashlib.blake2b(address.encode(), digest_size=12, person=b"sf-visitor-1")
    return Key("v_" + digest.hexdigest())
