"""What pages ask the notice desk of a worker. Nothing here can open what it seals."""

import secrets
from typing import Final

from signalfleet.domain.ids import UserId
from signalfleet.ports.bus import Plain, owner_address
from signalfleet.ports.errors import TemporaryError
from signalfleet.ports.secrets import IntakeBinding, Secret
from signalfleet.web.deps import WebDeps

TYPED_MAX: Final = 2_000
ASK_LIMIT_S: Final = 45.0
STATE_LIMIT_S: Final = 5.0
NOT_SET_UP: Final = "this is not set up on this server: INTAKE_PUBLIC_KEY is missing"


class NoticeDeskDoor:
    """Asks over the bus; raises port errors, whose words are for the user."""

    def __init__(self, deps: WebDeps) -> None:
        self._deps = deps

    async def state(self, user: UserId) -> Plain:
        return await self._ask(user, {"op": "state"}, STATE_LIMIT_S)

    async def ask(self, op: str, user: UserId, **more: str) -> Plain:
        return await self._ask(user, {"op": op, **more}, ASK_LIMIT_S)

    async def give(self, op: str, user: UserId, name: str, typed: str) -> Plain:
        """Hand in what a user typed, sealed for the worker alone."""
        if self._deps.sealer is None:
            raise TemporaryError(NOT_SET_UP)
        attempt = secrets.token_urlsafe(24)
        binding = IntakeBinding(user=user, field=name, attempt=attempt)
        box = self._deps.sealer.seal(Secret(typed), binding)
        return await self.ask(op, user, attempt=attempt, box=box)

    async def _ask(self, user: UserId, question: Plain, limit_s: float) -> Plain:
        address = owner_address(self._deps.cell, user)
        asked = {**question, "desk": "notify", "user": user}
        return await self._deps.bus.request(address, asked, limit_s=limit_s)
