"""The server: one listener per data centre, one city behind them, and the delivery of updates."""

import asyncio
import functools
import struct
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from telethon.tl import types

from signalfleet_sim.telegram.accounts import SimSession, SimUser
from signalfleet_sim.telegram.chats import ChatEvent, EventKind, SimChannel
from signalfleet_sim.telegram.codec import UNREADABLE, Tl, encode, vector
from signalfleet_sim.telegram.crypto import DhGroup, key_of_process
from signalfleet_sim.telegram.rpc import objects
from signalfleet_sim.telegram.session import ClientWire
from signalfleet_sim.telegram.world import World

LOOPBACK: Final = "127.0.0.1"
DATA_CENTRES: Final = (2, 4)
CLOSE_GRACE_S: Final = 2.0
AT_A_TIME: Final = 64
UPDATES: Final = 0x74AE4240


class TelegramServer:
    """Serves a `World` on loopback; closing it leaves the world as it is."""

    def __init__(
        self,
        world: World,
        *,
        dcs: tuple[int, ...] = DATA_CENTRES,
        host: str = LOOPBACK,
        port: int = 0,
    ) -> None:
        self.world = world
        self.server_key = key_of_process()
        self.dh_group = DhGroup.generate()
        self.addresses: dict[int, tuple[str, int]] = {}
        self._dcs = dcs
        self._host = host
        self._port = port
        self._listeners: list[asyncio.Server] = []
        self._wires: set[ClientWire] = set()
        self._updates = Deliveries(world)
        self._all_closed = asyncio.Event()

    # Life

    async def start(self) -> None:
        """Open the listeners; `port` belongs to the first data centre, others take free ones."""
        loop = asyncio.get_running_loop()
        for dc in self._dcs:
            listener = await loop.create_server(
                functools.partial(ClientWire, self, dc, loop),
                self._host,
                self._port if dc == self._dcs[0] else 0,
                backlog=1024,
            )
            self._listeners.append(listener)
            host, port = listener.sockets[0].getsockname()[:2]
            self.addresses[dc] = (host, port)
        self.world.addresses = dict(self.addresses)
        self.world.sink = self._updates

    async def aclose(self) -> None:
        """Close listeners and connections; takes two seconds at most."""
        if self.world.sink is self._updates:
            self.world.sink = None
            self.world.addresses = {}
        for listener in self._listeners:
            listener.close()
        self._listeners.clear()
        for wire in list(self._wires):
            wire.cut()
        try:
            async with asyncio.timeout(CLOSE_GRACE_S):
                while self._wires:
                    self._all_closed.clear()
                    await self._all_closed.wait()
        except TimeoutError:  # An aborted socket closes within one turn of the loop.
            pass

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()

    # What clients must be given

    @property
    def address(self) -> tuple[str, int]:
        """Return host and port of the first data centre."""
        return self.addresses[self._dcs[0]]

    @property
    def dc(self) -> int:
        """Return the number of the first data centre."""
        return self._dcs[0]

    @property
    def public_key_pem(self) -> str:
        """Return the public RSA key in PKCS#1 form."""
        return self.server_key.pem

    def write_key(self, path: Path) -> None:
        """Write the public RSA key to a file."""
        path.write_text(self.public_key_pem)

    # Called by connections

    @property
    def connections(self) -> int:
        """Return how many clients are connected now."""
        return len(self._wires)

    def opened(self, wire: ClientWire) -> None:
        """Remember a connection."""
        self._wires.add(wire)

    def closed(self, wire: ClientWire) -> None:
        """Forget a connection."""
        self._wires.discard(wire)
        if not self._wires:
            self._all_closed.set()


