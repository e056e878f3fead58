"""What pages ask the account desk of a worker. Nothing here can open what it seals."""

import secrets
from typing import Final

from signalfleet.domain.ids import UserId
from signalfleet.ports.bus import Plain, owner_address
from signalfleet.ports.errors import TemporaryError
from signalfleet.ports.secrets import IntakeBinding, Secret
from signalfleet.web.deps import WebDeps

TYPED_MAX: Final = 8_192
"""MetaApi's tokens have a few thousand letters."""
NOT_SET_UP: Final = "connecting accounts is not set up on this server: INTAKE_PUBLIC_KEY is missing"
ASK_LIMIT_S: Final = 45.0


class Mt5Desk:
    """Asks over the bus; raises port errors, whose words are for the user."""

    def __init__(self, deps: WebDeps) -> None:
        self._deps = deps

    @property
    def is_open(self) -> bool:
        return self._deps.sealer is not None

    async def state(self, user: UserId) -> Plain:
        return await self._ask(user, {"op": "state"})

    async def again(self, user: UserId) -> Plain:
        return await self._ask(user, {"op": "again"})

    async def token(self, user: UserId, typed: str) -> Plain:
        sealed = self._sealed(user, "metaapi_token", typed)
        return await self._ask(user, {"op": "token", **sealed})

    async def add(self, user: UserId, password: str, **chosen: str) -> Plain:
        sealed = self._sealed(user, "mt5_password", password)
        return await self._ask(user, {"op": "add", **chosen, **sealed})

    def _sealed(self, user: UserId, name: str, typed: str) -> dict[str, str]:
        if self._deps.sealer is None:
            raise TemporaryError(NOT_SET_UP)
        if not typed:
            return {}
        attempt = secrets.token_urlsafe(24)
        binding = IntakeBinding(user=user, field=name, attempt=attempt)
        return {"attempt": attempt, "box": self._deps.sealer.seal(Secret(typed), binding)}

    async def _ask(self, user: UserId, question: Plain) -> Plain:
        if not self.is_open:
            raise TemporaryError(NOT_SET_UP)
        address = owner_address(self._deps.cell, user)
        asked = {**question, "desk": "mt5", "user": user}
        return await self._deps.bus.request(address, asked, limit_s=ASK_LIMIT_S)
