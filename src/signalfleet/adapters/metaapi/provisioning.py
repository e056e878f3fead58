"""The provisioning port at MetaApi: accounts are added once, whatever breaks in between."""

import hashlib
import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import quote

import structlog

from signalfleet.adapters.metaapi import json_text, limits, mapping
from signalfleet.adapters.metaapi.answers import Answer, read_payload, retry_delay
from signalfleet.adapters.metaapi.client import MetaApiClient, Target
from signalfleet.adapters.metaapi.fields import Fields, UnreadableError
from signalfleet.adapters.metaapi.hosting import (
    account_body,
    account_refusal,
    demo_body,
    hosted_account,
    narrowed_body,
)
from signalfleet.adapters.metaapi.lifetime import hours_to_ask, lives_as_long
from signalfleet.adapters.metaapi.route import require_token
from signalfleet.adapters.metaapi.urls import MetaApiUrls, UnsafeUrlError, require_public
from signalfleet.domain.errors import DomainError
from signalfleet.ports.clock import Clock
from signalfleet.ports.errors import RefusedError, SignInRequiredError, TemporaryError
from signalfleet.ports.provisioning import (
    TRANSACTION_LENGTH,
    AccountRefusal,
    AccountRefusedError,
    DemoLogin,
    HostedAccount,
    NewAccount,
    NewDemoAccount,
)
from signalfleet.ports.secrets import Secret

log = structlog.get_logger()

_USER: Final = "/users/current"
_ACCOUNTS: Final = f"{_USER}/accounts"
_TRANSACTION: Final = re.compile(rf"[A-Za-z0-9]{{{TRANSACTION_LENGTH}}}")
_API_TOKEN_PARTS: Final = 3
_STILL_DETECTING: Final = 202


class FailedLogins:
    """Logins that a broker refused lately, by keyed digest: each further try would be billed.

    The key lives as long as the process; nothing can be looked up without it.
    """

    def __init__(self, key: bytes, clock: Clock) -> None:
        self._key = key
        self._clock = clock
        self._until: dict[bytes, datetime] = {}

    def check(self, wish: NewAccount) -> None:
        until = self._until.get(self._digest(wish))
        if until is not None and self._clock.now() < until:
            raise AccountRefusedError(
                "the broker refused the same login and password a short while ago: change them",
                refusal=AccountRefusal.REPEATED_LOGIN,
            )

    def add(self, wish: NewAccount) -> None:
        while len(self._until) >= limits.FAILED_LOGINS:
            del self._until[next(iter(self._until))]
        self._until[self._digest(wish)] = self._clock.now() + limits.FAILED_LOGIN_KEPT

    def _digest(self, wish: NewAccount) -> bytes:
        password = wish.password.reveal() if wish.password is not None else ""
        parts = [wish.server, wish.login or "", password]
        joined = json_text.encode(parts).encode()
        return hashlib.blake2b(joined, key=self._key, digest_size=16).digest()


