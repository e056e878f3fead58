"""Connect a MetaTrader 5 account: one that exists at MetaApi, or a new one, added there once."""

import secrets
import string
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

import structlog

from signalfleet.app.account_report import AccountReport, account_report
from signalfleet.app.audit import note
from signalfleet.app.exits import end_exit
from signalfleet.app.paper_account import ensure_paper_account
from signalfleet.domain.accounts.copy_states import account_scope
from signalfleet.domain.accounts.exits import ExitCause
from signalfleet.domain.errors import DomainError
from signalfleet.domain.ids import AccountId, UserId, tag
from signalfleet.ports.broker import Broker
from signalfleet.ports.clock import Clock
from signalfleet.ports.errors import PortError, RefusedError, SignInRequiredError, TemporaryError
from signalfleet.ports.provisioning import (
    TRANSACTION_LENGTH,
    AccountProvisioning,
    AccountRefusedError,
    DemoLogin,
    HostedAccount,
    NewAccount,
    NewDemoAccount,
)
from signalfleet.ports.secrets import CredentialStore, Secret
from signalfleet.ports.store import Account, Store

log = structlog.get_logger()

TOKEN_FIELD = "metaapi_token"  # noqa: S105 - a field's name
SCOPE: Final = "connect:mt5"
HOSTED: Final = "metaapi"
READY: Final = "READY"
LOOK_PAUSE: Final = timedelta(seconds=5)
READY_WITHIN: Final = timedelta(minutes=15)
LINK_WITHIN: Final = timedelta(minutes=30)
_LETTERS: Final = string.ascii_letters + string.digits
_COMING: Final = frozenset({"DEPLOYED", "DEPLOYING"})


class Way(StrEnum):
    """EXISTING is at MetaApi already; for LINK the user gives login and password to MetaApi."""

    EXISTING = "existing"
    LINK = "link"
    PASSWORD = "password"  # noqa: S105 - a way's name


@dataclass(frozen=True, slots=True, kw_only=True)
class Mt5Order:
    """What the user chose. `account` is for EXISTING, `login` and `password` for PASSWORD."""

    way: Way
    account: str = ""
    server: str = ""
    region: str = ""
    login: str | None = None
    password: Secret | None = None

    def __post_init__(self) -> None:
        if self.way is Way.EXISTING:
            if not self.account:
                raise DomainError("choose one of the accounts")
            return
        if not self.server.strip():
            raise DomainError("enter the name of the broker's server, as MetaTrader shows it")
        if not self.region:
            raise DomainError("choose a region")
        if self.way is Way.LINK:
            return
        if not self.login or not (self.login.isascii() and self.login.isdecimal()):
            raise DomainError("a MetaTrader login is a number")
        if self.password is None or not self.password.reveal():
            raise DomainError("enter the password of the MetaTrader account")


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What a token reaches: accounts that exist, and regions for new ones."""

    accounts: tuple[HostedAccount, ...]
    regions: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Where a connection is: adding, link (open `address`), waiting, reading."""

    step: str
    state: str = ""
    connection: str = ""
    address: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Connected:
    account: Account
    report: AccountReport
    is_token_narrow: bool


Tell = Callable[[Progress], None]


