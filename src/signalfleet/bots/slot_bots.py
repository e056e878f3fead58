"""Between who owns slots (the lease keeper) and who runs their bots (the manager)."""

from collections.abc import Collection, Mapping
from typing import NoReturn, Protocol

from signalfleet.domain.ids import UserId
from signalfleet.ports.lease import Lease


class SlotBots(Protocol):
    """The bots of a worker, by slot. Calls for different slots may overlap."""

    async def take(self, epochs: Mapping[int, int]) -> None:
        """Own these slots under these epochs from now on: start the bots that are wished for."""
        ...

    async def release(self, slots: Collection[int]) -> None:
        """Hand over: start nothing more, let orders settle, close Telegram; bounded in time.

        Nothing of these slots' users is connected or sent any more when it returns.
        """
        ...

    async def drop(self, slots: Collection[int]) -> None:
        """End at once, as the lease is over: no order leaves, connections are broken off."""
        ...

    def load(self) -> Mapping[int, int]:
        """Return the number of bots in each slot held."""
        ...


class Ownership(Protocol):
    """Which slots this process owns, and how sure it may be of that."""

    async def run(self, bots: SlotBots) -> NoReturn:
        """Claim, keep and hand over slots until cancelled."""
        ...

    async def drain(self) -> None:
        """Claim nothing more and release all slots to others; bounded in time."""
        ...

    def lease_of(self, user: UserId) -> Lease | None:
        """Return the hold on a user's slot; None where no other process can take it over."""
        ...