class MetaApiProvisioning:
    """The accounts that one API token reaches. `failed` is shared by all users of the process."""

    def __init__(
        self,
        client: MetaApiClient,
        *,
        token: Secret,
        urls: MetaApiUrls,
        clock: Clock,
        failed: FailedLogins,
    ) -> None:
        require_token(token)
        if len(token.reveal().split(".")) != _API_TOKEN_PARTS:
            raise SignInRequiredError(
                "this is a token of one account: make an API token on MetaApi's token page",
                reason="account_token",
            )
        self._client = client
        self._token = token
        self._urls = urls
        self._clock = clock
        self._failed = failed

    async def accounts(self) -> tuple[HostedAccount, ...]:
        found: tuple[HostedAccount, ...] = ()
        for page in range(limits.MAX_PAGES):
            query = f"?offset={page * limits.ACCOUNTS_PAGE}&limit={limits.ACCOUNTS_PAGE}"
            payload = await self._ask("GET", _ACCOUNTS + query)
            try:
                rows = mapping.rows_of(payload, "items")
                some, whole = mapping.map_rows(rows.items, hosted_account)
            except UnreadableError as e:
                raise TemporaryError(f"MetaApi lists the accounts unreadably: {e}") from e
            if not whole:
                log.warning("metaapi_account_unreadable")
            found += some
            if len(rows.items) < limits.ACCOUNTS_PAGE:
                break
        return found

    async def account(self, account_id: str) -> HostedAccount:
        payload = await self._ask("GET", _path(account_id))
        try:
            return hosted_account(Fields(payload))
        except UnreadableError as e:
            raise TemporaryError(f"MetaApi describes the account unreadably: {e}") from e

    async def create(self, wish: NewAccount, transaction_id: str) -> str:
        _require_transaction(transaction_id)
        self._failed.check(wish)
        body = account_body(wish)
        deadline = self._clock.now() + limits.DETECTION_LONGEST
        while True:
            answer = await self._send("POST", _ACCOUNTS, body, transaction_id)
            if answer.status != _STILL_DETECTING:
                break
            pause = _pause(answer, self._clock.now())
            if self._clock.now() + pause > deadline:
                raise TemporaryError(
                    "MetaApi still looks for the broker's settings: try again later",
                    retry_after=pause.total_seconds(),
                )
            await self._clock.sleep(pause)
        refusal = account_refusal(answer)
        if refusal is not None:
            if isinstance(refusal, AccountRefusedError):
                self._remember(wish, refusal)
            raise refusal
        payload = read_payload(answer, self._clock.now())
        try:
            account_id = Fields(payload).text("id")
        except UnreadableError as e:
            raise TemporaryError(f"MetaApi's answer to the new account is unreadable: {e}") from e
        log.info("metaapi_account_created")
        return account_id

    async def configuration_link(self, account_id: str) -> Secret:
        path = f"{_path(account_id)}/configuration-link?ttlInDays={limits.LINK_DAYS}"
        payload = await self._ask("PUT", path)
        try:
            link = Fields(payload).text("configurationLink")
        except UnreadableError as e:
            raise TemporaryError(f"MetaApi's configuration link is unreadable: {e}") from e
        if not link.startswith(("https://", "http://")):
            raise RefusedError("MetaApi's configuration link is no web address")
        if self._urls.public_only:
            try:
                require_public(link, "the configuration link")
            except UnsafeUrlError as e:
                raise RefusedError(f"MetaApi's configuration link is not safe: {e}") from e
        return Secret(link)

    async def deploy(self, account_id: str) -> None:
        await self._ask("POST", f"{_path(account_id)}/deploy")

    async def undeploy(self, account_id: str) -> None:
        await self._ask("POST", f"{_path(account_id)}/undeploy")

    async def redeploy(self, account_id: str) -> None:
        await self._ask("POST", f"{_path(account_id)}/redeploy")

    async def wait_until_ready(self, account_id: str) -> HostedAccount:
        deadline = self._clock.now() + limits.READY_LONGEST
        while True:
            account = await self.account(account_id)
            if account.is_ready:
                return account
            if account.has_failed:
                raise RefusedError(f"the account is {account.state} at MetaApi: look at it there")
            if self._clock.now() + limits.READY_PAUSE > deadline:
                raise TemporaryError(
                    f"the account is {account.state}, {account.connection} at MetaApi after "
                    f"{int(limits.READY_LONGEST.total_seconds() / 60)} minutes"
                )
            await self._clock.sleep(limits.READY_PAUSE)

    async def remove(self, account_id: str) -> None:
        await self._ask("DELETE", _path(account_id))

    async def regions(self) -> tuple[str, ...]:
        payload = await self._ask("GET", f"{_USER}/regions")
        if not isinstance(payload, list):
            raise TemporaryError("MetaApi lists its regions unreadably")
        return tuple(region for region in payload if isinstance(region, str) and region)

    async def narrow(self, account_ids: Sequence[str]) -> Secret | None:
        profile = self._urls.profile.rstrip("/")
        manifest = read_payload(
            await self._send("GET", "/access-rule-manifest", at=profile), self._clock.now()
        )
        body = narrowed_body(manifest, account_ids)
        if body is None:
            return None
        hours = hours_to_ask(self._token, self._clock.now())
        path = f"{_USER}/narrow-down-auth-token?validity-in-hours={hours}"
        answer = await self._send("POST", path, body, at=profile)
        try:
            token = Fields(read_payload(answer, self._clock.now())).text("token")
        except UnreadableError as e:
            raise TemporaryError(f"MetaApi's narrowed token is unreadable: {e}") from e
        narrow = Secret(token)
        require_token(narrow)
        if not lives_as_long(narrow, self._token):
            log.warning("metaapi_narrowed_token_too_short")
            return None
        return narrow

    async def open_demo_account(self, wish: NewDemoAccount, transaction_id: str) -> DemoLogin:
        _require_transaction(transaction_id)
        path = f"{_USER}/provisioning-profiles/default/mt5-demo-accounts"
        deadline = self._clock.now() + limits.DETECTION_LONGEST
        while True:
            answer = await self._send("POST", path, demo_body(wish), transaction_id)
            if answer.status != _STILL_DETECTING:
                break
            pause = _pause(answer, self._clock.now())
            if self._clock.now() + pause > deadline:
                raise TemporaryError("the broker's server opens no demo account now")
            await self._clock.sleep(pause)
        if (refusal := account_refusal(answer)) is not None:
            raise refusal
        try:
            fields = Fields(read_payload(answer, self._clock.now()))
            return DemoLogin(
                login=fields.text("login"),
                server=fields.text("serverName"),
                password=Secret(fields.text("password")),
                investor_password=Secret(fields.text("investorPassword", "-")),
            )
        except UnreadableError as e:
            raise TemporaryError(f"MetaApi's demo account is unreadable: {e}") from e

    def _remember(self, wish: NewAccount, refusal: AccountRefusedError) -> None:
        log.info("metaapi_account_refused", refusal=refusal.refusal.value)
        if refusal.refusal is AccountRefusal.WRONG_LOGIN:
            self._failed.add(wish)

    async def _ask(self, method: str, path: str) -> object:
        answer = await self._send(method, path)
        return read_payload(answer, self._clock.now())

    async def _send(
        self,
        method: str,
        path: str,
        body: dict[str, object] | None = None,
        transaction_id: str | None = None,
        *,
        at: str | None = None,
    ) -> Answer:
        target = Target(
            url=(at or self._urls.provisioning.rstrip("/")) + path,
            token=self._token,
            region="",
            kind="provisioning",
        )
        return await self._client.ask(
            method,
            target,
            body=None if body is None else json_text.encode(body),
            headers=None if transaction_id is None else {"transaction-id": transaction_id},
            total_s=limits.PROVISIONING_S,
        )


def _path(account_id: str) -> str:
    return f"{_ACCOUNTS}/{quote(account_id, safe='')}"


def _require_transaction(transaction_id: str) -> None:
    if not _TRANSACTION.fullmatch(transaction_id):
        raise DomainError(f"a transaction id is {TRANSACTION_LENGTH} letters and digits")


def _pause(answer: Answer, now: datetime) -> timedelta:
    said = retry_delay(answer, now) if answer.retry_after is not None else limits.DETECTION_PAUSE
    return min(said, limits.DETECTION_LONGEST)
