"""Encodes and decodes TL objects with the classes of the installed client library.

The codec is shared with the client on purpose: the behaviour of the two sides is under test, not
the encoding. Framing, key exchange and encryption are written from the protocol's documents.
"""

import functools
import gzip
import struct
import zlib
from typing import Any, Final, TypeAlias

from telethon.errors import TypeNotFoundError
from telethon.extensions import BinaryReader
from telethon.tl import TLObject, TLRequest

Tl: TypeAlias = Any
"""Any object of the client library, which has no type hints."""

VECTOR: Final = 0x1CB5C415
BOOL_TRUE: Final = 0x997275B5
BOOL_FALSE: Final = 0xBC799737
RPC_RESULT: Final = 0xF35C6D01
GZIP_PACKED: Final = 0x3072CFA1
MSG_CONTAINER: Final = 0x73F1F8DC
GZIP_OVER_BYTES: Final = 1024
UNREADABLE: Final = struct.pack("<I", 0xDEADBEEF)
"""An object of a type that no client knows."""


class MalformedError(Exception):
    """Bytes from a client that cannot be read as TL."""


class Raw:
    """Encoded TL bytes that stand where an object is expected."""

    __slots__ = ("encoded",)

    def __init__(self, encoded: bytes) -> None:
        self.encoded = encoded

    def _bytes(self) -> bytes:
        return self.encoded


def encode(value: Tl) -> bytes:
    """Encode a TL object, a bool, an int or a list of those."""
    if value is True:
        return struct.pack("<I", BOOL_TRUE)
    if value is False:
        return struct.pack("<I", BOOL_FALSE)
    if isinstance(value, int):
        return struct.pack("<i", value)
    if isinstance(value, list):
        return vector([encode(item) for item in value])
    encoded: bytes = value._bytes()  # noqa: SLF001 - the library's own serializer
    return encoded


def vector(items: list[bytes]) -> bytes:
    """Encode a boxed vector of encoded items."""
    return struct.pack("<Ii", VECTOR, len(items)) + b"".join(items)


def tl_bytes(content: bytes) -> bytes:
    """Encode a byte string with its length, padded to four bytes."""
    encoded: bytes = TLObject.serialize_bytes(content)
    return encoded


def decode(body: bytes) -> Tl:
    """Decode one TL object from the start of the bytes; the rest may be padding."""
    try:
        return BinaryReader(body).tgread_object()
    except (
        TypeNotFoundError,
        BufferError,
        struct.error,
        RuntimeError,
        UnicodeError,
        OverflowError,
    ) as error:
        raise MalformedError(type(error).__name__) from error


def gunzip(body: bytes) -> bytes:
    """Unpack the object inside a `gzip_packed`, which starts with its constructor number."""
    reader = BinaryReader(body)
    reader.read_int()
    try:
        return gzip.decompress(reader.tgread_bytes())
    except (OSError, EOFError, zlib.error, BufferError, struct.error) as error:
        raise MalformedError("gzip_packed does not unpack") from error


def pack(body: bytes) -> bytes:
    """Return the object as a `gzip_packed`."""
    return struct.pack("<I", GZIP_PACKED) + tl_bytes(gzip.compress(body, 1))


def rpc_result(request_msg_id: int, answer: bytes, gzip_over_bytes: int = GZIP_OVER_BYTES) -> bytes:
    """Wrap an encoded answer for its request, packed when it is long."""
    if len(answer) > gzip_over_bytes:
        answer = pack(answer)
    return struct.pack("<Iq", RPC_RESULT, request_msg_id) + answer


def container(messages: list[tuple[int, int, bytes]]) -> bytes:
    """Put messages, given as (msg_id, seq_no, body), into one."""
    inner = b"".join(
        struct.pack("<qii", msg_id, seq_no, len(body)) + body for msg_id, seq_no, body in messages
    )
    return struct.pack("<Ii", MSG_CONTAINER, len(messages)) + inner


def split_container(body: bytes) -> list[tuple[int, int, bytes]]:
    """Return the inner messages of a container as (msg_id, seq_no, body)."""
    (count,) = struct.unpack_from("<i", body, 4)
    inner, position = [], 8
    for _ in range(count):
        msg_id, seq_no, length = struct.unpack_from("<qii", body, position)
        position += 16
        if not 0 <= length <= len(body) - position:
            raise MalformedError("a container entry is longer than the container")
        inner.append((msg_id, seq_no, body[position : position + length]))
        position += length
    return inner


def method_name(request_type: type[object]) -> str:
    """Return the documented name of a request class, as `messages.getHistory`."""
    return _method_name(request_type.__module__, request_type.__name__)


@functools.lru_cache(maxsize=1024)
def _method_name(module: str, class_name: str) -> str:
    name = class_name.removesuffix("Request")
    name = name[0].lower() + name[1:]
    namespace = module.removeprefix("telethon.tl.functions").removeprefix(".")
    return f"{namespace}.{name}" if namespace else name


def is_request(value: object) -> bool:
    """Tell a request from a service object."""
    return isinstance(value, TLRequest)
