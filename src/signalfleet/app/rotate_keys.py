"""Wrap all users' data keys by the newest wrapping key, while everything runs."""

from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Final, Protocol

import structlog

from signalfleet.domain.ids import SLOTS, UserId
from signalfleet.ports.errors import RefusedError
from signalfleet.ports.secrets import KeyService
from signalfleet.ports.store import Store

log = structlog.get_logger()

SLOTS_AT_ONCE: Final = 16


class Modernise(Protocol):
    async def modernise(self, user: UserId) -> int: ...


@dataclass(slots=True)
class Rewrapped:
    """`failed`: users of whom a key could not be opened; theirs stay as they were."""

    users: int = 0
    rewrapped: int = 0
    modernised: int = 0
    failed: list[UserId] = field(default_factory=list)


async def rewrap_all(
    store: Store, cell: str, keys: KeyService, credentials: Modernise
) -> Rewrapped:
    """Wrap again what another key wrapped. May be stopped and started again at any point."""
    (first, *_) = await keys.versions()
    done = Rewrapped()
    async for user in users_of(store, cell):
        done.users += 1
        rows = store.user(user).credentials
        try:
            for key in await rows.keys():
                if key.kek_id != first:
                    # False: another one has wrapped it meanwhile.
                    done.rewrapped += await rows.swap_key(key, await keys.rewrap(user, key))
            done.modernised += await credentials.modernise(user)
        except RefusedError as error:
            log.error("rewrap_failed", user_id=user, cause=type(error).__name__)  # noqa: TRY400 - no traceback near keys
            done.failed.append(user)
    return done


async def keys_in_use(store: Store, cell: str) -> Counter[str]:
    """Count data keys by the key that wraps them."""
    found: Counter[str] = Counter()
    async for user in users_of(store, cell):
        found.update(key.kek_id for key in await store.user(user).credentials.keys())
    return found


async def require_unused(store: Store, cell: str, kek_id: str) -> None:
    """RefusedError while one data key needs this wrapping key."""
    needed = (await keys_in_use(store, cell))[kek_id]
    if needed:
        raise RefusedError(
            f"{needed} data keys are still wrapped by {kek_id}; run `signalfleet keys rewrap` first"
        )


async def users_of(store: Store, cell: str) -> AsyncIterator[UserId]:
    """Yield all users of a cell, a few slots at a time."""
    for first in range(0, SLOTS, SLOTS_AT_ONCE):
        slots = range(first, min(first + SLOTS_AT_ONCE, SLOTS))
        for user in await store.fleet.users_of_slots(cell, slots):
            yield user
