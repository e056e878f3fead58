"""The way to one account: its region and domain, its state, and reads of its terminal."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import quote, urlencode

import structlog

from signalfleet.adapters.metaapi import limits
from signalfleet.adapters.metaapi.answers import (
    Answer,
    credits_left,
    read_payload,
    refusal,
    retry_delay,
)
from signalfleet.adapters.metaapi.bodies import iso
from signalfleet.adapters.metaapi.circuit import AccountCircuit
from signalfleet.adapters.metaapi.client import MetaApiClient, Target
from signalfleet.adapters.metaapi.errors import GATEWAY_TIMEOUT, SERVER_ERRORS, TOO_MANY
from signalfleet.adapters.metaapi.fields import Fields, UnreadableError
from signalfleet.adapters.metaapi.lanes import Lane, Permits
from signalfleet.adapters.metaapi.mapping import AccountState, account_state
from signalfleet.adapters.metaapi.urls import MetaApiUrls, UnsafeUrlError
from signalfleet.ports.clock import Clock
from signalfleet.ports.errors import (
    NotSentError,
    RefusedError,
    SignInRequiredError,
    TemporaryError,
)
from signalfleet.ports.metrics import Metrics
from signalfleet.ports.secrets import Secret

log = structlog.get_logger()

_TOKEN: Final = re.compile(r"[!-~]+")
_DOMAIN_PATH: Final = "/users/current/servers/mt-client-api"
_TARGETS_KEPT: Final = 8
_RATIO: Final = "signalfleet_metaapi_credits_available_ratio"


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A value and when it was read, by the clock that never goes back."""

    at: float
    domain: str