class ConnectMt5:
    """Every call to MetaApi that adds something carries an id that was stored before it."""

    def __init__(
        self,
        store: Store,
        credentials: CredentialStore,
        clock: Clock,
        *,
        provisioning: Callable[[Secret | None], AccountProvisioning],
        broker: Callable[[UserId, Account, Secret | None], Broker],
    ) -> None:
        self._store = store
        self._credentials = credentials
        self._clock = clock
        self._provisioning = provisioning
        self._broker = broker

    async def look(self, token: Secret | None) -> Offer:
        """Try the token; SignInRequiredError if MetaApi refuses it."""
        hosting = self._provisioning(token)
        return Offer(accounts=await hosting.accounts(), regions=await hosting.regions())

    async def open_demo(self, token: Secret | None, wish: NewDemoAccount) -> DemoLogin:
        """Have the broker's server open a demo account; a repeat would only be another one."""
        return await self._provisioning(token).open_demo_account(wish, _new_transaction())

    async def run(
        self, user: UserId, token: Secret | None, order: Mt5Order, tell: Tell
    ) -> Connected:
        """Go all the way; raises the ports' errors, whose words are for the user."""
        hosting = self._provisioning(token)
        await self._require_all(user, hosting, token)
        hosted = await self._hosted(user, hosting, order, tell)
        hosted = await self._ready(hosting, hosted, tell)
        tell(Progress(step="reading"))
        account = await self._account(user, hosted)
        broker = self._broker(user, account, token)
        facts = await broker.account()
        snapshot = await broker.snapshot(self._clock.now(), full=False)
        live = await self._store.user(user).journal.live_trades(account.account_id)
        report = account_report(facts, snapshot, live)
        narrow = await self._narrow(user, hosting, account, token)
        if token is not None:
            await self._credentials.put(user, TOKEN_FIELD, narrow or token)
        stored = await self._store.user(user).accounts.put(
            replace(
                account,
                mode="LIVE" if facts.is_real else "DEMO",
                server=facts.server,
                currency=facts.currency,
                login_masked=masked(hosted.login),
            )
        )
        await self._remember(user, {})
        mine = self._store.user(user)
        await end_exit(mine, account_scope(stored.account_id), ExitCause.ACCOUNT)
        await ensure_paper_account(mine)
        await note(
            self._store.user(user),
            self._clock,
            "user",
            "account_connected",
            about=f"account:{stored.account_id}",
            mode=stored.mode,
        )
        log.info("account_connected", user_id=user, account=stored.account_id, mode=stored.mode)
        return Connected(account=stored, report=report, is_token_narrow=narrow is not None)

    async def _hosted(
        self, user: UserId, hosting: AccountProvisioning, order: Mt5Order, tell: Tell
    ) -> HostedAccount:
        if order.way is Way.EXISTING:
            hosted = await hosting.account(order.account)
        else:
            tell(Progress(step="adding"))
            hosted = await hosting.account(await self._added(user, hosting, order))
        if not hosted.is_draft:
            return hosted
        link = await hosting.configuration_link(hosted.account_id)
        return await self._configured(hosting, hosted, link, tell)

    async def _added(self, user: UserId, hosting: AccountProvisioning, order: Mt5Order) -> str:
        """Add the account, or find the one that an earlier try has added without our knowing."""
        wish = tag(b"sf-mt5-wish", 10, order.way, order.server, order.region, order.login or "")
        known = await self._known(user)
        transaction = str(known.get("transaction", "")) if known.get("wish") == wish else ""
        if not transaction:
            transaction = _new_transaction()
            await self._remember(user, {"wish": wish, "transaction": transaction})
        new = NewAccount(
            name=f"SignalFleet {order.server}"[:60],
            server=order.server.strip(),
            region=order.region,
            login=order.login if order.way is Way.PASSWORD else None,
            password=order.password if order.way is Way.PASSWORD else None,
        )
        try:
            return await hosting.create(new, transaction)
        except AccountRefusedError:
            # Nothing was added: another password is another account to MetaApi.
            await self._remember(user, {})
            raise

    async def _configured(
        self, hosting: AccountProvisioning, hosted: HostedAccount, link: Secret, tell: Tell
    ) -> HostedAccount:
        """Wait until the user has given login and password to MetaApi itself."""
        tell(Progress(step="link", address=link.reveal()))
        deadline = self._clock.now() + LINK_WITHIN
        while hosted.is_draft:
            if self._clock.now() > deadline:
                raise TemporaryError(
                    "nobody has entered the login at MetaApi within half an hour; start again"
                )
            await self._clock.sleep(LOOK_PAUSE)
            hosted = await self._again(hosting, hosted)
        return hosted

    async def _ready(
        self, hosting: AccountProvisioning, hosted: HostedAccount, tell: Tell
    ) -> HostedAccount:
        deadline = self._clock.now() + READY_WITHIN
        if hosted.state not in _COMING:
            await hosting.deploy(hosted.account_id)
            hosted = await self._again(hosting, hosted)
        while not hosted.is_ready:
            tell(Progress(step="waiting", state=hosted.state, connection=hosted.connection))
            if hosted.has_failed:
                raise RefusedError(
                    f"MetaApi could not start the account ({hosted.state}): look at it there"
                )
            self._require_time(hosted, deadline)
            await self._clock.sleep(LOOK_PAUSE)
            hosted = await self._again(hosting, hosted)
        return hosted

    def _require_time(self, hosted: HostedAccount, deadline: datetime) -> None:
        if self._clock.now() <= deadline:
            return
        if hosted.connection == "DISCONNECTED_FROM_BROKER":
            raise TemporaryError(
                "MetaApi runs the account, but the broker does not let it in: check login, "
                "password and server there, then start again"
            )
        raise TemporaryError(
            f"the account is still {hosted.state}, {hosted.connection} at MetaApi after a quarter "
            "of an hour; start again later, nothing is added twice"
        )

    async def _again(self, hosting: AccountProvisioning, hosted: HostedAccount) -> HostedAccount:
        """Look at the account again; one answer that fails says nothing about it."""
        try:
            return await hosting.account(hosted.account_id)
        except TemporaryError as error:
            log.info("account_state_unreadable", cause=type(error).__name__)
            return hosted

    async def _account(self, user: UserId, hosted: HostedAccount) -> Account:
        """Return the row of an account that is connected again, or a new one."""
        for account in await self._store.user(user).accounts.list():
            if account.broker == HOSTED and account.metaapi_account_id == hosted.account_id:
                return replace(account, region=hosted.region, state=READY)
        name = tag(b"sf-account-1", 10, user, hosted.account_id).lower()
        return Account(
            account_id=AccountId(f"a_{name}"),
            broker=HOSTED,
            mode="DEMO",
            metaapi_account_id=hosted.account_id,
            region=hosted.region,
        )

    async def _require_all(
        self, user: UserId, hosting: AccountProvisioning, token: Secret | None
    ) -> None:
        """Refuse a token that would cut the user off from an account that is connected already."""
        if token is None:
            return
        for name, account in (await self._hosted_rows(user)).items():
            try:
                await hosting.account(name)
            except RefusedError:
                shown = account.server or account.account_id
                raise RefusedError(
                    f"this token does not reach {shown}, which is connected already: use a token "
                    "of the same MetaApi user for all accounts"
                ) from None

    async def _hosted_rows(self, user: UserId) -> dict[str, Account]:
        rows = await self._store.user(user).accounts.list()
        hosted = [row for row in rows if row.broker == HOSTED]
        return {row.metaapi_account_id: row for row in hosted if row.metaapi_account_id}

    async def _narrow(
        self, user: UserId, hosting: AccountProvisioning, account: Account, token: Secret | None
    ) -> Secret | None:
        """Return a token for the user's own accounts, if MetaApi makes one and it works."""
        hosted = account.metaapi_account_id
        if token is None or hosted is None:
            return None
        names = {*await self._hosted_rows(user), hosted}
        try:
            narrow = await hosting.narrow(sorted(names))
            if narrow is not None:
                for name in sorted(names):
                    await self._provisioning(narrow).account(name)
                await self._broker(user, account, narrow).account()
        except PortError as error:
            log.warning("token_not_narrowed", cause=type(error).__name__)
            return None
        return narrow

    async def _known(self, user: UserId) -> Mapping[str, object]:
        return (await self._store.user(user).settings.get(SCOPE))[0]

    async def _remember(self, user: UserId, doc: Mapping[str, object]) -> None:
        settings = self._store.user(user).settings
        known, version = await settings.get(SCOPE)
        if known != doc:
            await settings.put(SCOPE, doc, version)


