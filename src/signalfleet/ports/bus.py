"""The queue that wakes, the events that pages show, and questions with their answers.

The store is the truth, not the bus.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Final, NoReturn, Protocol, TypeAlias

from signalfleet.domain.ids import UserId, slot

Plain: TypeAlias = Mapping[str, object]
"""JSON values only, and no secret unless it is sealed."""
Answerer: TypeAlias = Callable[[Plain], Awaitable[Plain]]

ANSWER_LIMIT_S: Final = 20.0
QUESTION_BYTES: Final = 16 * 1024
ANSWER_BYTES: Final = 128 * 1024


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


def owner_address(cell: str, user: UserId) -> str:
    """Return where the owner of the user's slot answers; its questions name a `desk`."""
    return slot_address(cell, slot(user))


def slot_address(cell: str, number: int) -> str:
    return f"{cell}.slot.{number}"


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

    async def request(
        self, address: str, question: Plain, *, limit_s: float = ANSWER_LIMIT_S
    ) -> Plain:
        """Ask whoever serves the address (tokens of a-z A-Z 0-9 _ - joined by dots).

        RefusedError, SignInRequiredError and TemporaryError of the answerer are raised here, by
        these classes. TemporaryError also if nobody serves it or no answer came in time: whether
        the question had an effect is then unknown. ValueError for what is not plain or too long.
        """
        ...

    async def serve(
        self, address: str, answer: Answerer, *, ready: asyncio.Event | None = None
    ) -> NoReturn:
        """Answer questions side by side until cancelled; `ready` is set when they can be asked.

        Of several who serve one address each question reaches one. What an answerer raises besides
        port errors is logged by its kind, and the asker is told to try later.
        """
        ...

    def is_connected(self) -> bool: ...
