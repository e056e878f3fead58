"""The state of the city: accounts, chats, keys and codes. It lives as long as the process."""

import functools
import secrets
from collections.abc import Collection
from dataclasses import dataclass, field
from hashlib import blake2b
from random import Random
from typing import Final, Literal, Protocol

from signalfleet_sim.telegram.accounts import SimSession, SimUser
from signalfleet_sim.telegram.chats import MIGRATED, ChatEvent, ChatKind, SimChannel
from signalfleet_sim.telegram.clock import SystemTime, WallTime
from signalfleet_sim.telegram.crypto import key_id_of, random_auth_key
from signalfleet_sim.telegram.errors import CityError
from signalfleet_sim.telegram.faults import Faults
from signalfleet_sim.telegram.habits import Habits
from signalfleet_sim.telegram.journal import CallRecord, Journal, Violation
from signalfleet_sim.telegram.logins import LoginDesk

FIRST_USER: Final = 700_000_001
FIRST_CHANNEL: Final = 1_500_000_001
FIRST_GROUP: Final = 4_000_001
FIRST_BOT: Final = 6_000_000_001
SERVICE_USER: Final = 777_000
SecondConnection = Literal["allow", "kill_key", "kill_key_other_address"]


class UpdateSink(Protocol):
    """Who tells connected clients about changes; the server, once it runs."""

    def channel_changed(self, chat: SimChannel, event: ChatEvent) -> None: ...
    def box_changed(self, chat: SimChannel, event: ChatEvent, user: SimUser) -> None: ...
    def membership_changed(self, chat: SimChannel, user: SimUser) -> None: ...
    def login_token_accepted(self, session: SimSession) -> None: ...


@dataclass(slots=True)
class Invite:
    """A link into a chat."""

    chat: SimChannel
    needs_approval: bool = False
    expired: bool = False


@dataclass(slots=True)
class _Counters:
    user: int = FIRST_USER
    channel: int = FIRST_CHANNEL
    group: int = FIRST_GROUP
    bot: int = FIRST_BOT
    box_message: int = 0


@dataclass(slots=True)
class _Book:
    users: dict[int, SimUser] = field(default_factory=dict)
    phones: dict[str, SimUser] = field(default_factory=dict)
    channels: dict[int, SimChannel] = field(default_factory=dict)
    usernames: dict[str, SimChannel] = field(default_factory=dict)
    sessions: dict[tuple[int, bytes], SimSession] = field(default_factory=dict)
    invites: dict[str, Invite] = field(default_factory=dict)


