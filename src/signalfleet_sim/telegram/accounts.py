"""Accounts of the city and the keys they are signed in with."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, Literal, Protocol

from signalfleet_sim.telegram.chats import BoxEvent, SimChannel
from signalfleet_sim.telegram.crypto import MessageCipher
from signalfleet_sim.telegram.errors import RpcFault

PhoneState = Literal["ok", "banned", "flood"]
Notice = Literal["silent", "cut"]
CutHow = Literal["reset", "fin"]
KNOWN_SESSIONS: Final = 64
AUTH_KEY_DUPLICATED: Final = "AUTH_KEY_DUPLICATED"


class Wire(Protocol):
    """A client's connection, as far as the state of the city is concerned with it."""

    address: str

    def push(self, body: bytes) -> None:
        """Send an encoded object that answers no request."""

    def cut(self, how: CutHow = "reset") -> None:
        """Close the connection."""

    def blackhole(self, seconds: float) -> None:
        """Let nothing through for a while, without closing."""


@dataclass(eq=False, slots=True)
class SimUser:
    """One Telegram account."""

    user_id: int
    phone: str
    name: str
    dc: int = 2
    password: str | None = None
    bot: bool = False
    deleted: bool = False
    phone_state: PhoneState = "ok"
    pts: int = 1
    events: list[BoxEvent] = field(default_factory=list)
    chats: dict[int, SimChannel] = field(default_factory=dict)
    sessions: "list[SimSession]" = field(default_factory=list)

    def __repr__(self) -> str:
        return f"<SimUser {self.user_id} {self.name!r}>"


@dataclass(slots=True)
class Device:
    """What a client says about itself in `initConnection`."""

    api_id: int = 0
    device_model: str = ""
    system_version: str = ""
    app_version: str = ""


class SimSession:
    """One auth key: who is signed in with it and which connections use it."""

    def __init__(self, key: bytes, dc: int, salt: int, created_at: float) -> None:
        self.key = key
        self.cipher = MessageCipher(key)
        self.dc = dc
        self.salt = salt
        self.created_at = created_at
        self.active_at = created_at
        self.signed_in_at = 0.0
        self.public_hash = secrets.randbits(62) + 1
        self.user: SimUser | None = None
        self.pending: SimUser | None = None
        self.layer = 0
        self.device = Device()
        self.wires: list[Wire] = []
        self.receiver: Wire | None = None
        self.known_session_ids: set[int] = set()
        self.logged_out = False
        self.dead: RpcFault | None = None
        self.ended: RpcFault | None = None
        self.srp: dict[int, Any] = {}
        self.on_forget: Callable[[], None] = lambda: None

    def __repr__(self) -> str:
        return f"<SimSession {self.key_id} of {self.user}>"

    @property
    def key_id(self) -> str:
        """Return the key's name on the wire, in hex."""
        return self.cipher.key_id.hex()

    def greet(self, session_id: int) -> None:
        """Remember a session id; the oldest are forgotten together when there are many."""
        if len(self.known_session_ids) >= KNOWN_SESSIONS:
            self.known_session_ids.clear()
        self.known_session_ids.add(session_id)

    def sign_in(self, user: SimUser, at: float) -> None:
        """Tie the key to an account."""
        self.sign_out()
        self.user, self.pending, self.ended = user, None, None
        self.logged_out = False
        self.signed_in_at = at
        user.sessions.append(self)

    def sign_out(self) -> None:
        """Untie the key from its account; it stays known."""
        if self.user is not None:
            self.user.sessions.remove(self)
        self.user = self.pending = self.receiver = None

    def revoke(self, error: str = "SESSION_REVOKED", notice: Notice = "silent") -> None:
        """End the sign-in from outside, as another device can; 401 from now on."""
        self.sign_out()
        self.ended = RpcFault(401, error)
        if notice == "cut":
            self.cut_all()

    def forget(self) -> None:
        """Forget the key altogether: transport error -404 from now on."""
        self.sign_out()
        self.on_forget()
        self.cut_all()

    def duplicate(self) -> None:
        """Kill the key as if it had been used from two addresses: 406 for ever."""
        self.sign_out()
        self.dead = RpcFault(406, AUTH_KEY_DUPLICATED)

    def cut_all(self) -> None:
        """Close every connection of the key."""
        for wire in list(self.wires):
            wire.cut("fin")