class Deliveries:
    """Tells connected clients about changes, a limited number of them in each turn of the loop."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._waiting: deque[Iterator[None]] = deque()
        self._is_scheduled = False
        self._chat_cache: dict[tuple[int, int], tuple[int, bytes]] = {}
        self._swapped: dict[SimSession, bytes] = {}

    # Told by the world

    def channel_changed(self, chat: SimChannel, event: ChatEvent) -> None:
        """Send a channel's step to all members who listen."""
        update = encode(_live_update(chat, event))
        self._queue(chat, lambda: self._to_members(chat, update, event.date))

    def box_changed(self, chat: SimChannel, event: ChatEvent, user: SimUser) -> None:
        """Send a step of one account's box to its sessions."""
        update = encode(_live_update(chat, event))
        self._queue(chat, lambda: self._to_user(chat, update, event.date, user))

    def membership_changed(self, chat: SimChannel, user: SimUser) -> None:
        """Tell a user that a channel appeared or went."""
        if not chat.has_own_pts:
            return
        update = encode(types.UpdateChannel(channel_id=chat.channel_id))
        self._queue(chat, lambda: self._to_user(chat, update, self._world.now(), user))

    def login_token_accepted(self, session: SimSession) -> None:
        """Tell the key that shows a QR code that it was scanned."""
        body = encode(types.UpdateShort(types.UpdateLoginToken(), self._world.now()))
        for wire in list(session.wires):
            wire.push(body)

    # Sending

    def _queue(self, chat: SimChannel, steps: Callable[[], Iterator[None]]) -> None:
        def send() -> None:
            self._waiting.append(steps())
            if not self._is_scheduled:
                self._drain()

        if not self._world.faults.held_back(chat, send):
            send()

    def _drain(self) -> None:
        self._is_scheduled = False
        for _ in range(AT_A_TIME):
            while self._waiting and next(self._waiting[0], StopIteration) is StopIteration:
                self._waiting.popleft()
            if not self._waiting:
                return
        self._is_scheduled = True
        asyncio.get_running_loop().call_soon(self._drain)

    def _to_members(self, chat: SimChannel, update: bytes, date: int) -> Iterator[None]:
        for user_id in list(chat.members):
            user = self._world.find_user(user_id)
            if user is not None and user.sessions:
                yield from self._to_user(chat, update, date, user)

    def _to_user(self, chat: SimChannel, update: bytes, date: int, user: SimUser) -> Iterator[None]:
        listening = [session for session in user.sessions if session.receiver is not None]
        if not listening:
            return
        body = struct.pack("<I", UPDATES) + vector([update]) + self._seen_by(chat, user)
        body += struct.pack("<ii", date, 0)
        for session in listening:
            self._send(session, user, body)
            yield

    def _seen_by(self, chat: SimChannel, user: SimUser) -> bytes:
        key = (user.user_id, chat.chat_id)
        cached = self._chat_cache.get(key)
        if cached is None or cached[0] != chat.version:
            chats, users = objects.chats_and_users(self._world, user, [chat])
            if self._world.habits.min_chats:
                chats = [_least_of(one) for one in chats]
            cached = (chat.version, encode(users) + encode(chats))
            self._chat_cache[key] = cached
        return cached[1]

    def _send(self, session: SimSession, user: SimUser, body: bytes) -> None:
        faults = self._world.faults
        if faults.is_plain and session not in self._swapped:
            self._push(session, body)
            return
        for _ in range(faults.deliveries(user)):
            earlier = self._swapped.pop(session, None)
            if earlier is None and faults.overtakes():
                self._swapped[session] = body
                continue
            self._push(session, UNREADABLE if faults.take_unknown_object() else body)
            if earlier is not None:
                self._push(session, earlier)

    @staticmethod
    def _push(session: SimSession, body: bytes) -> None:
        if session.receiver is not None:
            session.receiver.push(body)


def _least_of(chat: Tl) -> Tl:
    """Return a channel as servers show it in passing: without what is needed to ask for it."""
    if isinstance(chat, types.Channel):
        chat.min, chat.access_hash = True, None
    return chat


def _live_update(chat: SimChannel, event: ChatEvent) -> Tl:
    counters = {"pts": event.pts, "pts_count": event.count}
    if event.kind is EventKind.DELETE:
        ids = list(event.ids)
        if chat.has_own_pts:
            return types.UpdateDeleteChannelMessages(chat.channel_id, ids, **counters)
        return types.UpdateDeleteMessages(ids, **counters)
    content = objects.message(chat, chat.require(event.ids[0]))
    is_post = event.kind is EventKind.POST
    if chat.has_own_pts:
        kind = types.UpdateNewChannelMessage if is_post else types.UpdateEditChannelMessage
    else:
        kind = types.UpdateNewMessage if is_post else types.UpdateEditMessage
    return kind(content, **counters)
