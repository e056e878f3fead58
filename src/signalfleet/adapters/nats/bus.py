"""The bus port over NATS: durable work in JetStream, live events in core NATS."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from types import TracebackType
from typing import NoReturn, Self

import nats.errors
import nats.js.errors
import structlog
from nats.aio.msg import Msg

from signalfleet.adapters.nats import asking, codec, limits
from signalfleet.adapters.nats.client import Connection, nats_errors
from signalfleet.adapters.nats.registers import NatsRegisters
from signalfleet.adapters.nats.work import SlotConsumer
from signalfleet.domain.ids import UserId
from signalfleet.ports.bus import (
    ANSWER_LIMIT_S,
    Answerer,
    LiveEvent,
    Plain,
    WorkDelivery,
    WorkItem,
)
from signalfleet.ports.clock import Clock
from signalfleet.ports.errors import TemporaryError
from signalfleet.ports.secrets import Secret

log = structlog.get_logger()


class NatsBus:
    """Opened by `connect`, closed by `aclose` or as an async context."""

    def __init__(self, connection: Connection, clock: Clock) -> None:
        self._connection = connection
        self._clock = clock

    @classmethod
    async def connect(
        cls, url: str, token: Secret | None, *, clock: Clock, replicas: int = 1
    ) -> Self:
        """Connect and make sure that the work stream exists."""
        connection = Connection(replicas=replicas)
        await connection.open(url, token)
        try:
            async with asyncio.timeout(limits.CONNECT_S):
                await _ensure_stream(connection, clock)
        except TimeoutError:
            await connection.aclose()
            raise TemporaryError(
                "NATS answers but its JetStream does not: is it enabled, and its disk writable?"
            ) from None
        except BaseException:
            await connection.aclose()
            raise
        return cls(connection, clock)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        await self._connection.aclose()

    def registers(self) -> NatsRegisters:
        """Return the registers of the same cell, over the same connection."""
        return NatsRegisters(self._connection, self._clock)

    def is_connected(self) -> bool:
        return self._connection.is_connected()

    async def publish_work(self, item: WorkItem) -> None:
        subject, payload = codec.work_subject(item), codec.encode_work(item)
        message_id = codec.work_message_id(item)
        self._connection.require_connected()
        with nats_errors("store the work item"):
            try:
                await self._publish(subject, payload, message_id)
            except nats.js.errors.NoStreamResponseError:  # The server came back without its files.
                await self._connection.ensure_stream()
                await self._publish(subject, payload, message_id)

    async def _publish(self, subject: str, payload: bytes, message_id: str) -> None:
        await self._connection.jetstream.publish(
            subject, payload, timeout=limits.REQUEST_S, headers={"Nats-Msg-Id": message_id}
        )

    @asynccontextmanager
    async def work(self, slot: int, epoch: int) -> AsyncIterator[AsyncIterator[WorkDelivery]]:
        consumer = SlotConsumer(self._connection, self._clock, slot, epoch)
        try:
            await consumer.open()
            yield consumer
        finally:
            await consumer.aclose()

    async def publish_event(self, event: LiveEvent) -> None:
        subject, payload = codec.event_subject(event), codec.encode_event(event)
        if self.is_connected():
            with suppress(nats.errors.Error, OSError):
                await self._connection.client.publish(subject, payload)

    @asynccontextmanager
    async def events(self, user: UserId) -> AsyncIterator[AsyncIterator[LiveEvent]]:
        listener = _Listener(user)
        client = self._connection.client
        with nats_errors("listen to events"):
            subscription = await client.subscribe(
                f"{limits.EVENT_PREFIX}.{user}.*", cb=listener.on_message
            )
        try:
            if self.is_connected():
                with nats_errors("listen to events"):
                    await client.flush(timeout=int(limits.REQUEST_S))
            yield listener
        finally:
            with suppress(nats.errors.Error):
                await subscription.unsubscribe()

    async def request(
        self, address: str, question: Plain, *, limit_s: float = ANSWER_LIMIT_S
    ) -> Plain:
        return await asking.ask(self._connection, address, question, limit_s)

    async def serve(
        self, address: str, answer: Answerer, *, ready: asyncio.Event | None = None
    ) -> NoReturn:
        await asking.serve(self._connection, address, answer, ready)


class _Listener:
    """The newest events of one user that one reader has not taken yet."""

    def __init__(self, user: UserId) -> None:
        self._user = user
        self._events: deque[LiveEvent] = deque(maxlen=limits.EVENT_QUEUE)
        self._arrived = asyncio.Event()

    async def on_message(self, msg: Msg) -> None:
        try:
            event = codec.decode_event(self._user, msg.subject, msg.data)
        except ValueError as e:
            log.warning("live_event_unreadable", reason=str(e))
            return
        self._events.append(event)
        self._arrived.set()

    def __aiter__(self) -> AsyncIterator[LiveEvent]:
        return self

    async def __anext__(self) -> LiveEvent:
        while not self._events:
            self._arrived.clear()
            await self._arrived.wait()
        return self._events.popleft()


async def _ensure_stream(connection: Connection, clock: Clock) -> None:
    """Create the stream as soon as JetStream is ready; it starts a little after the server."""
    while True:
        try:
            with nats_errors("create the work stream"):
                await connection.ensure_stream()
        except TemporaryError:
            await clock.sleep(timedelta(seconds=limits.RETRY_S))
        else:
            return
