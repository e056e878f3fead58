"""What can go wrong, on command. Every fault is off until it is asked for."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from random import Random
from typing import Literal

from signalfleet_sim.telegram.accounts import CutHow, SimSession, SimUser, Wire
from signalfleet_sim.telegram.chats import SimChannel
from signalfleet_sim.telegram.errors import RpcFault

TransportForm = Literal["packet", "bare"]


@dataclass(slots=True)
class MethodRule:
    """Answers a method with an error, or late, for a number of times or until a moment."""

    method: str
    user: SimUser | None
    times: int | None
    until: float | None = None
    error: RpcFault | None = None
    flood_until: float | None = None
    delay_s: float = 0.0

    def matches(self, method: str, user: SimUser | None, now: float) -> bool:
        """Tell whether the rule speaks about this call."""
        if self.times is not None and self.times <= 0:
            return False
        if self.until is not None and now >= self.until:
            return False
        return self.method in {"*", method} and (self.user is None or self.user is user)


@dataclass(slots=True)
class TransportRule:
    """Answers connections with a transport error."""

    code: int
    form: TransportForm
    until: float | None
    times: int | None
    session: SimSession | None


class Faults:
    """The switchboard of faults; the server asks it before each step."""

    def __init__(
        self,
        time: Callable[[], float],
        rng: Random,
        sessions: Callable[[], Iterable[SimSession]],
    ) -> None:
        self._time = time
        self._rng = rng
        self._sessions = sessions
        self._rules: list[MethodRule] = []
        self._transport: list[TransportRule] = []
        self._refused_until = 0.0
        self._outage_until = 0.0
        self._held: dict[int, list[Callable[[], None]]] = {}
        self._drops: defaultdict[int | None, int] = defaultdict(int)
        self._repeats: defaultdict[int | None, int] = defaultdict(int)
        self._drop_share = 0.0
        self._reorder: Random | None = None
        self._bad_msg: int | None = None
        self._unknown_objects = 0
        self._too_long: set[int] = set()
        self.account_too_long = False
        self.difference_slice: int | None = None
        self.deleted_omitted = False
        self.clock_offset_s = 0.0

    # Answers

    def flood(
        self, method: str, seconds: int, *, times: int | None = None, user: SimUser | None = None
    ) -> None:
        """Answer 420 FLOOD_WAIT with the seconds that are left, until they have passed.

        With `times`, that many calls are answered so, with the full number of seconds.
        """
        now = self._time()
        if times is None:
            self._rules.append(MethodRule(method, user, None, flood_until=now + seconds))
        else:
            fault = RpcFault(420, f"FLOOD_WAIT_{seconds}")
            self._rules.append(MethodRule(method, user, times, error=fault))

    def error(
        self,
        method: str,
        code: int,
        text: str,
        *,
        times: int | None = 1,
        user: SimUser | None = None,
    ) -> None:
        """Answer a method with an error; `times=None` does so until `clear`."""
        self._rules.append(MethodRule(method, user, times, error=RpcFault(code, text)))

    def delay(
        self,
        method: str,
        seconds: float,
        *,
        times: int | None = None,
        user: SimUser | None = None,
    ) -> None:
        """Answer a method late."""
        self._rules.append(MethodRule(method, user, times, delay_s=seconds))

    def check(self, method: str, user: SimUser | None) -> float:
        """Raise the error the next call gets, or return by how much its answer is late."""
        now, delay = self._time(), 0.0
        for rule in self._rules:
            if not rule.matches(method, user, now):
                continue
            if rule.flood_until is not None:
                left = rule.flood_until - now
                if left > 0:
                    raise RpcFault(420, f"FLOOD_WAIT_{max(1, round(left))}")
                continue
            if rule.times is not None:
                rule.times -= 1
            if rule.error is not None:
                raise rule.error
            delay = max(delay, rule.delay_s)
        return delay

    def clear(self) -> None:
        """Turn everything off; what is held is released."""
        self._rules.clear()
        self._transport.clear()
        self._refused_until = self._outage_until = self._drop_share = self.clock_offset_s = 0.0
        self._drops.clear()
        self._repeats.clear()
        self._too_long.clear()
        self._reorder = self._bad_msg = self.difference_slice = None
        self._unknown_objects = 0
        self.account_too_long = self.deleted_omitted = False
        for chat_id in list(self._held):
            self._release(chat_id)

    # Sockets

    def cut(self, target: "SimSession | None" = None, how: CutHow = "reset") -> None:
        """Close the connections of one key, or all."""
        for wire in self._wires(target):
            wire.cut(how)

    def blackhole(self, target: "SimSession | None", seconds: float) -> None:
        """Let nothing through present connections for a while, without closing them."""
        for wire in self._wires(target):
            wire.blackhole(seconds)

    def refuse(self, seconds: float) -> None:
        """Reset new connections at once for a while."""
        self._refused_until = self._time() + seconds

    def outage(self, seconds: float) -> None:
        """Let nothing through for a while: neither present connections nor new ones answer."""
        self._outage_until = self._time() + seconds
        self.blackhole(None, seconds)

    @property
    def outage_left_s(self) -> float:
        """Return how long new connections stay without an answer."""
        return max(0.0, self._outage_until - self._time())

    @property
    def is_refusing(self) -> bool:
        """Tell whether new connections are turned away now."""
        return self._time() < self._refused_until

    def transport(
        self,
        code: int,
        form: TransportForm = "packet",
        *,
        times: int | None = None,
        seconds: float | None = None,
        session: SimSession | None = None,
    ) -> None:
        """Answer whatever comes with a transport error, once unless told otherwise."""
        if times is None and seconds is None:
            times = 1
        until = None if seconds is None else self._time() + seconds
        self._transport.append(TransportRule(code, form, until, times, session))

    def transport_error(self, session: SimSession | None) -> TransportRule | None:
        """Return the transport error for the packet at hand."""
        now = self._time()
        for rule in self._transport:
            spent = rule.times is not None and rule.times <= 0
            if spent or (rule.until is not None and now >= rule.until):
                continue
            if rule.session is None or rule.session is session:
                if rule.times is not None:
                    rule.times -= 1
                return rule
        return None

    def _wires(self, target: SimSession | None) -> list[Wire]:
        if target is not None:
            return list(target.wires)
        return [wire for session in self._sessions() for wire in session.wires]

    # Updates

    def too_long(self, channel: SimChannel) -> None:
        """Answer the next difference of a channel with TooLong."""
        self._too_long.add(channel.chat_id)

    def take_too_long(self, channel: SimChannel) -> bool:
        """Tell, once, that the next difference is to be too long."""
        asked = channel.chat_id in self._too_long
        self._too_long.discard(channel.chat_id)
        return asked

    def hold(self, channel: SimChannel) -> None:
        """Keep a channel's updates back until they are released."""
        self._held.setdefault(channel.chat_id, [])

    def release(self, channel: SimChannel, *, deliver: bool = True) -> None:
        """Send what was kept back, or let it be lost."""
        self._release(channel.chat_id, deliver=deliver)

    def held_back(self, channel: SimChannel, send: Callable[[], None]) -> bool:
        """Keep a delivery if its channel is held."""
        kept = self._held.get(channel.chat_id)
        if kept is None:
            return False
        kept.append(send)
        return True

    def drop_updates(
        self, count: int = 0, *, share: float = 0.0, user: SimUser | None = None
    ) -> None:
        """Lose the next deliveries, or each one with a probability."""
        self._drops[None if user is None else user.user_id] += count
        self._drop_share = share

    def repeat_updates(self, count: int, *, user: SimUser | None = None) -> None:
        """Send the next deliveries twice."""
        self._repeats[None if user is None else user.user_id] += count

    def reorder(self, rng: Random | None) -> None:
        """Swap neighbouring deliveries by chance; None stops it."""
        self._reorder = rng

    def deliveries(self, user: SimUser) -> int:
        """Return how often the next update is sent to a user: 0, 1 or 2 times."""
        for who in (user.user_id, None):
            if self._drops[who] > 0:
                self._drops[who] -= 1
                return 0
        if self._drop_share and self._rng.random() < self._drop_share:
            return 0
        for who in (user.user_id, None):
            if self._repeats[who] > 0:
                self._repeats[who] -= 1
                return 2
        return 1

    @property
    def is_plain(self) -> bool:
        """Tell that no fault concerns deliveries at present."""
        quiet = not (self._drop_share or self._reorder or self._unknown_objects)
        return quiet and not any(self._drops.values()) and not any(self._repeats.values())

    def overtakes(self) -> bool:
        """Tell whether the next delivery lets its successor pass."""
        return self._reorder is not None and self._reorder.random() < 0.5  # noqa: PLR2004

    def _release(self, chat_id: int, *, deliver: bool = True) -> None:
        for send in self._held.pop(chat_id, []):
            if deliver:
                send()

    # Protocol oddities

    def salt(self) -> None:
        """Change every key's salt: the next message of each gets bad_server_salt."""
        for session in self._sessions():
            session.salt = self._rng.getrandbits(63)

    def bad_msg(self, code: int) -> None:
        """Answer the next message with bad_msg_notification."""
        self._bad_msg = code

    def take_bad_msg(self) -> int | None:
        """Return, once, the code for the message at hand."""
        code, self._bad_msg = self._bad_msg, None
        return code

    def clock(self, seconds: float) -> None:
        """Set the server's clock off by some seconds."""
        self.clock_offset_s = seconds

    @staticmethod
    def server_session_lost(session: SimSession) -> None:
        """Forget the session's state: its next message gets new_session_created."""
        session.known_session_ids.clear()

    def unknown_object(self, times: int = 1) -> None:
        """Send the next updates as objects that no client can read."""
        self._unknown_objects += times

    def take_unknown_object(self) -> bool:
        """Tell whether the update at hand is to be unreadable."""
        if self._unknown_objects <= 0:
            return False
        self._unknown_objects -= 1
        return True

    def omit_deleted(self, omitted: bool = True) -> None:  # noqa: FBT001, FBT002 - a plain switch
        """Leave deleted messages out of answers instead of saying that they are empty."""
        self.deleted_omitted = omitted

    @contextmanager
    def lost_updates(self, channel: SimChannel) -> Iterator[None]:
        """Lose every update of a channel inside the block."""
        self.hold(channel)
        try:
            yield
        finally:
            self.release(channel, deliver=False)
