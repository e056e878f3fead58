"""One call on its way through the simulator, and what faults ask its handler to do differently."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

from aiohttp import web

from signalfleet_sim.metaapi.accounts import SimAccount, Token
from signalfleet_sim.metaapi.errors import ApiError
from signalfleet_sim.metaapi.orders import read_json


@dataclass(slots=True)
class Twist:
    """How the execution of one trade differs from what was sent or is usual."""

    slip_points: int = 0
    share: str | None = None
    is_client_id_lost: bool = False
    is_comment_rewritten: bool = False
    client_id_length: int | None = None

    @property
    def is_straight(self) -> bool:
        """Tell whether the order reaches the book as it was sent."""
        return self == _STRAIGHT


_STRAIGHT: Final = Twist()


class Call:
    """One request. `account` and `token` are set once they are known to fit together."""

    __slots__ = ("_account", "_body", "_token", "number", "request", "route", "started", "twist")

    def __init__(self, request: web.Request, route: str, number: int, started: float) -> None:
        self.request = request
        self.route = route
        self.number = number
        self.started = started
        self.twist = Twist()
        self._account: SimAccount | None = None
        self._token: Token | None = None
        self._body: dict[str, Any] | None = None

    def admit(self, token: Token, account: SimAccount | None) -> None:
        self._token, self._account = token, account

    @property
    def token(self) -> Token:
        if self._token is None:
            raise ApiError(401, "Authorization token is required")
        return self._token

    @property
    def account(self) -> SimAccount:
        if self._account is None:
            raise ApiError(404, "Trading account not found")
        return self._account

    @property
    def has_account(self) -> bool:
        return self._account is not None

    async def body(self) -> dict[str, Any]:
        """Read the body as a JSON object, once."""
        if self._body is None:
            self._body = read_json(await self.request.read())
        return self._body

    @property
    def connection(self) -> int:
        """Return the caller's port: calls with the same one came over the same connection."""
        transport = self.request.transport
        peer = transport.get_extra_info("peername") if transport else None
        return int(peer[1]) if peer else 0

    def facts(self) -> dict[str, Any]:
        """Return what a log may say of a trade's body: which action, under which client id."""
        if self._body is None:
            return {}
        names = ("actionType", "clientId")
        return {name: str(self._body[name]) for name in names if name in self._body}

    def path(self, name: str) -> str:
        return self.request.match_info[name]

    def is_refreshed(self) -> bool:
        return self.request.query.get("refreshTerminalState") == "true"


Handler = Callable[[Call], Awaitable[web.StreamResponse]]