async def connect_account(
    store: Store,
    credentials: CredentialStore,
    user: UserId,
    account: Account,
    token: Secret,
    broker: Broker,
) -> Account:
    """Ask the account before anything is saved; raises the broker's errors.

    Returns the account as stored, with currency, server and whether it is a real one.
    """
    facts = await broker.account()
    await credentials.put(user, TOKEN_FIELD, token)
    stored = await store.user(user).accounts.put(
        Account(
            account_id=account.account_id,
            broker=account.broker,
            mode="LIVE" if facts.is_real else "DEMO",
            metaapi_account_id=account.metaapi_account_id,
            region=account.region,
            server=facts.server,
            currency=facts.currency,
            version=account.version,
        )
    )
    log.info("account_connected", user_id=user, account=stored.account_id, mode=stored.mode)
    return stored


def _new_transaction() -> str:
    return "".join(secrets.choice(_LETTERS) for _ in range(TRANSACTION_LENGTH))


def in_words(error: PortError) -> str:
    """Say what stopped a connection and what to do, as one sentence without its capital."""
    if isinstance(error, SignInRequiredError) and error.reason == "token_refused":
        return "MetaApi refuses this token: make a new one on its page of API tokens"
    return str(error)


def masked(login: str | None) -> str | None:
    """Keep the last digits, by which a person knows the account."""
    return None if login is None else f"…{login[-3:]}"
