"""Take slots in the store at once, where nobody else can be at work on them."""

from collections.abc import Sequence
from typing import Final

from signalfleet.ports.errors import ConflictError
from signalfleet.ports.store import Fleet

TRIES: Final = 32


async def claim_slots(fleet: Fleet, cell: str, slots: Sequence[int], worker: str) -> int:
    """Take all the slots under one new epoch, higher than any that they had; return it.

    Of several who do this at once each gets an epoch of its own, and the highest one owns.
    """
    for _ in range(TRIES):
        stored = await fleet.slot_epochs(cell, slots)
        epoch = 1 + max(stored.values(), default=0)
        wanted = dict.fromkeys(slots, epoch)
        if await fleet.raise_fences(cell, wanted, worker) == frozenset(wanted):
            return epoch
    raise ConflictError("other workers claim the same slots at the moment; start only one")
