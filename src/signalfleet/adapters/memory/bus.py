"""The bus inside one process, for unit tests: the same promises as over NATS, nothing durable."""

import asyncio
import json
import re
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final, NoReturn

from signalfleet.domain.ids import UserId, slot
from signalfleet.ports.bus import (
    ANSWER_BYTES,
    ANSWER_LIMIT_S,
    QUESTION_BYTES,
    Answerer,
    LiveEvent,
    Plain,
    WorkDelivery,
    WorkItem,
)
from signalfleet.ports.errors import (
    FencedError,
    PortError,
    RefusedError,
    SignInRequiredError,
    TemporaryError,
)

_EVENT_BYTES: Final = 8 * 1024
_EVENT_QUEUE: Final = 256
_ADDRESS: Final = re.compile(r"[A-Za-z0-9_-]{1,60}(?:\.[A-Za-z0-9_-]{1,60}){0,5}")


class MemoryBus:
    """Work and events between tasks of one loop. `set_connected` plays a lost connection."""

    def __init__(self) -> None:
        self._connected = True
        self._queues: dict[int, _Queue] = {}
        self._seen: set[WorkItem] = set()
        self._listeners: dict[UserId, list[_Listener]] = {}
        self._answerers: dict[str, deque[Answerer]] = {}

    def set_connected(self, connected: bool) -> None:  # noqa: FBT001  # Says what it sets.
        self._connected = connected

    def is_connected(self) -> bool:
        return self._connected

    async def publish_work(self, item: WorkItem) -> None:
        _require_kind(item.kind)
        if not item.key:
            raise ValueError("a work key must not be empty")
        if not self._connected:
            raise TemporaryError("the bus is not connected")
        if item not in self._seen:
            self._seen.add(item)
            self._queue(slot(item.user)).put(item)

    @asynccontextmanager
    async def work(self, slot: int, epoch: int) -> AsyncIterator[AsyncIterator[WorkDelivery]]:
        queue = self._queue(slot)
        consumer = queue.claim(epoch)
        try:
            yield consumer
        finally:
            queue.release(consumer)

    async def publish_event(self, event: LiveEvent) -> None:
        _require_kind(event.kind)
        try:
            size = len(json.dumps(dict(event.payload), allow_nan=False))
        except TypeError as e:
            raise ValueError(f"an event holds plain values only: {e}") from e
        if size > _EVENT_BYTES:
            raise ValueError(f"an event is at most {_EVENT_BYTES} bytes; send a key instead")
        if self._connected:
            for listener in self._listeners.get(event.user, []):
                listener.put(event)

    @asynccontextmanager
    async def events(self, user: UserId) -> AsyncIterator[AsyncIterator[LiveEvent]]:
        listener = _Listener()
        self._listeners.setdefault(user, []).append(listener)
        try:
            yield listener
        finally:
            self._listeners[user].remove(listener)

    async def request(
        self, address: str, question: Plain, *, limit_s: float = ANSWER_LIMIT_S
    ) -> Plain:
        _require_address(address)
        asked = _copied(question, QUESTION_BYTES)
        answerers = self._answerers.get(address)
        if not self._connected or not answerers:
            raise TemporaryError("nobody is there to do this now; try again in a moment")
        answerers.rotate()
        try:
            async with asyncio.timeout(limit_s):
                return _copied(await answerers[0](asked), ANSWER_BYTES)
        except (RefusedError, SignInRequiredError, TemporaryError) as error:
            raise _plain(error) from None
        except TimeoutError:
            raise TemporaryError("there was no answer in time; try again") from None
        except Exception:  # noqa: BLE001 - as over a wire, where only its absence is seen
            raise TemporaryError("this cannot be done at the moment; try again") from None

    async def serve(
        self, address: str, answer: Answerer, *, ready: asyncio.Event | None = None
    ) -> NoReturn:
        _require_address(address)
        answerers = self._answerers.setdefault(address, deque())
        answerers.append(answer)
        try:
            if ready is not None:
                ready.set()
            await asyncio.get_running_loop().create_future()
        finally:
            answerers.remove(answer)
        raise AssertionError("an endless wait ended")

    def _queue(self, slot: int) -> "_Queue":
        return self._queues.setdefault(slot, _Queue())


