"""The page's own socket."""

import asyncio
import socket

import pytest

from signalfleet.bootstrap.web import open_socket

pytestmark = pytest.mark.loopback


async def test_no_answer_waits_for_the_visitors_acknowledgement() -> None:
    """Head and body of an answer are two writes; the second one waited 40 ms for it."""
    delays: asyncio.Queue[int] = asyncio.Queue()

    async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        accepted = writer.get_extra_info("socket")
        delays.put_nowait(accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
        writer.close()

    with open_socket("127.0.0.1", 0) as bound:
        async with await asyncio.start_server(serve, sock=bound):
            _, visitor = await asyncio.open_connection(*bound.getsockname())
            assert await delays.get() != 0
            visitor.close()
            await visitor.wait_closed()
