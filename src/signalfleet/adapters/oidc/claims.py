"""Reads what a token says about a person; pure. The signature was checked before."""

import hmac
import math
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from signalfleet.adapters.oidc import limits
from signalfleet.ports.identity import IdentityRefusedError, ProvenIdentity

NAMELESS: Final = "Telegram user"
_MOST_ID: Final = 2**63 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    issuer: str
    client_id: str
    nonce: str = field(repr=False)
    now: datetime


def read_claims(claims: Mapping[str, object], expected: Expected) -> ProvenIdentity:
    """Return the person; IdentityRefusedError names the first claim that does not hold."""
    if claims.get("iss") != expected.issuer:
        raise _untrusted("iss")
    if not _is_for(claims, expected.client_id):
        raise _untrusted("aud")
    _check_times(claims, expected.now.timestamp())
    nonce = claims.get("nonce")
    if not isinstance(nonce, str) or not _is_same(nonce, expected.nonce):
        raise _untrusted("nonce")
    return ProvenIdentity(
        telegram_id=_telegram_id(claims.get("id")),
        display_name=_name(claims.get("name"))
        or _name(claims.get("preferred_username"))
        or NAMELESS,
    )


def _is_for(claims: Mapping[str, object], client_id: str) -> bool:
    audience = claims.get("aud")
    # A token for several clients could have been obtained by any of them.
    alone = audience[0] if isinstance(audience, list) and len(audience) == 1 else audience
    return alone == client_id and claims.get("azp", client_id) == client_id


def _check_times(claims: Mapping[str, object], now: float) -> None:
    issued, ends = _seconds(claims.get("iat")), _seconds(claims.get("exp"))
    if ends is None or ends <= now:
        raise _untrusted("exp")
    if issued is None or abs(now - issued) > limits.ISSUED_WITHIN.total_seconds():
        raise _untrusted("iat")
    begins = _seconds(claims.get("nbf", issued))
    if begins is None or begins - now > limits.ISSUED_WITHIN.total_seconds():
        raise _untrusted("nbf")


def _seconds(value: object) -> float | None:
    """Take whole or broken seconds; a number without an end, or no number, is none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        seconds = float(value)
    except OverflowError:
        return None
    return seconds if math.isfinite(seconds) else None


def _telegram_id(value: object) -> int:
    """Take `id`: `sub` is another number, which Telegram's other interfaces do not know."""
    if (
        isinstance(value, str)
        and value.isascii()
        and value.isdigit()
        and len(value) <= len(str(_MOST_ID))
    ):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value <= _MOST_ID:
        raise _untrusted("id")
    return value


def _name(value: object) -> str:
    text = value if isinstance(value, str) else ""
    kept = "".join(" " if char.isspace() else char for char in text)
    # Nothing invisible: such characters may turn the text around them, or cannot be stored.
    kept = "".join(char for char in kept if unicodedata.category(char)[0] != "C")
    return " ".join(kept.split())[: limits.MOST_NAME_CHARS].strip()


def _is_same(given: str, wanted: str) -> bool:
    return hmac.compare_digest(given.encode(errors="replace"), wanted.encode())


def _untrusted(claim: str) -> IdentityRefusedError:
    return IdentityRefusedError(f"the claim {claim} does not hold", reason="proof")
