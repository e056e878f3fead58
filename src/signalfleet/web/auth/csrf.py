"""Tells our own pages' requests from those that another site makes a browser send."""

import hashlib
import hmac
from collections.abc import Mapping
from typing import Final

TOKEN_HEADER: Final = "X-CSRF-Token"  # noqa: S105 - a header's name
TOKEN_FIELD: Final = "csrf_token"  # noqa: S105 - a field's name
_PERSON: Final = b"sf-csrf-1\0"


def session_token(key: bytes, sid_hash: str) -> str:
    """Return the token that the pages of one session carry."""
    return hmac.new(key, _PERSON + sid_hash.encode(), hashlib.sha256).hexdigest()


def is_same_origin(headers: Mapping[str, str], origin: str) -> bool:
    """Tell whether the browser vouches that the request comes from our own pages.

    `Sec-Fetch-Site` cannot be set by a page; browsers without it send `Origin`. With neither of
    them nothing is known, and that is a no.
    """
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site == "same-origin"
    return headers.get("origin", "").lower() == origin


def is_token(given: str, token: str) -> bool:
    return hmac.compare_digest(given.encode(), token.encode())
