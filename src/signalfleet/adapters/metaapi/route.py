"""The way to one account: its region and domain, its state, and reads of its terminal."""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from urllib.parse import quote, urlencode

import structlog

from signalfleet.adapters.metaapi import limits
from signalfleet.adapters.metaapi.answers import credits_left, read_payload
from signalfleet.adapters.metaapi.bodies import iso
from signalfleet.adapters.metaapi.client import MetaApiClient, Target
from signalfleet.adapters.metaapi.errors import GATEWAY_TIMEOUT, TOO_MANY
from signalfleet.adapters.metaapi.fields import Fields, UnreadableError
from signalfleet.adapters.metaapi.mapping import AccountState, account_state
from signalfleet.adapters.metaapi.urls import MetaApiUrls, UnsafeUrlError
from signalfleet.ports.clock import Clock
from signalfleet.ports.errors import SignInRequiredError, TemporaryError
from signalfleet.ports.metrics import Metrics
from signalfleet.ports.secrets import Secret

log = structlog.get_logger()

_TOKEN: Final = re.compile(r"[!-~]+")
_DOMAIN_PATH: Final = "/users/current/servers/mt-client-api"


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A value and when it was read, by the clock that never goes back."""

    at: float
    domain: str


class AccountRoute:
    def __init__(
        self,
        client: MetaApiClient,
        *,
        account_id: str,
        token: Secret,
        region: str,
        urls: MetaApiUrls,
        clock: Clock,
        metrics: Metrics,
    ) -> None:
        if not _TOKEN.fullmatch(token.reveal()):
            raise SignInRequiredError(
                "the MetaApi token is empty or holds spaces: paste it again", reason="token_form"
            )
        self._client = client
        self._path = f"/users/current/accounts/{quote(account_id, safe='')}"
        self._token = token
        self._region = region
        self._urls = urls
        self._clock = clock
        self._metrics = metrics
        self._domain: Seen | None = None
        self._state: tuple[float, AccountState] | None = None

    @property
    def region(self) -> str:
        return self._region

    @property
    def last_state(self) -> AccountState | None:
        """Return what provisioning said last, however long ago."""
        return self._state[1] if self._state else None

    async def trade_target(self) -> Target:
        """Return where orders go; an old domain is better than a detour before an order."""
        domain = self._domain.domain if self._domain else await self._fresh_domain()
        return self._terminal(domain, "/trade", kind="trade")

    async def read(self, path: str, **params: str) -> object:
        """Return what the terminal says under the account's `path`; raises by what to do."""
        query = f"?{urlencode(params)}" if params else ""
        return await self._get(self._terminal(await self._fresh_domain(), path + query))

    async def history(self, what: str, since: datetime, until: datetime, offset: int) -> object:
        path = f"/{what}/time/{quote(iso(since))}/{quote(iso(until))}"
        return await self.read(path, offset=str(offset), limit=str(limits.PAGE))

    async def state(self, *, max_age_s: float = limits.STATE_AGE_S) -> AccountState:
        """Return what provisioning says of the account, and follow it to another region."""
        now = self._clock.monotonic()
        if self._state and now - self._state[0] <= max_age_s:
            return self._state[1]
        payload = await self._provisioning(self._path)
        try:
            state = account_state(payload)
        except UnreadableError as e:
            raise TemporaryError(f"MetaApi described the account unreadably: {e}") from e
        if state.region and state.region != self._region:
            log.warning("metaapi_region_changed", old=self._region, new=state.region)
            self._region = state.region
        self._state = (now, state)
        return state

    async def _fresh_domain(self) -> str:
        if not self._urls.needs_domain:
            return ""
        now = self._clock.monotonic()
        if self._domain is None or now - self._domain.at > limits.DOMAIN_AGE_S:
            payload = await self._provisioning(_DOMAIN_PATH)
            try:
                self._domain = Seen(at=now, domain=Fields(payload).text("domain"))
            except UnreadableError as e:
                raise TemporaryError(f"MetaApi named its servers unreadably: {e}") from e
        return self._domain.domain

    def _terminal(self, domain: str, path: str, *, kind: str = "read") -> Target:
        try:
            base = self._urls.terminal(self._region, domain)
        except UnsafeUrlError as e:
            raise TemporaryError(str(e)) from e
        return Target(
            url=f"{base}{self._path}{path}", token=self._token, region=self._region, kind=kind
        )

    async def _provisioning(self, path: str) -> object:
        url = self._urls.provisioning.rstrip("/") + path
        return await self._get(
            Target(url=url, token=self._token, region=self._region, kind="provisioning")
        )

    async def _get(self, target: Target) -> object:
        answer = await self._client.get(target)
        if answer.status == GATEWAY_TIMEOUT:
            self._state = None  # One text for many reasons: provisioning knows which.
        if answer.status == TOO_MANY and (left := credits_left(answer)) is not None:
            self._metrics.gauge(
                "signalfleet_metaapi_credits_available_ratio", left, region=self._region
            )
        return read_payload(answer, self._clock.now())
