"""The socket under the library: asks the gate before it opens, and tells when it comes and goes."""

import asyncio
import socket
import struct
import sys
from collections.abc import Callable
from typing import Any, Final

from telethon.errors import InvalidBufferError
from telethon.network.connection import ConnectionTcpFull

from signalfleet.adapters.telegram.gate import SessionTurn
from signalfleet.adapters.telegram.limits import (
    PACKETS_BURST,
    PACKETS_PER_S,
    RECONNECTS,
    TCP_USER_TIMEOUT_MS,
)
from signalfleet.domain.accounts.budgets import TokenBucket
from signalfleet.ports.metrics import Metrics

TOO_MANY: Final = 429
_ERROR: Final = struct.Struct("<i")


class Link:
    """The transport of one session, across the library's clients and reconnects."""

    def __init__(self, turn: SessionTurn, metrics: Metrics) -> None:
        self.turn = turn
        self._metrics = metrics
        self._connection: GatedConnection | None = None
        self.ups = 0
        self.is_up = False
        self.changed: Callable[[], None] = _nothing
        """Called when the connection came or went."""
        self.on_first_up: Callable[[], None] | None = None
        self._reason = "first"
        self._inflow = TokenBucket.full(PACKETS_PER_S, PACKETS_BURST, 0.0)

    async def read_one(self) -> None:
        """Wait for one's turn to read: a flood stays in the socket, and costs nobody's time.

        What lies there for too long ends by a late pong: connected anew, the gap is repaired.
        """
        now = asyncio.get_running_loop().time()
        self._inflow.spend(1.0, now)
        wait = self._inflow.wait_s(now)
        if wait > 0:
            await asyncio.sleep(wait)

    def went_up(self, connection: "GatedConnection") -> None:
        self._connection = connection
        self.turn.note_up()
        self._metrics.count(RECONNECTS, reason=self._reason)
        self._reason = "transport"
        self.ups += 1
        self.is_up = True
        if self.on_first_up is not None:
            self.on_first_up()
            self.on_first_up = None
        self.changed()

    def went_down(self, connection: "GatedConnection") -> None:
        if self._connection is not connection:
            return
        self._connection = None
        self.turn.note_down()
        self.is_up = False
        self.changed()

    def abort(self, reason: str) -> None:
        """Reset the socket, if there is one; the library then connects again."""
        if self._connection is not None:
            self._reason = reason
            self._connection.abort()


class GatedConnection(ConnectionTcpFull):
    """A connection of one link; the library makes and reopens it by itself.

    It reads and writes where it is asked to. The library's own would have two tasks and two queues
    for that, which each packet passes.
    """

    _is_judged = False

    def __init__(self, link: Link, *address: Any, **options: Any) -> None:
        super().__init__(*address, **options)
        self.link = link
        self._send_queue = self._recv_queue = None

    async def connect(self, timeout: float | None = None, ssl: Any = None) -> None:  # noqa: ASYNC109
        await self.link.turn.turn()
        try:
            await self._connect(timeout=timeout, ssl=ssl)
        except (OSError, TimeoutError):
            self.link.turn.note_refused()
            raise
        self._connected = True
        self._keep_alive()
        self._is_judged = False
        self.link.went_up(self)

    async def send(self, data: bytes) -> None:
        self._require_connected()
        self._send(data)
        await self._writer.drain()

    async def recv(self) -> Any:
        await self.link.read_one()
        self._require_connected()
        try:
            packet = await self._recv()
        except InvalidBufferError as error:
            self._judge(is_throttled=error.code == TOO_MANY)
            raise
        except (OSError, asyncio.IncompleteReadError):
            self.abort()  # What is left to be sent reaches nobody; closing would wait for it.
            raise
        if not self._is_judged:
            self._judge(is_throttled=packet == _ERROR.pack(-TOO_MANY))
        return packet

    async def disconnect(self) -> None:
        # Before the socket is closed: closing a dead path takes seconds.
        self.link.went_down(self)
        await super().disconnect()

    def abort(self) -> None:
        if self._writer is not None:
            self._writer.transport.abort()

    def _require_connected(self) -> None:
        if not self._connected:
            raise ConnectionError("Not connected")

    def _judge(self, *, is_throttled: bool) -> None:
        """Tell once for each connection whether the server speaks with us."""
        self._is_judged = True
        if is_throttled:
            self.link.turn.note_throttled()
        else:
            self.link.turn.note_proved()

    def _keep_alive(self) -> None:
        sock = self._writer.get_extra_info("socket")
        if sock is None:
            return
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        if sys.platform == "linux":
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, TCP_USER_TIMEOUT_MS)


def _nothing() -> None: ...
