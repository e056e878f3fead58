"""One client connection: transport, key exchange, encrypted messages and service messages."""

import asyncio
import struct
from typing import Final, Protocol

import structlog
from telethon.tl import functions, types

from signalfleet_sim.telegram import codec
from signalfleet_sim.telegram.accounts import CutHow, SimSession
from signalfleet_sim.telegram.crypto import ClientMessage, CryptoError, DhGroup, ServerKey
from signalfleet_sim.telegram.framing import FramingError, FullFraming, bare_error, error_payload
from signalfleet_sim.telegram.keyexchange import ExchangeError, KeyExchange
from signalfleet_sim.telegram.rpc import dispatch
from signalfleet_sim.telegram.world import World

AUTH_KEY_NOT_FOUND: Final = -404
TOO_OLD_S: Final = 300
TOO_NEW_S: Final = 30
BAD_SALT: Final = 48
MSG_ID_TOO_LOW: Final = 16
MSG_ID_TOO_HIGH: Final = 17
BAD_CONTAINER: Final = 64
MOST_IN_CONTAINER: Final = 1020
CLOCK_STEP: Final = 5 << 32
MOST_UNSENT_BYTES: Final = 8 << 20
SECOND_SOCKET_GRACE_S: Final = 0.05
ACK_ID: Final = 0x62D6B459
ANSWER: Final = 1
NOTICE: Final = 3

log = structlog.get_logger()


class Host(Protocol):
    """What a connection needs from the server it belongs to."""

    world: World
    server_key: ServerKey
    dh_group: DhGroup

    def opened(self, wire: "ClientWire") -> None: ...
    def closed(self, wire: "ClientWire") -> None: ...


