"""Which broker serves an account: in production MetaApi, elsewhere also a terminal.

A paper account needs prices of somebody: of the MetaApi account that it names. In production only
accounts that were made for paper may be on paper, so that none that was connected is by mistake.
"""

import os
import sys
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

import structlog

from signalfleet.adapters.metaapi.broker import MetaApiBroker
from signalfleet.adapters.metaapi.client import MetaApiClient
from signalfleet.adapters.metaapi.known_symbols import KnownSymbols
from signalfleet.adapters.metaapi.provisioning import FailedLogins, MetaApiProvisioning
from signalfleet.adapters.metaapi.urls import MetaApiUrls, UnsafeUrlError
from signalfleet.adapters.mt5.broker import Mt5Broker
from signalfleet.adapters.mt5.client import WHERE, Mt5Module, load_module
from signalfleet.adapters.paper.broker import PaperBroker, PaperTerms
from signalfleet.adapters.paper.memory import PaperMemory
from signalfleet.bootstrap.settings import ConfigurationError, Settings
from signalfleet.domain.ids import AccountId
from signalfleet.ports.broker import Broker
from signalfleet.ports.clock import Clock
from signalfleet.ports.errors import PortError, RefusedError, SignInRequiredError
from signalfleet.ports.metrics import Metrics
from signalfleet.ports.provisioning import AccountProvisioning
from signalfleet.ports.secrets import Secret
from signalfleet.ports.store import Account

log = structlog.get_logger()

LIVE_MODE: Final = "LIVE"
PAPER_MODE: Final = "PAPER"


class BrokerKind(StrEnum):
    METAAPI = "metaapi"
    MT5_LOCAL = "mt5_local"
    PAPER = "paper"


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalTerminal:
    """The one account of the MetaTrader terminal on this machine: whose it is, and how it opens."""

    account: AccountId
    login: int
    password: Secret
    server: str
    path: str | None = None


def allowed_kinds(*, is_production: bool, platform: str = sys.platform) -> frozenset[BrokerKind]:
    """Return the brokers that may trade here, whatever the accounts wish."""
    if is_production:
        return frozenset({BrokerKind.METAAPI})
    kinds = {BrokerKind.METAAPI, BrokerKind.PAPER}
    return frozenset(kinds | {BrokerKind.MT5_LOCAL}) if platform == "win32" else frozenset(kinds)


def choose_kind(
    account: Account, *, is_production: bool, platform: str = sys.platform
) -> BrokerKind:
    """Return the broker of an account; RefusedError says what to use instead.

    A wish for the local terminal falls back to MetaApi where the account is known there too.
    """
    try:
        wish = BrokerKind(account.broker)
    except ValueError as e:
        known = ", ".join(kind.value for kind in BrokerKind)
        raise RefusedError(f"no broker {account.broker!r}; there are {known}") from e
    if wish in allowed_kinds(is_production=is_production, platform=platform):
        return wish
    if wish is BrokerKind.PAPER and account.mode == PAPER_MODE:
        return wish  # It was made for paper and was never connected to anything real.
    if wish is BrokerKind.MT5_LOCAL:
        if account.metaapi_account_id is not None and not is_production:
            log.warning("broker_fell_back", wished=wish.value, used=BrokerKind.METAAPI.value)
            return BrokerKind.METAAPI
        raise RefusedError(WHERE)
    raise RefusedError(
        "ENVIRONMENT=production trades through MetaApi only: connect the account there"
    )


