"""Arm a database: say that this copy, and no other, connects and trades from now on."""

import contextlib
from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

import structlog

from signalfleet.app.rotate_keys import users_of
from signalfleet.domain.settings.catalogue import DEFAULTS
from signalfleet.ports.departures import Arming, Shredded
from signalfleet.ports.store import Store

log = structlog.get_logger()

DEFAULT_AGE: Final = DEFAULTS.max_signal_age


async def shred_again(store: Store, known: Sequence[Shredded]) -> int:
    """Delete again whoever had left and came back with a copy of the data; return how many."""
    departures = store.departures
    everyone = {one.user: one for one in (*await departures.shredded(), *known)}
    count = 0
    for one in everyone.values():
        keys = await departures.shred(one.user, one.at)
        rows = await departures.erase(one.user)
        if keys or rows:
            count += 1
            log.warning("user_deleted_again", user_id=one.user)
    return count


async def oldest_signal(store: Store, cell: str) -> timedelta:
    """Return how old a signal may be at most, of any user, when its order leaves.

    The old one may have sent what came before it was stopped, and this copy does not know it.
    """
    oldest = DEFAULT_AGE
    async for user in users_of(store, cell):
        for doc in (await store.user(user).settings.list()).values():
            with contextlib.suppress(ArithmeticError, ValueError, TypeError):
                oldest = max(oldest, Decimal(str(doc.get("max_signal_age", 0))))
    return timedelta(seconds=float(oldest))


async def arm(store: Store, *, now: datetime, pause: timedelta) -> Arming:
    """Raise the generation above every earlier one; entries wait until older signals are stale.

    The generation is a time, for a copy knows nothing of the generations that came after it.
    """
    stored = (await store.fleet.arming()).generation or 0
    generation = max(stored + 1, int(now.timestamp() * 1000))
    arming = Arming(generation=generation, entries_not_before=now + pause)
    await store.fleet.set_arming(arming)
    return arming
