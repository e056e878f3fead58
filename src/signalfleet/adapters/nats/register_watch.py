"""A watch over registers that tells all again whenever it may have missed something."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Final

import nats.errors
import nats.js.errors
import structlog
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy

from signalfleet.adapters.nats import limits
from signalfleet.adapters.nats.client import Connection, nats_errors
from signalfleet.adapters.nats.codec import decode_plain
from signalfleet.ports.clock import Clock
from signalfleet.ports.errors import TemporaryError
from signalfleet.ports.registers import Register

log = structlog.get_logger()

OPERATION: Final = "KV-Operation"
DELETED: Final = "DEL"
_MARKED: Final = "Nats-Marker-Reason"
_ROOTS: Final = "$KV.sf_"


class RegisterWatch:
    """One reader's consumer. It is made anew after each silence, gap and reconnect."""

    def __init__(
        self,
        connection: Connection,
        clock: Clock,
        *,
        stream: str,
        subjects: Sequence[str],
        ensure: Callable[[], Awaitable[None]],
    ) -> None:
        self._connection = connection
        self._clock = clock
        self._stream = stream
        self._subjects = list(subjects)
        self._ensure = ensure
        self._arrived: asyncio.Queue[Msg | None] = asyncio.Queue()
        self._inbox = ""
        self._subscription: Subscription | None = None
        self._consumer = ""
        self._last = 0
        self._all_told = False
        self._is_told_empty = False

    def __aiter__(self) -> AsyncIterator[Register | None]:
        return self

    async def __anext__(self) -> Register | None:
        while True:
            if self._is_told_empty:
                self._is_told_empty = False
                return None
            message = await self._next()
            if message is None:
                await self._open_again()
                continue
            if message.subject == self._inbox:  # A heartbeat of the server.
                if _last_sent(message) > self._last:
                    await self._open_again()
                continue
            sequence = message.metadata.sequence
            if sequence.consumer != self._last + 1:
                await self._open_again()
                continue
            self._last = sequence.consumer
            if not message.metadata.num_pending and not self._all_told:
                self._all_told = self._is_told_empty = True
            register = self._register(message, sequence.stream)
            if register is not None:
                return register

    async def open(self) -> None:
        """Begin anew; TemporaryError if NATS does not answer."""
        await self._close()
        self._connection.require_connected()
        self._arrived = asyncio.Queue()
        self._inbox = self._connection.client.new_inbox()
        self._last, self._all_told, self._is_told_empty = 0, False, False
        with nats_errors("watch registers"):
            self._subscription = await self._connection.client.subscribe(
                self._inbox, cb=self._hearing(self._arrived)
            )
            try:
                pending = await self._consume()
            except nats.js.errors.NotFoundError:
                await self._ensure()
                pending = await self._consume()
        if not pending:
            self._all_told = self._is_told_empty = True
        self._connection.on_reconnect.add(self._on_reconnect)

    async def aclose(self) -> None:
        self._connection.on_reconnect.discard(self._on_reconnect)
        await self._close()

    async def _next(self) -> Msg | None:
        """Return the next word of the server; None if it has forgotten us."""
        try:
            async with asyncio.timeout(limits.WATCH_SILENCE_S):
                return await self._arrived.get()
        except TimeoutError:
            return None

    async def _consume(self) -> int:
        """Make the consumer; return how many registers it will tell of at once."""
        config = ConsumerConfig(
            deliver_subject=self._inbox,
            deliver_policy=DeliverPolicy.LAST_PER_SUBJECT,
            filter_subjects=self._subjects,
            ack_policy=AckPolicy.NONE,
            idle_heartbeat=limits.WATCH_HEARTBEAT_S,
            inactive_threshold=limits.WATCH_FORGOTTEN_S,
            mem_storage=True,
            num_replicas=1,
        )
        made = await self._connection.registers.add_consumer(self._stream, config)
        self._consumer = made.name
        delivered = made.delivered.consumer_seq if made.delivered else 0
        return (made.num_pending or 0) + delivered

    async def _open_again(self) -> None:
        log.info("register_watch_begins_anew", stream=self._stream)
        while True:
            try:
                async with asyncio.timeout(2 * limits.REGISTER_REQUEST_S):
                    await self.open()
            except (TemporaryError, TimeoutError):
                await self._clock.sleep(timedelta(seconds=limits.RETRY_S))
            else:
                return

    async def _close(self) -> None:
        subscription, consumer = self._subscription, self._consumer
        self._subscription, self._consumer = None, ""
        try:
            async with asyncio.timeout(limits.CLOSE_S):
                with suppress(nats.errors.Error, OSError):
                    if subscription is not None:
                        await subscription.unsubscribe()
                    if consumer and self._connection.is_connected():
                        await self._connection.registers.delete_consumer(self._stream, consumer)
        except TimeoutError:
            log.warning("register_watch_close_timed_out", stream=self._stream)

    def _on_reconnect(self) -> None:
        self._arrived.put_nowait(None)

    @staticmethod
    def _hearing(arrived: asyncio.Queue[Msg | None]) -> Callable[[Msg], Awaitable[None]]:
        async def hear(message: Msg) -> None:
            arrived.put_nowait(message)

        return hear

    def _register(self, message: Msg, revision: int) -> Register | None:
        key = message.subject.removeprefix(_ROOTS)
        headers = message.headers or {}
        if OPERATION in headers or _MARKED in headers:
            return Register(key=key, value=None, revision=revision)
        try:
            return Register(key=key, value=decode_plain(message.data), revision=revision)
        except ValueError:
            log.error("register_unreadable", register=key)  # noqa: TRY400 - its text is not ours
            return None


def _last_sent(heartbeat: Msg) -> int:
    last = (heartbeat.headers or {}).get("Nats-Last-Consumer", "0")
    return int(last) if last.isdigit() else 0
