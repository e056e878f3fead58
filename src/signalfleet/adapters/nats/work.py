"""One slot's work: a pull consumer that belongs to one epoch, and its deliveries."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
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
from signalfleet.adapters.nats.codec import decode_work
from signalfleet.ports.bus import WorkDelivery, WorkItem
from signalfleet.ports.clock import Clock
from signalfleet.ports.errors import FencedError, TemporaryError

log = structlog.get_logger()

_CONSUMER: Final = re.compile(r"s(\d+)-e(\d+)")
_CLAIM_ATTEMPTS: Final = 25


class NatsDelivery:
    """One message of the work stream; unacknowledged it comes again after a minute."""

    __slots__ = ("_connection", "_msg", "item")

    def __init__(self, connection: Connection, item: WorkItem, msg: Msg) -> None:
        self._connection = connection
        self._msg = msg
        self.item = item

    async def ack(self) -> None:
        self._connection.require_connected()
        try:
            with nats_errors("take the acknowledgement"):
                await self._msg.ack_sync(timeout=limits.REQUEST_S)
        except TemporaryError as e:
            if isinstance(e.__cause__, nats.errors.NoRespondersError):
                raise FencedError("this slot's consumer is gone; its new owner has the item") from e
            raise


class SlotConsumer:
    """The consumer of one slot and epoch, pulled one small batch after another."""

    def __init__(self, connection: Connection, clock: Clock, slot: int, epoch: int) -> None:
        self._connection = connection
        self._clock = clock
        self._slot = slot
        self._epoch = epoch
        self._name = f"s{slot}-e{epoch}"
        self._inbox = connection.client.new_inbox()
        self._subscription: Subscription | None = None
        # None: the connection came back, and the server has forgotten who was asking.
        self._arrived: asyncio.Queue[Msg | None] = asyncio.Queue()
        self._round = 0
        self._left = 0

    async def open(self) -> None:
        self._connection.require_connected()
        await self._claim()
        with nats_errors("subscribe"):
            self._subscription = await self._connection.client.subscribe(
                f"{self._inbox}.*", cb=self._on_message
            )
        self._connection.on_reconnect.add(self._on_reconnect)

    async def aclose(self) -> None:
        """Give the slot back; what was not acknowledged goes to the next owner."""
        self._connection.on_reconnect.discard(self._on_reconnect)
        if not self._connection.is_connected():
            return
        try:
            async with asyncio.timeout(limits.CLOSE_S):
                with suppress(nats.errors.Error):
                    if self._subscription is not None:
                        await self._subscription.unsubscribe()
                    await self._connection.jetstream.delete_consumer(limits.STREAM, self._name)
        except TimeoutError:
            log.warning("nats_consumer_close_timed_out", slot=self._slot, epoch=self._epoch)

    def __aiter__(self) -> AsyncIterator[WorkDelivery]:
        return self

    async def __anext__(self) -> WorkDelivery:
        while True:
            if self._left <= 0 and self._connection.is_connected():
                await self._request()
            try:
                async with asyncio.timeout(2 * limits.HEARTBEAT_S):
                    msg = await self._arrived.get()
            except TimeoutError:
                msg = None
            if msg is None:
                self._left = 0
                continue
            status = (msg.headers or {}).get("Status")
            if status is not None:
                await self._on_status(msg, status)
                continue
            self._left -= 1
            delivery = await self._delivery(msg)
            if delivery is not None:
                return delivery

    async def _request(self) -> None:
        self._round += 1
        self._left = limits.PULL_BATCH
        request = {
            "batch": limits.PULL_BATCH,
            "expires": limits.PULL_EXPIRES_S * 10**9,
            "idle_heartbeat": limits.HEARTBEAT_S * 10**9,
        }
        subject = f"$JS.API.CONSUMER.MSG.NEXT.{limits.STREAM}.{self._name}"
        with nats_errors("ask for work"):
            await self._connection.client.publish(
                subject, json.dumps(request).encode(), f"{self._inbox}.{self._round}"
            )

    async def _on_message(self, msg: Msg) -> None:
        self._arrived.put_nowait(msg)

    def _on_reconnect(self) -> None:
        self._arrived.put_nowait(None)

    async def _on_status(self, msg: Msg, status: str) -> None:
        if status == "100" or not msg.subject.endswith(f".{self._round}"):
            return  # A heartbeat, or the end of a request that was given up before.
        self._left = 0
        description = str((msg.headers or {}).get("Description", ""))
        if status == "503" or "Deleted" in description:
            await self._claim_again()

    async def _delivery(self, msg: Msg) -> NatsDelivery | None:
        try:
            item = decode_work(msg.subject, msg.data)
        except ValueError as e:
            log.error("work_item_unreadable", slot=self._slot, reason=str(e))  # noqa: TRY400
            with suppress(nats.errors.Error):
                await msg.term()
            return None
        return NatsDelivery(self._connection, item, msg)

    async def _claim_again(self) -> None:
        """Get the consumer back after a restart of the server; FencedError if somebody newer is."""
        while True:
            try:
                await self._claim()
            except TemporaryError:
                await self._clock.sleep(timedelta(seconds=limits.RETRY_S))
            else:
                return

    async def _claim(self) -> None:
        """Create the consumer; those of older epochs, which keep it out, are removed."""
        config = ConsumerConfig(
            name=self._name,
            durable_name=self._name,
            filter_subject=f"{limits.WORK_PREFIX}.{self._slot}.>",
            ack_policy=AckPolicy.EXPLICIT,
            deliver_policy=DeliverPolicy.ALL,
            ack_wait=limits.ACK_WAIT_S,
            max_ack_pending=limits.MAX_ACK_PENDING,
            max_deliver=-1,
        )
        with nats_errors("create a consumer"):
            for _ in range(_CLAIM_ATTEMPTS):
                try:
                    await self._connection.jetstream.add_consumer(limits.STREAM, config)
                except nats.js.errors.NotFoundError:  # The server came back without its files.
                    await self._connection.ensure_stream()
                except nats.js.errors.BadRequestError as e:
                    if e.err_code != limits.CONSUMER_OVERLAP:
                        raise
                    if not await self._remove_older():
                        await self._clock.sleep(timedelta(seconds=limits.RETRY_S))
                else:
                    return
        raise TemporaryError(f"slot {self._slot} is still held by another consumer")

    async def _remove_older(self) -> bool:
        """Tell whether there was one; FencedError if a newer one is there."""
        is_any = False
        for name in await self._consumer_names():
            found = _CONSUMER.fullmatch(name)
            if not found or int(found[1]) != self._slot or int(found[2]) == self._epoch:
                continue
            if int(found[2]) > self._epoch:
                raise FencedError(f"slot {self._slot} has a newer owner")
            is_any = True
            with suppress(nats.js.errors.NotFoundError):
                await self._connection.jetstream.delete_consumer(limits.STREAM, name)
        return is_any

    async def _consumer_names(self) -> list[str]:
        """Return the names of all slots' consumers; what else is known of them is long."""
        names: list[str] = []
        while True:
            reply = await self._connection.client.request(
                f"$JS.API.CONSUMER.NAMES.{limits.STREAM}",
                json.dumps({"offset": len(names)}).encode(),
                timeout=limits.REQUEST_S,
            )
            answer = json.loads(reply.data)
            if "error" in answer:
                nats.js.errors.APIError.from_error(answer["error"])
            page = answer.get("consumers") or []
            names += page
            if not page or len(names) >= answer.get("total", 0):
                return names