class ClientWire(asyncio.Protocol):
    """A socket. It has no task of its own: everything happens when bytes arrive."""

    def __init__(self, host: Host, dc: int, loop: asyncio.AbstractEventLoop) -> None:
        self._host = host
        self._world = host.world
        self._dc = dc
        self._loop = loop
        self._framing = FullFraming()
        self._exchange: KeyExchange | None = None
        self._transport: asyncio.Transport | None = None
        self._session: SimSession | None = None
        self._session_id: int | None = None
        self._sent_count = 0
        self._received = 0
        self._last_msg_id = 0
        self._blackhole: tuple[list[bytes], list[bytes]] | None = None
        self.address = ""

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - narrows the type
        self._transport = transport
        self.address = str((transport.get_extra_info("peername") or ("",))[0])
        self._host.opened(self)
        if self._world.faults.is_refusing:
            transport.abort()
            return
        self._world.journal.connected(self._world.time(), self.address)
        if outage_s := self._world.faults.outage_left_s:
            self.blackhole(outage_s)

    def data_received(self, data: bytes) -> None:
        if self._blackhole is not None:
            self._blackhole[0].append(data)
            return
        try:
            for payload in self._framing.feed(data):
                self._packet(payload)
        except (FramingError, CryptoError, codec.MalformedError, struct.error) as error:
            log.warning("client_broke_protocol", reason=str(error))
            self.cut()

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self._transport = None
        session = self._session
        if session is not None:
            session.wires.remove(self)
            if session.receiver is self:
                session.receiver = None
            self._session = None
        self._host.closed(self)

    # What the city does to a connection

    def push(self, body: bytes) -> None:
        """Send an encoded object that answers no request."""
        if self._session is not None and self._session_id is not None:
            packs = self._world.habits.gzip_updates
            self._send(codec.pack(body) if packs else body, NOTICE)

    def cut(self, how: CutHow = "reset") -> None:
        """Close the connection, with or without what is still to be sent."""
        if self._transport is None:
            return
        if how == "reset":
            self._transport.abort()
        else:
            self._transport.close()

    def blackhole(self, seconds: float) -> None:
        """Let nothing through in either direction for a while."""
        if self._blackhole is None and self._transport is not None:
            self._blackhole = ([], [])
            self._loop.call_later(seconds, self._end_blackhole)

    def _end_blackhole(self) -> None:
        if self._blackhole is None or self._transport is None:
            return
        (arrived, unsent), self._blackhole = self._blackhole, None
        for packet in unsent:
            self._transport.write(packet)
        for data in arrived:
            self.data_received(data)

    # Packets

    def _packet(self, payload: bytes) -> None:
        if self._transport is None or self._transport.is_closing():
            return
        key_id = payload[:8]
        is_plain = not any(key_id)
        session = None if is_plain else self._world.find_session(self._dc, key_id)
        rule = self._world.faults.transport_error(session)
        if rule is not None:
            self._refuse(rule.code, bare=rule.form == "bare")
        elif is_plain:
            self._plain(payload)
        elif session is None:
            self._refuse(AUTH_KEY_NOT_FOUND)
        else:
            self._attach(session)
            self._encrypted(session, session.cipher.decrypt(payload))

    def _refuse(self, code: int, *, bare: bool = False) -> None:
        self._write(bare_error(code) if bare else self._framing.frame(error_payload(code)))
        self.cut("fin")

    def _plain(self, payload: bytes) -> None:
        _, msg_id, length = struct.unpack_from("<qqi", payload)
        request = codec.decode(payload[20 : 20 + length])
        if self._exchange is None or isinstance(request, functions.ReqPqMultiRequest):
            self._exchange = KeyExchange(self._host.server_key, self._host.dh_group)
        try:
            answer = codec.encode(self._exchange.answer(request, self._world.now()))
        except ExchangeError as error:
            log.warning("key_exchange_failed", reason=str(error))
            self._refuse(AUTH_KEY_NOT_FOUND)
            return
        del msg_id
        head = struct.pack("<qqi", 0, self._next_msg_id(ANSWER), len(answer))
        self._write(self._framing.frame(head + answer))
        if self._exchange.auth_key is not None:
            self._world.add_session(self._exchange.auth_key, self._dc, self._exchange.salt)
            self._exchange = None

    def _attach(self, session: SimSession) -> None:
        if self._session is session:
            return
        if self._session is not None:
            self._session.wires.remove(self)
        self._session = session
        session.wires.append(self)
        if len(session.wires) > 1:
            # The end of the connection before may still be on its way to us.
            self._loop.call_later(SECOND_SOCKET_GRACE_S, self._judge_second_socket, session)

    def _judge_second_socket(self, session: SimSession) -> None:
        if self._session is not session or len(session.wires) < 2:  # noqa: PLR2004 - one is fine
            return
        detail = f"{len(session.wires)} connections with one key"
        self._world.journal.violate(self._world.time(), "two_sockets", detail)
        addresses = {wire.address for wire in session.wires}
        policy = self._world.second_connection
        if policy == "kill_key" or (policy == "kill_key_other_address" and len(addresses) > 1):
            session.duplicate()

    # Encrypted messages

    def _encrypted(self, session: SimSession, message: ClientMessage) -> None:
        if message.session_id != self._session_id:
            self._session_id = message.session_id
            self._sent_count = 0
        bad = self._world.faults.take_bad_msg() or self._bad_time(message.msg_id)
        if bad is not None:
            self._send(
                codec.encode(types.BadMsgNotification(message.msg_id, message.seq_no, bad)), NOTICE
            )
            return
        self._received += 1
        self._be_whimsical(session, message.session_id)
        if message.salt != session.salt:
            notice = types.BadServerSalt(message.msg_id, message.seq_no, BAD_SALT, session.salt)
            self._send(codec.encode(notice), NOTICE)
            return
        if message.session_id not in session.known_session_ids:
            session.greet(message.session_id)
            unique_id = int.from_bytes(session.cipher.key_id, "little", signed=True)
            created = types.NewSessionCreated(message.msg_id, unique_id, session.salt)
            self._send(codec.encode(created), NOTICE)
        self._handle(session, message.msg_id, message.seq_no, message.body)

    def _be_whimsical(self, session: SimSession, session_id: int) -> None:
        """Do at odd moments what a server may do at any."""
        habits = self._world.habits
        if habits.salt_every and self._received % habits.salt_every == 0:
            session.salt = self._world.rng.getrandbits(63)
        if habits.greet_every and self._received % habits.greet_every == 0:
            session.known_session_ids.discard(session_id)

    def _bad_time(self, msg_id: int) -> int | None:
        late = self._world.time() - (msg_id >> 32)
        if late > TOO_OLD_S:
            return MSG_ID_TOO_LOW
        return MSG_ID_TOO_HIGH if late < -TOO_NEW_S else None

    def _handle(self, session: SimSession, msg_id: int, seq_no: int, body: bytes) -> None:
        constructor = int.from_bytes(body[:4], "little")
        if constructor == codec.MSG_CONTAINER:
            inner = codec.split_container(body)
            if len(inner) > MOST_IN_CONTAINER:
                notice = types.BadMsgNotification(msg_id, seq_no, BAD_CONTAINER)
                self._send(codec.encode(notice), NOTICE)
                return
            for inner_id, inner_seq, inner_body in inner:
                self._handle(session, inner_id, inner_seq, inner_body)
            return
        if constructor == codec.GZIP_PACKED:
            body = codec.gunzip(body)
            constructor = int.from_bytes(body[:4], "little")
        if constructor != ACK_ID:
            self._object(session, msg_id, body)

    def _object(self, session: SimSession, msg_id: int, body: bytes) -> None:
        try:
            received = codec.decode(body)
        except codec.MalformedError:
            self._world.journal.violate(self._world.time(), "malformed", "unreadable request")
            fault = types.RpcError(error_code=400, error_message="INPUT_FETCH_ERROR")
            self._send(codec.rpc_result(msg_id, codec.encode(fault)), ANSWER)
            return
        if isinstance(received, functions.PingRequest | functions.PingDelayDisconnectRequest):
            self._send(codec.encode(types.Pong(msg_id, received.ping_id)), ANSWER)
        elif isinstance(received, functions.GetFutureSaltsRequest):
            salts = types.FutureSalts(req_msg_id=msg_id, now=self._world.now(), salts=[])
            self._send(codec.encode(salts), ANSWER)
        elif codec.is_request(received):
            self._request(session, msg_id, received)

    def _request(self, session: SimSession, msg_id: int, request: codec.Tl) -> None:
        reply = dispatch.answer(self._world, session, self.address, request)
        habits = self._world.habits
        result = codec.rpc_result(msg_id, reply.body, habits.gzip_over_bytes)
        delay_s = reply.delay_s
        if habits.late_s:
            delay_s += self._world.rng.uniform(0, habits.late_s)
        if delay_s:
            self._loop.call_later(delay_s, self._send_late, result, self._session_id)
        else:
            self._send(result, ANSWER)
        if reply.wants_updates:
            session.receiver = self

    def _send_late(self, body: bytes, session_id: int | None) -> None:
        if self._session is not None and self._session_id == session_id:
            self._send(body, ANSWER)

    # Writing

    def _send(self, body: bytes, kind: int) -> None:
        session = self._session
        if session is None or self._session_id is None:
            return
        seq_no = self._sent_count * 2 + 1
        self._sent_count += 1
        msg_id = self._next_msg_id(kind)
        if self._world.habits.in_containers:
            ack = codec.encode(types.MsgsAck([]))
            body = codec.container([(msg_id, seq_no, body), (self._next_msg_id(kind), 0, ack)])
            msg_id, seq_no = self._next_msg_id(kind), self._sent_count * 2
        packet = session.cipher.encrypt(session.salt, self._session_id, msg_id, seq_no, body)
        self._write(self._framing.frame(packet))

    def _write(self, packet: bytes) -> None:
        if self._blackhole is not None:
            self._blackhole[1].append(packet)
            return
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        transport.write(packet)
        if transport.get_write_buffer_size() > MOST_UNSENT_BYTES:
            log.warning("client_does_not_read", address=self.address)
            transport.abort()

    def _next_msg_id(self, kind: int) -> int:
        wanted = int(self._world.time() * (1 << 32)) & ~3 | kind
        # A clock that was set back must show, or the client would never learn of it.
        if self._last_msg_id - CLOCK_STEP < wanted <= self._last_msg_id:
            wanted = (self._last_msg_id & ~3) + 4 | kind
        self._last_msg_id = wanted
        return wanted
