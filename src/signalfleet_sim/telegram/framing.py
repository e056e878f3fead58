"""The "full" transport: `length | sequence | payload | crc32`, and the transport-level errors."""

import struct
from typing import Final
from zlib import crc32

OVERHEAD: Final = 12
MAX_PACKET: Final = 1 << 21


class FramingError(Exception):
    """The stream does not follow the transport; the connection is of no more use."""


class FullFraming:
    """Splits a byte stream into payloads and frames answers; sequence numbers run per direction."""

    __slots__ = ("_buffer", "_received", "_sent")

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._received = 0
        self._sent = 0

    def feed(self, chunk: bytes) -> list[bytes]:
        """Take bytes from the socket and return the payloads that are complete."""
        self._buffer += chunk
        payloads = []
        while (payload := self._next()) is not None:
            payloads.append(payload)
        return payloads

    def frame(self, payload: bytes) -> bytes:
        """Return the packet that carries the payload."""
        head = struct.pack("<ii", len(payload) + OVERHEAD, self._sent) + payload
        self._sent += 1
        return head + struct.pack("<I", crc32(head))

    def _next(self) -> bytes | None:
        buffer = self._buffer
        if len(buffer) < OVERHEAD:
            return None
        length, sequence = struct.unpack_from("<ii", buffer)
        if not OVERHEAD <= length <= MAX_PACKET:
            raise FramingError("packet length outside 12 bytes to 2 MiB: not the full transport")
        if len(buffer) < length:
            return None
        packet = bytes(buffer[:length])
        del buffer[:length]
        if crc32(packet[:-4]) != int.from_bytes(packet[-4:], "little"):
            raise FramingError("packet checksum is wrong")
        if sequence != self._received:
            raise FramingError("packet sequence number is wrong")
        self._received += 1
        return packet[8:-4]


def error_payload(code: int) -> bytes:
    """Return the payload of a transport error, to be framed like any other."""
    return struct.pack("<i", code)


def bare_error(code: int) -> bytes:
    """Return the error in the unframed form that has been seen from real servers."""
    return struct.pack("<iii", code, code, code)
