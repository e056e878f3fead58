"""How long a token of MetaApi lives, as it says itself. Pure; nothing is verified by it."""

import base64
import binascii
import json
import math
from datetime import UTC, datetime, timedelta
from typing import Final

from signalfleet.adapters.metaapi import limits
from signalfleet.ports.secrets import Secret

_PARTS: Final = 3
_HOUR_S: Final = 3600
_SLACK: Final = timedelta(hours=2)
_LATEST: Final = datetime(9000, 1, 1, tzinfo=UTC).timestamp()


def ends_at(token: Secret) -> datetime | None:
    """Return when a JSON web token ends; None if it says nothing that can be read."""
    parts = token.reveal().split(".")
    if len(parts) != _PARTS:
        return None
    padded = parts[1] + "=" * (-len(parts[1]) % 4)
    try:
        claims = json.loads(base64.urlsafe_b64decode(padded))
    except (binascii.Error, ValueError, RecursionError):
        return None
    end = claims.get("exp") if isinstance(claims, dict) else None
    if isinstance(end, bool) or not isinstance(end, int | float) or not 0 < end < _LATEST:
        return None
    return datetime.fromtimestamp(end, UTC)


def hours_to_ask(token: Secret, now: datetime) -> int:
    """Return for how many hours a token made from this one should live: as long as this one."""
    end = ends_at(token)
    if end is None:
        return limits.NARROW_HOURS
    return max(1, math.ceil((end - now).total_seconds() / _HOUR_S))


def lives_as_long(narrow: Secret, wide: Secret) -> bool:
    """Tell whether the first may stand for the second without ending much earlier."""
    end = ends_at(narrow)
    if end is None:
        return True
    needed = ends_at(wide)
    return needed is not None and end >= needed - _SLACK
