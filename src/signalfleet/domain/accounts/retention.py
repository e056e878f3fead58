"""How long things are kept. Hashes and what was read out of a text stay; the text goes."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Self

SIGNAL_TEXT: Final = timedelta(days=90)
OTHER_TEXT: Final = timedelta(days=7)
DELETED_TEXT: Final = timedelta(days=1)
TRACES: Final = timedelta(days=180)
AUDIT: Final = timedelta(days=730)
NOTICES: Final = timedelta(days=90)
IDEMPOTENCY: Final = timedelta(hours=24)
QUOTA_DAYS: Final = timedelta(days=35)
SWEPT_AT_ONCE: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Cutoffs:
    """What is older than these moments goes. `quota_day` is a date, as quotas name it."""

    signal_text: datetime
    other_text: datetime
    deleted_text: datetime
    traces: datetime
    audit: datetime
    notices: datetime
    now: datetime
    quota_day: str

    @classmethod
    def at(cls, now: datetime) -> Self:
        return cls(
            signal_text=now - SIGNAL_TEXT,
            other_text=now - OTHER_TEXT,
            deleted_text=now - DELETED_TEXT,
            traces=now - TRACES,
            audit=now - AUDIT,
            notices=now - NOTICES,
            now=now,
            quota_day=(now - QUOTA_DAYS).date().isoformat(),
        )
