"""The faults as the scripting interface names them."""

from collections.abc import Callable, Mapping
from typing import Any, Final, Literal

from signalfleet_sim.telegram.accounts import CutHow, Notice
from signalfleet_sim.telegram.control_body import Body
from signalfleet_sim.telegram.control_directory import Directory
from signalfleet_sim.telegram.errors import CityError
from signalfleet_sim.telegram.faults import TransportForm
from signalfleet_sim.telegram.habits import Habits
from signalfleet_sim.telegram.world import SecondConnection, World


class FaultSwitches:
    """Turns faults on; each method reads what it needs from the body."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._find = Directory(world)

    def turn_on(self, body: Body) -> None:
        """Turn on the fault that the body names."""
        name = body.take("fault", str)
        if name not in FAULTS:
            raise CityError(f"fault is one of {', '.join(sorted(FAULTS))}")
        FAULTS[name](self, body)

    def flood(self, body: Body) -> None:
        """Answer a method with a flood wait."""
        self._world.faults.flood(
            body.take("method", str),
            body.take("seconds", int),
            times=body.maybe("times", int),
            user=self._find.maybe_user(body),
        )

    def error(self, body: Body) -> None:
        """Answer a method with an error; `times` 0 means until `clear`."""
        times = body.take("times", int, 1)
        self._world.faults.error(
            body.take("method", str),
            body.take("code", int),
            body.take("text", str),
            times=times or None,
            user=self._find.maybe_user(body),
        )

    def delay(self, body: Body) -> None:
        """Answer a method late."""
        self._world.faults.delay(
            body.take("method", str),
            body.take("seconds", float),
            times=body.maybe("times", int),
            user=self._find.maybe_user(body),
        )

    def cut(self, body: Body) -> None:
        """Close the connections of a user, or all."""
        how: Any = body.choice("how", CutHow, "reset")
        for session in self._find.sessions(body):
            self._world.faults.cut(session, how)

    def blackhole(self, body: Body) -> None:
        """Let nothing through the connections of a user, or of all."""
        for session in self._find.sessions(body):
            self._world.faults.blackhole(session, body.take("seconds", float))

    def outage(self, body: Body) -> None:
        """Let nothing through at all."""
        self._world.faults.outage(body.take("seconds", float))

    def refuse(self, body: Body) -> None:
        """Turn new connections away."""
        self._world.faults.refuse(body.take("seconds", float))

    def transport(self, body: Body) -> None:
        """Answer with a transport error."""
        form: Any = body.choice("form", TransportForm, "packet")
        self._world.faults.transport(
            body.take("code", int),
            form,
            times=body.maybe("times", int),
            seconds=body.maybe("seconds", float),
        )

    def channel_fault(self, body: Body) -> None:
        """Hold or release a channel's updates, or limit what its differences return."""
        chat = self._find.chat(body.take("channel", int))
        faults = self._world.faults
        match body.choice("do", Literal["hold", "release", "lose", "too_long", "limit"], "hold"):
            case "hold":
                faults.hold(chat)
            case "release":
                faults.release(chat)
            case "lose":
                faults.release(chat, deliver=False)
            case "too_long":
                faults.too_long(chat)
            case _:
                chat.difference_limit = body.take("limit", int)

    def drop_updates(self, body: Body) -> None:
        """Lose updates."""
        self._world.faults.drop_updates(
            body.take("count", int, 0),
            share=body.take("share", float, 0.0),
            user=self._find.maybe_user(body),
        )

    def repeat_updates(self, body: Body) -> None:
        """Send updates twice."""
        self._world.faults.repeat_updates(body.take("count", int), user=self._find.maybe_user(body))

    def revoke(self, body: Body) -> None:
        """End the sign-ins of a user."""
        notice: Any = body.choice("notice", Notice, "silent")
        for session in self._find.sessions(body):
            session.revoke(body.take("error", str, "SESSION_REVOKED"), notice)

    def forget(self, body: Body) -> None:
        """Forget the keys of a user."""
        for session in self._find.sessions(body):
            session.forget()

    def duplicate(self, body: Body) -> None:
        """Kill the keys of a user."""
        is_cut = body.take("cut", bool, default=False)
        for session in self._find.sessions(body):
            session.duplicate()
            if is_cut:
                session.cut_all()

    def second_connection(self, body: Body) -> None:
        """Say what becomes of a key that is used by two connections at once."""
        policy: Any = body.choice("policy", SecondConnection, "kill_key")
        self._world.second_connection = policy

    def server_session_lost(self, body: Body) -> None:
        """Forget the sessions' state, so that new_session_created comes again."""
        for session in self._find.sessions(body):
            self._world.faults.server_session_lost(session)

    def unknown_object(self, body: Body) -> None:
        """Send the next updates as objects that no client can read."""
        self._world.faults.unknown_object(body.take("times", int, 1))

    def connects(self, body: Body) -> None:
        """Set how many connects a second one address may make before it is a violation."""
        self._world.journal.connects_per_s = body.take("per_s", float)

    def habits(self, body: Body) -> None:
        """Behave like another server, or again like the plainest."""
        is_other = body.take("other", bool, default=True)
        self._world.habits = Habits.other() if is_other else Habits()

    def clear(self, body: Body) -> None:
        """Turn everything off."""
        del body
        self._world.faults.clear()


FAULTS: Final[Mapping[str, Callable[[FaultSwitches, Body], None]]] = {
    "flood": FaultSwitches.flood,
    "error": FaultSwitches.error,
    "delay": FaultSwitches.delay,
    "cut": FaultSwitches.cut,
    "blackhole": FaultSwitches.blackhole,
    "outage": FaultSwitches.outage,
    "refuse": FaultSwitches.refuse,
    "transport": FaultSwitches.transport,
    "channel": FaultSwitches.channel_fault,
    "drop_updates": FaultSwitches.drop_updates,
    "repeat_updates": FaultSwitches.repeat_updates,
    "revoke": FaultSwitches.revoke,
    "forget": FaultSwitches.forget,
    "duplicate": FaultSwitches.duplicate,
    "second_connection": FaultSwitches.second_connection,
    "server_session_lost": FaultSwitches.server_session_lost,
    "unknown_object": FaultSwitches.unknown_object,
    "connects": FaultSwitches.connects,
    "habits": FaultSwitches.habits,
    "clear": FaultSwitches.clear,
}
