"""Framing, encryption and key exchange without a client."""

import struct
from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st
from telethon.tl import functions, types

from signalfleet_sim.telegram.codec import (
    MalformedError,
    decode,
    encode,
    gunzip,
    rpc_result,
    split_container,
)
from signalfleet_sim.telegram.crypto import (
    CryptoError,
    DhGroup,
    MessageCipher,
    ServerKey,
    random_auth_key,
)
from signalfleet_sim.telegram.framing import FramingError, FullFraming
from signalfleet_sim.telegram.keyexchange import ExchangeError, KeyExchange

PAYLOADS = st.lists(st.binary(max_size=40), max_size=5)


@given(payloads=PAYLOADS, cuts=st.lists(st.integers(1, 30)))
def test_packets_survive_any_fragmentation(payloads: list[bytes], cuts: list[int]) -> None:
    sender, receiver = FullFraming(), FullFraming()
    stream = b"".join(sender.frame(payload) for payload in payloads)
    found: list[bytes] = []
    for size in cuts:
        found += receiver.feed(stream[:size])
        stream = stream[size:]
    found += receiver.feed(stream)
    assert found == payloads


def test_a_packet_is_length_sequence_payload_and_checksum() -> None:
    framing = FullFraming()
    framing.frame(b"")
    head = struct.pack("<ii", 16, 1) + b"abcd"
    assert framing.frame(b"abcd") == head + struct.pack("<I", crc32(head))


@pytest.mark.parametrize(
    ("position", "text"),
    [(3, "length"), (0, "checksum"), (4, "checksum"), (9, "checksum"), (13, "checksum")],
)
def test_a_damaged_packet_is_refused(position: int, text: str) -> None:
    packet = bytearray(FullFraming().frame(b"abcd"))
    packet[position] ^= 0x1C
    with pytest.raises(FramingError, match=text):
        FullFraming().feed(bytes(packet))


def test_a_repeated_packet_is_refused() -> None:
    packet = FullFraming().frame(b"abcd")
    receiver = FullFraming()
    receiver.feed(packet)
    with pytest.raises(FramingError, match="sequence"):
        receiver.feed(packet)


@given(position=st.integers(8, 87))
def test_an_altered_message_is_refused(position: int) -> None:
    cipher = MessageCipher(random_auth_key())
    packet = bytearray(cipher.encrypt(1, 2, 3, 4, b"body" * 5))
    packet[position % len(packet)] ^= 1
    with pytest.raises(CryptoError):
        cipher.decrypt(bytes(packet))


def test_the_directions_use_different_keys() -> None:
    cipher = MessageCipher(random_auth_key())
    with pytest.raises(CryptoError, match="msg_key"):
        cipher.decrypt(cipher.encrypt(1, 2, 3, 4, b"body"))


@given(st.binary(max_size=200))
def test_any_bytes_are_an_object_or_an_error(body: bytes) -> None:
    for read in (decode, gunzip, split_container):
        try:
            read(body)
        except (MalformedError, struct.error):
            continue


def test_long_answers_are_packed() -> None:
    answer = encode([types.InputMessageID(7)] * 1000)
    packed = rpc_result(5, answer)
    assert len(packed) < len(answer)
    assert gunzip(packed[12:]) == answer


def test_the_exchange_is_refused_when_the_client_breaks_it() -> None:
    exchange = KeyExchange(ServerKey(), DhGroup.generate())
    offered = exchange.answer(functions.ReqPqMultiRequest(nonce=5), 0)
    request = functions.ReqDHParamsRequest(
        nonce=5,
        server_nonce=offered.server_nonce,
        p=b"\x03",
        q=b"\x05",
        public_key_fingerprint=offered.server_public_key_fingerprints[0],
        encrypted_data=bytes(256),
    )
    with pytest.raises(ExchangeError):
        exchange.answer(request, 0)
    request.server_nonce += 1
    with pytest.raises(ExchangeError, match="nonces"):
        exchange.answer(request, 0)
    finish = functions.SetClientDHParamsRequest(
        nonce=5, server_nonce=offered.server_nonce, encrypted_data=bytes(32)
    )
    with pytest.raises(ExchangeError, match="out of turn"):
        exchange.answer(finish, 0)