def require_token(token: Secret) -> None:
    """Refuse what cannot be a token before it gets into a header."""
    if not _TOKEN.fullmatch(token.reveal()):
        raise SignInRequiredError(
            "the MetaApi token is empty or holds spaces: paste it again", reason="token_form"
        )


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
        require_token(token)
        self._client = client
        self._path = f"/users/current/accounts/{quote(account_id, safe='')}"
        self._token = token
        self._region = region
        self._urls = urls
        self._clock = clock
        self._metrics = metrics
        self._domain: Seen | None = None
        self._state: tuple[float, AccountState] | None = None
        self._is_doubtful = False
        self._provisioning_waits_until = 0.0
        self._trade_targets: dict[tuple[str, str, Lane], Target] = {}
        self._credits = client.credits.of(token, account_id)
        self._circuit = AccountCircuit()
        self._permits = Permits(limits.ACCOUNT_CALLS, limits.ACCOUNT_ENTRY_CALLS)

    @property
    def region(self) -> str:
        return self._region

    @property
    def permits(self) -> Permits:
        return self._permits

    @property
    def look_pause(self) -> timedelta:
        """Return how far apart routine looks should be, by the credits that are left."""
        share = self._credits.share(self._region, self._clock.monotonic())
        return limits.LOOK_PAUSE if share < limits.LOOK_SHARE else timedelta(0)

    @property
    def last_state(self) -> AccountState | None:
        """Return what provisioning said last, however long ago."""
        return self._state[1] if self._state else None

    async def trade_target(self, lane: Lane) -> Target:
        """Return where an order may go now; NotSentError if it must not.

        An old domain is better than a detour before an order. Entries stop for open circuits,
        for credits and for an account that is known to be away; protective orders still try.
        """
        if self._is_doubtful:
            await self._ask_provisioning()
        if lane is Lane.ENTRY:
            self._require_calm()
        domain = self._domain.domain if self._domain else await self._fresh_domain()
        place = (self._region, domain, lane)
        target = self._trade_targets.get(place)
        if target is None:
            if len(self._trade_targets) >= _TARGETS_KEPT:
                self._trade_targets.clear()
            target = self._terminal(domain, "/trade", lane, kind="trade")
            self._trade_targets[place] = target
        await self._pay_for_trade(lane)
        return target

    def traded(self, answer: Answer | None) -> None:
        """Learn from what came back for an order; None when no whole answer came."""
        if answer is None or answer.status == GATEWAY_TIMEOUT:
            self._doubt()
        elif answer.status == TOO_MANY:
            self._heard_too_many(answer)
        elif answer.status < SERVER_ERRORS:
            self._circuit.succeeded()

    async def read(
        self,
        path: str,
        *,
        lane: Lane = Lane.LOOK,
        cost: float = limits.READ_CREDITS,
        body: str | None = None,
        **params: str,
    ) -> object:
        """Return what the terminal says under the account's `path`; raises by what to do."""
        if self._is_doubtful:
            await self._ask_provisioning()
        query = f"?{urlencode(params)}" if params else ""
        target = self._terminal(await self._fresh_domain(), path + query, lane)
        await self._permits.acquire(lane)
        try:
            await self._pay_for_read(lane, cost)
            return await self._read(target, body)
        finally:
            self._permits.release(lane)

    async def history(
        self, what: str, since: datetime, until: datetime, offset: int, lane: Lane = Lane.LOOK
    ) -> object:
        path = f"/{what}/time/{quote(iso(since))}/{quote(iso(until))}"
        is_deals = what == "history-deals"
        payload = await self.read(
            path,
            lane=lane,
            cost=limits.DEALS_CREDITS if is_deals else limits.READ_CREDITS,
            offset=str(offset),
            limit=str(limits.PAGE),
        )
        if is_deals:
            rows = payload.get("deals") if isinstance(payload, dict) else payload
            count = len(rows) if isinstance(rows, list) else 0
            now = self._clock.monotonic()
            self._credits.spend(count * limits.DEAL_CREDITS, self._region, now)
        return payload

    async def refresh_credits(self) -> None:
        """Ask now and then what credits are left; that they cannot be read harms nothing."""
        if not self._credits.wants_facts(self._clock.monotonic()):
            return
        self._credits.asking(self._clock.monotonic())
        try:
            payload = await self.read("/credits", cost=0)
        except (TemporaryError, RefusedError) as e:
            log.info("metaapi_credits_unreadable", reason=type(e).__name__)
            return
        now = self._clock.monotonic()
        self._credits.learn(payload, self._region, now)
        self._metrics.gauge(_RATIO, self._credits.share(self._region, now), region=self._region)

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
        self._is_doubtful = False
        return state

    def _require_calm(self) -> None:
        now = self._clock.monotonic()
        if self._state and now - self._state[0] <= limits.STATE_AGE_S:
            state = self._state[1]
            if not state.is_connected:
                raise NotSentError(
                    f"the account is {state.state}, {state.connection} at MetaApi",
                    reason="account_away",
                )
        if self._circuit.wait(now):
            raise NotSentError("this account's reads fail", reason="circuit_open")
        if self._client.is_region_failing(self._region):
            raise NotSentError(
                f"too many calls to {self._region} fail", reason="region_circuit_open"
            )

    async def _pay_for_trade(self, lane: Lane) -> None:
        try:
            await self._pay(lane, limits.TRADE_CREDITS)
        except TemporaryError as e:
            raise NotSentError(str(e), reason="credits") from e

    async def _pay_for_read(self, lane: Lane, cost: float) -> None:
        now = self._clock.monotonic()
        if lane is not Lane.PROTECTIVE and (wait_s := self._circuit.wait(now)):
            raise TemporaryError(
                "this account could not be read several times: a pause is made", retry_after=wait_s
            )
        await self._pay(lane, cost)
        self._circuit.begin(self._clock.monotonic())

    async def _pay(self, lane: Lane, cost: float) -> None:
        """Take the credits of a call, or raise TemporaryError until when there are none.

        A call waits by itself for credits that come back soon: a protective one for longer, and
        then it goes whatever we count.
        """
        is_protective = lane is Lane.PROTECTIVE
        patience_s = (limits.PROTECTIVE_WAIT if is_protective else limits.WAIT).total_seconds()
        wait = self._credits.wait(lane, cost, self._region, self._clock.monotonic())
        while wait is not None and wait.seconds <= patience_s:
            await self._clock.sleep(timedelta(seconds=wait.seconds))
            patience_s -= wait.seconds
            wait = self._credits.wait(lane, cost, self._region, self._clock.monotonic())
        if wait is not None:
            asked = "MetaApi asks us to wait" if wait.asked else "few credits of MetaApi are left"
            raise TemporaryError(asked, retry_after=wait.seconds)
        self._credits.spend(cost, self._region, self._clock.monotonic())

    async def _read(self, target: Target, body: str | None) -> object:
        try:
            if body is None:
                answer = await self._client.get(target)
            else:
                answer = await self._client.ask("POST", target, body=body)
        except TemporaryError:
            self._count_failure()
            raise
        if answer.status >= SERVER_ERRORS:
            self._count_failure()
        else:
            self._circuit.succeeded()
        if answer.status == GATEWAY_TIMEOUT:
            self._doubt()
        if answer.status == TOO_MANY:
            self._heard_too_many(answer)
        return read_payload(answer, self._clock.now())

    def _count_failure(self) -> None:
        if self._circuit.failed(self._clock.monotonic()):
            self._metrics.count("signalfleet_metaapi_account_circuits_total", region=self._region)
            log.warning("metaapi_circuit_opened", region=self._region)

    def _doubt(self) -> None:
        """One answer stands for many reasons, a wrong region among them: provisioning knows."""
        self._state = None
        self._is_doubtful = True

    def _heard_too_many(self, answer: Answer) -> None:
        now = self._clock.monotonic()
        wait_s = retry_delay(answer, self._clock.now()).total_seconds()
        self._credits.refused(refusal(answer), wait_s, self._region, now)
        log.warning("metaapi_credits_exhausted", region=self._region, wait_s=round(wait_s))
        if (left := credits_left(answer)) is not None:
            self._metrics.gauge(_RATIO, left, region=self._region)

    async def _ask_provisioning(self) -> None:
        try:
            await self.state(max_age_s=-1)
        except (TemporaryError, RefusedError) as e:
            self._is_doubtful = False  # Once is enough; the call itself will tell.
            log.info("metaapi_state_unreadable", reason=type(e).__name__)

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

    def _terminal(self, domain: str, path: str, lane: Lane, *, kind: str = "read") -> Target:
        try:
            base = self._urls.terminal(self._region, domain)
        except UnsafeUrlError as e:
            raise TemporaryError(str(e)) from e
        return Target(
            url=f"{base}{self._path}{path}",
            token=self._token,
            region=self._region,
            kind=kind,
            lane=lane,
        )

    async def _provisioning(self, path: str) -> object:
        now = self._clock.monotonic()
        if now < self._provisioning_waits_until:
            wait_s = self._provisioning_waits_until - now
            raise TemporaryError("MetaApi asks us to slow down", retry_after=wait_s)
        url = self._urls.provisioning.rstrip("/") + path
        answer = await self._client.get(
            Target(url=url, token=self._token, region=self._region, kind="provisioning")
        )
        if answer.status == TOO_MANY:
            wait_s = retry_delay(answer, self._clock.now()).total_seconds()
            self._provisioning_waits_until = now + wait_s
        return read_payload(answer, self._clock.now())
