"""The queue that wakes and the events that pages show. The store is the truth, not the bus."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from signalfleet.domain.ids import UserId


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkItem:
    """A wake-up for a user's owner: `kind` msg or cmd; `key` makes repeats of it one item."""

    user: UserId
    kind: str
    key: str


class WorkDelivery(Protocol):
    """One delivered item; it comes again unless it is acknowledged."""

    item: WorkItem

    async def ack(self) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveEvent:
    """Something for the user's open pages: a kind and plain values, no secrets."""

    user: UserId
    kind: str
    payload: Mapping[str, object]


class Bus(Protocol):
    async def publish_work(self, item: WorkItem) -> None:
        """Store the item durably for the owner of the user's slot; TemporaryError if it cannot."""
        ...

    def work(
        self, slot: int, epoch: int
    ) -> AbstractAsyncContextManager[AsyncIterator[WorkDelivery]]:
        """Consume one slot's items as its owner; an older epoch's consumer is removed first."""
        ...

    async def publish_event(self, event: LiveEvent) -> None:
        """Tell open pages; lossy by design, never raises for a lost connection."""
        ...

    def events(self, user: UserId) -> AbstractAsyncContextManager[AsyncIterator[LiveEvent]]:
        """Listen to one user's events from now on; a slow reader loses the oldest."""
        ...

    def is_connected(self) -> bool: ...
