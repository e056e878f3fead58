"""What a handler knows about the request it answers."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from signalfleet_sim.telegram.accounts import SimSession, SimUser
from signalfleet_sim.telegram.codec import Tl
from signalfleet_sim.telegram.errors import RpcFault
from signalfleet_sim.telegram.world import World


@dataclass(frozen=True, slots=True)
class Call:
    """One request of a client, unwrapped."""

    world: World
    session: SimSession
    request: Tl

    @property
    def user(self) -> SimUser:
        """Return who is signed in, or answer as the real server does when nobody is."""
        if self.session.user is not None:
            return self.session.user
        if self.session.ended is not None:
            raise RpcFault(self.session.ended.code, self.session.ended.text)
        if self.session.pending is not None:
            raise RpcFault(401, "SESSION_PASSWORD_NEEDED")
        raise RpcFault(401, "AUTH_KEY_UNREGISTERED")


Handler: TypeAlias = Callable[[Call], Any]
Handlers: TypeAlias = Mapping[type, Handler]