class _Queue:
    """One slot's items: waiting, or in the hands of the one consumer that owns the slot."""

    def __init__(self) -> None:
        self.waiting: deque[WorkItem] = deque()
        self.taken: list[WorkItem] = []
        self.owner: _Consumer | None = None
        self.changed = asyncio.Event()

    def put(self, item: WorkItem) -> None:
        self.waiting.append(item)
        self.changed.set()

    def claim(self, epoch: int) -> "_Consumer":
        if self.owner is not None and self.owner.epoch > epoch:
            raise FencedError("the slot has a newer owner")
        self._give_back()
        self.owner = _Consumer(self, epoch)
        return self.owner

    def release(self, consumer: "_Consumer") -> None:
        if self.owner is consumer:
            self._give_back()
            self.owner = None

    def _give_back(self) -> None:
        self.waiting.extendleft(reversed(self.taken))
        self.taken.clear()
        self.changed.set()


class _Consumer:
    def __init__(self, queue: _Queue, epoch: int) -> None:
        self._queue = queue
        self.epoch = epoch

    def require_owner(self) -> None:
        if self._queue.owner is not self:
            raise FencedError("the slot has a newer owner")

    def done(self, item: WorkItem) -> None:
        self.require_owner()
        if item in self._queue.taken:
            self._queue.taken.remove(item)

    def __aiter__(self) -> AsyncIterator[WorkDelivery]:
        return self

    async def __anext__(self) -> WorkDelivery:
        self.require_owner()
        while not self._queue.waiting:
            self._queue.changed.clear()
            await self._queue.changed.wait()
            self.require_owner()
        item = self._queue.waiting.popleft()
        self._queue.taken.append(item)
        return _Delivery(self, item)


class _Delivery:
    def __init__(self, consumer: _Consumer, item: WorkItem) -> None:
        self._consumer = consumer
        self.item = item

    async def ack(self) -> None:
        self._consumer.done(self.item)


class _Listener:
    """The newest events that one reader has not taken yet."""

    def __init__(self) -> None:
        self._events: deque[LiveEvent] = deque(maxlen=_EVENT_QUEUE)
        self._arrived = asyncio.Event()

    def put(self, event: LiveEvent) -> None:
        self._events.append(event)
        self._arrived.set()

    def __aiter__(self) -> AsyncIterator[LiveEvent]:
        return self

    async def __anext__(self) -> LiveEvent:
        while not self._events:
            self._arrived.clear()
            await self._arrived.wait()
        return self._events.popleft()


def _require_kind(kind: str) -> None:
    if not kind or set(kind) - set("abcdefghijklmnopqrstuvwxyz0123456789_"):
        raise ValueError("a kind on the bus is made of a-z 0-9 _")


def _require_address(address: str) -> None:
    if not _ADDRESS.fullmatch(address):
        raise ValueError("an address on the bus is 1 to 6 words of a-z A-Z 0-9 _ -, with dots")


def _copied(values: Plain, at_most: int) -> Plain:
    try:
        text = json.dumps(dict(values), allow_nan=False)
    except TypeError as e:
        raise ValueError(f"the bus carries plain values only: {type(e).__name__}") from None
    if len(text) > at_most:
        raise ValueError(f"this is at most {at_most} bytes on the bus")
    copied: Plain = json.loads(text)
    return copied


def _plain(error: PortError) -> PortError:
    match error:
        case SignInRequiredError():
            return SignInRequiredError(str(error), reason=error.reason)
        case TemporaryError():
            return TemporaryError(str(error), retry_after=error.retry_after)
        case _:
            return RefusedError(str(error))
