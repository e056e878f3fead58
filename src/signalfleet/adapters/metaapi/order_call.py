"""One order on its way, and the request that checks and writes it in one step."""

import asyncio
from collections.abc import Callable
from contextvars import ContextVar
from typing import TYPE_CHECKING, TypeAlias

import aiohttp
import structlog
from aiohttp.http import StreamWriter

from signalfleet.adapters.metaapi.answers import Answer
from signalfleet.domain.trading.outcomes import Unknown
from signalfleet.ports.broker import Gate
from signalfleet.ports.errors import NotSentError

if TYPE_CHECKING:
    from aiohttp.connector import Connection

log = structlog.get_logger()

TradeAnswer: TypeAlias = Answer | Unknown


class OrderCall:
    """One order on its way. `sent` turns True directly before its first byte is written."""

    __slots__ = ("_gate", "body", "done", "late", "sent")

    def __init__(
        self,
        body: bytes,
        gate: Gate,
        done: "asyncio.Future[TradeAnswer | NotSentError]",
        late: Callable[[TradeAnswer], None] | None,
    ) -> None:
        self.body = body
        self._gate = gate
        self.done = done
        self.late = late
        self.sent = False

    def check(self) -> None:
        try:
            self._gate()
        except NotSentError:
            raise
        except Exception as e:
            log.exception("order_gate_failed")
            raise NotSentError("the last check itself failed", reason="gate_failed") from e


SENDING: ContextVar[OrderCall | None] = ContextVar("metaapi_sending", default=None)
"""The order that the present task sends; a read's task has none."""


class GatedRequest(aiohttp.ClientRequest):
    """Runs an order's gate on its open connection, and writes all of the order in the same step.

    The library itself would leave the writing to a task of its own, some time after the gate; and
    its tracing, which has a hook here too, takes as long as all of the adapter.
    """

    async def send(self, conn: "Connection") -> aiohttp.ClientResponse:
        call = SENDING.get()
        if call is None:
            return await super().send(conn)
        protocol = conn.protocol
        if protocol is None or not protocol.is_connected():
            raise NotSentError("the connection was closed", reason="disconnected")
        writer = StreamWriter(protocol, self.loop)
        # Neither of the two waits for anything: the bytes are with the socket when it is over.
        await writer.write_headers(f"{self.method} {self.url.raw_path_qs} HTTP/1.1", self.headers)
        call.check()
        call.sent = True
        await writer.write_eof(call.body)
        protocol.start_timeout()
        return self.response_class(
            self.method,
            self.original_url,
            writer=None,
            continue100=None,
            timer=self._timer,
            request_info=self.request_info,
            traces=[],
            loop=self.loop,
            session=self._session,
            stream_writer=writer,
        )