@dataclass(slots=True, kw_only=True)
class Brokers:
    """Makes brokers for accounts. `terminal` is opened with `open_terminal`, if there is one."""

    client: MetaApiClient
    urls: MetaApiUrls
    clock: Clock
    metrics: Metrics
    is_production: bool
    platform_token: Secret | None = None
    platform: str = sys.platform
    failed_logins: FailedLogins
    terminal: tuple[AccountId, Mt5Broker] | None = field(default=None, init=False)

    def make(
        self,
        account: Account,
        token: Secret | None,
        memory: PaperMemory | None = None,
        known_symbols: KnownSymbols | None = None,
    ) -> Broker:
        """Return the account's broker; raises RefusedError or SignInRequiredError.

        Paper keeps its book in `memory`; without one it lasts as long as the process, and so do
        names of symbols without `known_symbols`.
        """
        match choose_kind(account, is_production=self.is_production, platform=self.platform):
            case BrokerKind.METAAPI:
                return self._metaapi(account, token, known_symbols)
            case BrokerKind.PAPER:
                return self._paper(account, token, memory, known_symbols)
            case BrokerKind.MT5_LOCAL:
                return self._local(account, token)

    def provisioning(self, token: Secret | None) -> AccountProvisioning:
        return MetaApiProvisioning(
            self.client,
            token=self._token(token),
            urls=self.urls,
            clock=self.clock,
            failed=self.failed_logins,
        )

    async def open_terminal(
        self, settings: LocalTerminal, stack: AsyncExitStack, module: Mt5Module | None = None
    ) -> None:
        """Open this machine's terminal until the stack closes; without it MetaApi serves."""
        if self.is_production:
            raise RefusedError(WHERE)
        try:
            broker = Mt5Broker(
                module or load_module(self.platform),
                login=settings.login,
                password=settings.password,
                server=settings.server,
                path=settings.path,
                clock=self.clock,
            )
            self.terminal = (settings.account, await stack.enter_async_context(broker))
        except PortError as e:
            log.warning("local_terminal_unavailable", reason=str(e))

    def _metaapi(
        self,
        account: Account,
        token: Secret | None,
        known_symbols: KnownSymbols | None = None,
    ) -> MetaApiBroker:
        if account.metaapi_account_id is None:
            raise RefusedError("the account names no account at MetaApi: connect it again")
        broker = MetaApiBroker(
            self.client,
            account_id=account.metaapi_account_id,
            token=self._token(token),
            region=account.region or "",
            urls=self.urls,
            clock=self.clock,
            metrics=self.metrics,
        )
        broker.known_symbols = known_symbols
        return broker

    def _paper(
        self,
        account: Account,
        token: Secret | None,
        memory: PaperMemory | None,
        known_symbols: KnownSymbols | None,
    ) -> PaperBroker:
        if account.mode == LIVE_MODE:
            raise RefusedError("a live account does not trade on paper: connect it again")
        if memory is None:
            log.warning("paper_book_in_memory_only", account=account.account_id)
        return PaperBroker(
            self._metaapi(account, token, known_symbols),
            account=account.account_id,
            clock=self.clock,
            terms=PaperTerms(currency=account.currency or "USD"),
            memory=memory,
        )

    def _local(self, account: Account, token: Secret | None) -> Broker:
        if self.terminal is not None:
            whose, terminal = self.terminal
            if whose != account.account_id:
                raise RefusedError("the local terminal belongs to another account")
            return terminal
        if account.metaapi_account_id is None:
            raise RefusedError("the local terminal is not open, and MetaApi has no such account")
        log.warning("broker_fell_back", wished="mt5_local", used="metaapi")
        return self._metaapi(account, token)

    def _token(self, token: Secret | None) -> Secret:
        found = token or self.platform_token
        if found is None:
            raise SignInRequiredError("the user has not connected MetaApi", reason="metaapi_token")
        return found


def brokers_of(
    settings: Settings, client: MetaApiClient, clock: Clock, metrics: Metrics
) -> Brokers:
    """Return what makes brokers by the settings; ConfigurationError if they must not be used."""
    return Brokers(
        client=client,
        urls=metaapi_urls(settings),
        clock=clock,
        metrics=metrics,
        is_production=settings.is_production,
        platform_token=_platform_token(settings),
        failed_logins=FailedLogins(os.urandom(32), clock),
    )


def metaapi_urls(settings: Settings) -> MetaApiUrls:
    given = {
        "provisioning": settings.metaapi_provisioning_url,
        "client": settings.metaapi_client_url,
        "profile": settings.metaapi_profile_url,
    }
    chosen = {name: url for name, url in given.items() if url}
    try:
        return MetaApiUrls(public_only=settings.is_production, **chosen)
    except UnsafeUrlError as error:
        raise ConfigurationError(str(error)) from None


def _platform_token(settings: Settings) -> Secret | None:
    token = settings.metaapi_token.get_secret_value()
    return None if settings.require_user_metaapi or not token else Secret(token)
