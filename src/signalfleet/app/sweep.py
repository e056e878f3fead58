"""Remove what is older than the policy allows, a few rows at a time."""

from collections import Counter
from datetime import datetime
from typing import Final

import structlog

from signalfleet.domain.accounts.retention import SWEPT_AT_ONCE, Cutoffs
from signalfleet.ports.store import UserStore

log = structlog.get_logger()

MOST_BATCHES: Final = 200
"""So that one user's heap does not keep the others waiting; the next sweep goes on."""


async def sweep_user(store: UserStore, now: datetime) -> Counter[str]:
    """Sweep one user until nothing is left to remove; return what was removed."""
    total: Counter[str] = Counter()
    for _ in range(MOST_BATCHES):
        swept = await store.retention.sweep(Cutoffs.at(now))
        total.update(swept)
        if all(count < SWEPT_AT_ONCE for count in swept.values()):
            break
    if total.total():
        log.info(
            "rows_swept", user_id=store.user_id, **{f"{one}_swept": n for one, n in total.items()}
        )
    return total
