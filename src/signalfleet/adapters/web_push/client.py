"""HTTP to push services: a sealed message, signed, to an address that a browser named."""

import asyncio
from dataclasses import dataclass
from typing import Final

import aiohttp

from signalfleet.adapters.web_push import limits
from signalfleet.adapters.web_push.mapping import URGENCY, Subscription, outcome_of, payload_of
from signalfleet.adapters.web_push.sealing import VapidKey, seal
from signalfleet.domain.accounts.delivery import TargetKind
from signalfleet.ports.clock import Clock
from signalfleet.ports.errors import RefusedError
from signalfleet.ports.messenger import DeliveryOutcome, Message, RetryLater, TargetGone
from signalfleet.ports.secrets import Secret

_NOT_SENT: Final = (aiohttp.ClientConnectorError, aiohttp.ServerTimeoutError, aiohttp.InvalidURL)


@dataclass(frozen=True, slots=True, kw_only=True)
class WebPush:
    """`subject` is how the operator can be reached; `services` and `schemes` are what is called."""

    key: VapidKey
    subject: str
    clock: Clock
    services: tuple[str, ...] = limits.SERVICES
    schemes: tuple[str, ...] = ("https",)
    call_timeout_s: float = limits.CALL_TIMEOUT_S

    @property
    def kind(self) -> TargetKind:
        return TargetKind.PUSH

    def describe(self, target: Secret) -> str:
        try:
            found = Subscription.of(target.reveal(), self.services, self.schemes)
        except ValueError as error:
            raise RefusedError(str(error)) from None
        return f"a browser at {found.host}"

    async def deliver(self, target: Secret, message: Message) -> DeliveryOutcome:
        try:
            found = Subscription.of(target.reveal(), self.services, self.schemes)
        except ValueError:
            return TargetGone(reason="unknown_service")
        expires_at = int(self.clock.now().timestamp()) + limits.TOKEN_LIFE_S
        headers = {
            "Authorization": self.key.authorization(found.origin, self.subject, expires_at),
            "Content-Encoding": "aes128gcm",
            "Content-Type": "application/octet-stream",
            "TTL": str(limits.TTL_S),
            "Urgency": URGENCY[message.level],
        }
        body = seal(payload_of(message), found.browser)
        try:
            return await self._post(found.endpoint, headers, body)
        except _NOT_SENT as error:
            return RetryLater(reason=type(error).__name__)
        except (aiohttp.ClientError, OSError) as error:  # TimeoutError is an OSError.
            return RetryLater(reason=type(error).__name__, is_unsure=True)

    async def _post(self, address: str, headers: dict[str, str], body: bytes) -> DeliveryOutcome:
        async with (
            asyncio.timeout(self.call_timeout_s),
            aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar(), trust_env=False) as session,
            session.post(address, data=body, headers=headers, allow_redirects=False) as answer,
        ):
            return outcome_of(answer.status, answer.headers.get("Retry-After", ""))