class World:
    """Builds the city, acts in it, and tells the truth about what clients did.

    Everything here is synchronous; a running `TelegramServer` passes changes on to clients.
    """

    def __init__(self, clock: WallTime | None = None, rng: Random | None = None) -> None:
        self._clock: WallTime = clock or SystemTime()
        self.rng = rng or Random(secrets.randbits(64))
        self.journal = Journal()
        self.faults = Faults(self.time, self.rng, self._signed_in)
        self.logins = LoginDesk(self.time, self.rng, self.journal, self._token_accepted)
        self.second_connection: SecondConnection = "allow"
        self.habits = Habits()
        self.api_credentials: tuple[int, str] | None = None
        self.addresses: dict[int, tuple[str, int]] = {}
        self.sink: UpdateSink | None = None
        self._hash_secret = self.rng.randbytes(32)
        self._count = _Counters()
        self._book = _Book()

    # Time

    def time(self) -> float:
        """Return the server's time; `faults.clock` shifts it."""
        return self._clock.time() + self.faults.clock_offset_s

    def now(self) -> int:
        """Return the server's time in whole seconds."""
        return int(self.time())

    # Building

    def user(
        self, phone: str, name: str, *, dc: int = 2, password: str | None = None, bot: bool = False
    ) -> SimUser:
        """Open an account."""
        digits = digits_of(phone)
        if digits in self._book.phones:
            raise CityError("this phone already has an account")
        user = SimUser(self._count.user, digits, name, dc=dc, password=password, bot=bot)
        self._count.user += 1
        self._book.users[user.user_id] = user
        self._book.phones[digits] = user
        return user

    def channel(
        self,
        title: str,
        *,
        kind: ChatKind = "channel",
        username: str | None = None,
        noforwards: bool = False,
        forum: bool = False,
    ) -> SimChannel:
        """Open a chat without members."""
        name = username.lower().removeprefix("@") if username else None
        if name in self._book.usernames:
            raise CityError(f"the username {name} is taken")
        chat = SimChannel(
            self,
            self._next_chat_id(kind),
            title,
            kind=kind,
            username=name,
            noforwards=noforwards,
            forum=forum,
            created_at=self.now(),
        )
        self._book.channels[chat.chat_id] = chat
        if name:
            self._book.usernames[name] = chat
        return chat

    def migrate(self, group: SimChannel) -> SimChannel:
        """Turn a basic group into a supergroup, which is a new chat with a new id."""
        if group.kind != "group":
            raise CityError("only a basic group becomes a supergroup")
        bigger = self.channel(group.title, kind="supergroup", noforwards=group.noforwards)
        for user_id in list(group.members):
            bigger.join(self._book.users[user_id])
        group.migrated_to = bigger
        group.service(f"{MIGRATED}{bigger.channel_id}")
        return bigger

    def invite(
        self, chat: SimChannel, *, needs_approval: bool = False, expired: bool = False
    ) -> str:
        """Make a link into a chat and return its hash, the part after the plus sign."""
        link = f"{self.rng.getrandbits(96):024x}"
        self._book.invites[link] = Invite(chat, needs_approval, expired)
        return link

    # What users see on their phones

    def code_for(self, phone: str) -> str:
        """Return the sign-in code that was sent to a phone last."""
        return self.logins.code_for(digits_of(phone))

    def announce_code(self, phone: str, code: str) -> None:
        """Show a sign-in code on the devices where the account is signed in already."""
        owner = self.user_by_phone(phone)
        if owner is None or not owner.sessions:
            return
        self.service_chat.join(owner)
        self.service_chat.post(f"Login code: {code}. Do not give it to anyone.", to=owner)

    @property
    def service_chat(self) -> SimChannel:
        """Return the chat in which Telegram itself writes to each account."""
        chat = self._book.channels.get(SERVICE_USER)
        if chat is None:
            chat = SimChannel(
                self,
                SERVICE_USER,
                "Telegram",
                kind="bot",
                username=None,
                noforwards=False,
                forum=False,
                created_at=self.now(),
            )
            self._book.channels[SERVICE_USER] = chat
        return chat

    def scan(self, url: str, user: SimUser) -> None:
        """Scan a sign-in QR code with the user's phone and confirm it."""
        self.logins.scan(url, user)

    # Sessions

    def premade_session(
        self, user: SimUser, *, dc: int | None = None
    ) -> tuple[int, str, int, bytes]:
        """Sign a new key in without a key exchange; return data centre, host, port and key."""
        home = user.dc if dc is None else dc
        if home not in self.addresses:
            raise CityError("start the server first: a session needs an address to connect to")
        session = self.add_session(random_auth_key(), home, secrets.randbits(63))
        session.layer = 229
        session.sign_in(user, self.time())
        return (home, *self.addresses[home], session.key)

    def add_session(self, key: bytes, dc: int, salt: int) -> SimSession:
        """Remember a key that was agreed on."""
        session = SimSession(key, dc, salt, self.time())
        where = (dc, session.cipher.key_id)
        self._book.sessions[where] = session
        session.on_forget = functools.partial(self._forget, where)
        return session

    def find_session(self, dc: int, key_id: bytes) -> SimSession | None:
        """Return the key with this name at a data centre."""
        return self._book.sessions.get((dc, key_id))

    def session_of(self, key: bytes) -> SimSession:
        """Return what is known of a key."""
        key_id = key_id_of(key)
        for (_, known_id), session in self._book.sessions.items():
            if known_id == key_id:
                return session
        raise CityError("no data centre knows this key")

    def sessions(self, user: SimUser) -> list[SimSession]:
        """Return the keys a user is signed in with."""
        return list(user.sessions)

    # Looking up

    @property
    def users(self) -> Collection[SimUser]:
        """Return all accounts."""
        return self._book.users.values()

    @property
    def channels(self) -> Collection[SimChannel]:
        """Return all chats."""
        return self._book.channels.values()

    def find_user(self, user_id: int) -> SimUser | None:
        """Return the account with this id."""
        return self._book.users.get(user_id)

    def user_by_phone(self, phone: str) -> SimUser | None:
        """Return the account of a phone."""
        return self._book.phones.get(digits_of(phone))

    def find_chat(self, chat_id: int) -> SimChannel | None:
        """Return the chat with this marked id."""
        return self._book.channels.get(chat_id)

    def chat_by_username(self, username: str) -> SimChannel | None:
        """Return the public chat of this name."""
        return self._book.usernames.get(username.lower().removeprefix("@"))

    def find_invite(self, link: str) -> Invite | None:
        """Return where a link leads."""
        return self._book.invites.get(link)

    def access_hash(self, viewer: SimUser | None, peer_id: int) -> int:
        """Return the hash by which this viewer, and nobody else, may name a peer."""
        viewer_id = 0 if viewer is None else viewer.user_id
        digest = blake2b(f"{viewer_id}:{peer_id}".encode(), key=self._hash_secret, digest_size=8)
        return int.from_bytes(digest.digest(), "little", signed=True)

    # The ground truth

    @property
    def violations(self) -> list[Violation]:
        """Return every breach of good behaviour so far."""
        return self.journal.violations

    def calls(self, user: SimUser | None) -> list[CallRecord]:
        """Return the newest requests of a user; None gives those before signing in."""
        return self.journal.calls(None if user is None else user.user_id)

    def sockets(self, key: bytes) -> int:
        """Return how many connections use a key at this moment."""
        try:
            return len(self.session_of(key).wires)
        except CityError:
            return 0

    # Called by chats

    def next_box_id(self) -> int:
        """Return the next id for messages that live in members' boxes."""
        self._count.box_message += 1
        return self._count.box_message

    def channel_changed(self, chat: SimChannel, event: ChatEvent) -> None:
        """Pass a step of a channel on."""
        if self.sink is not None:
            self.sink.channel_changed(chat, event)

    def box_changed(self, chat: SimChannel, event: ChatEvent, user_id: int) -> None:
        """Pass a step of one account's box on."""
        if self.sink is not None:
            self.sink.box_changed(chat, event, self._book.users[user_id])

    def membership_changed(self, chat: SimChannel, user_id: int) -> None:
        """Pass on that a user is now in a chat, or no longer."""
        chat.version += 1
        if self.sink is not None:
            self.sink.membership_changed(chat, self._book.users[user_id])

    def _token_accepted(self, session: SimSession) -> None:
        if self.sink is not None:
            self.sink.login_token_accepted(session)

    def _signed_in(self) -> list[SimSession]:
        return [session for user in self._book.users.values() for session in user.sessions]

    def _forget(self, where: tuple[int, bytes]) -> None:
        self._book.sessions.pop(where, None)

    def _next_chat_id(self, kind: ChatKind) -> int:
        count = self._count
        match kind:
            case "channel" | "supergroup":
                count.channel += 1
                return count.channel - 1
            case "group":
                count.group += 1
                return count.group - 1
            case "bot":
                count.bot += 1
                return count.bot - 1


def digits_of(phone: str) -> str:
    """Reduce a phone number to its digits, as clients send it in both forms."""
    return "".join(filter(str.isdigit, phone))
