"""Accounts as the service that hosts them keeps them: added, deployed, watched, removed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, Protocol

from signalfleet.ports.errors import RefusedError
from signalfleet.ports.secrets import Secret


class AccountRefusal(StrEnum):
    """Why an account cannot be added; only the user can change it."""

    WRONG_LOGIN = "wrong_login"
    SERVER_NOT_FOUND = "server_not_found"
    SERVER_SETTINGS = "server_settings"
    """The service could not find out the broker's settings now: try later."""
    QUOTA = "quota"
    REPEATED_LOGIN = "repeated_login"
    """The same login was refused a short while ago; trying again would only be billed."""
    OTHER = "other"


class AccountRefusedError(RefusedError):
    """The service does not add or start this account."""

    def __init__(self, message: str, *, refusal: AccountRefusal) -> None:
        super().__init__(message)
        self.refusal = refusal


@dataclass(frozen=True, slots=True, kw_only=True)
class HostedAccount:
    """One account at the service. Ready means that it is deployed and connected to its broker."""

    account_id: str
    name: str
    server: str
    region: str
    state: str
    connection: str
    login: str | None = None
    magic: int = 0
    has_manual_trades: bool = False

    @property
    def is_draft(self) -> bool:
        return self.state == "DRAFT"

    @property
    def is_ready(self) -> bool:
        return self.state == "DEPLOYED" and self.connection == "CONNECTED"

    @property
    def has_failed(self) -> bool:
        return self.state.endswith("_FAILED")


@dataclass(frozen=True, slots=True, kw_only=True)
class NewAccount:
    """An account to be added; without login and password it becomes a draft.

    The user then gives both to the service itself, behind a configuration link.
    """

    name: str
    server: str
    region: str
    magic: int = 0
    login: str | None = None
    password: Secret | None = None
    keywords: tuple[str, ...] = ()
    has_manual_trades: bool = False
    notes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewDemoAccount:
    """A demo account that the broker's server is asked to open."""

    server: str
    name: str
    email: str
    phone: str
    account_type: str
    balance: int = 10_000
    leverage: int = 100
    keywords: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoLogin:
    login: str
    server: str
    password: Secret
    investor_password: Secret


TRANSACTION_LENGTH: Final = 32
"""Letters and digits of a transaction id: random, and stored before the first call."""


class AccountProvisioning(Protocol):
    """Raises SignInRequiredError for a token that may not do this, TemporaryError to try later."""

    async def accounts(self) -> tuple[HostedAccount, ...]: ...

    async def account(self, account_id: str) -> HostedAccount:
        """Return one account as it is now; RefusedError if the token does not reach it."""
        ...

    async def create(self, wish: NewAccount, transaction_id: str) -> str:
        """Add an account and return its id; wait while its broker's settings are found out.

        The same transaction id never adds a second account: after a crash or a TemporaryError call
        again with it. AccountRefusedError says what the user must change.
        """
        ...

    async def configuration_link(self, account_id: str) -> Secret:
        """Make the link behind which the user gives login and password to the service itself."""
        ...

    async def deploy(self, account_id: str) -> None: ...

    async def undeploy(self, account_id: str) -> None: ...

    async def redeploy(self, account_id: str) -> None: ...

    async def wait_until_ready(self, account_id: str) -> HostedAccount:
        """Wait, up to a quarter of an hour, until the account trades; TemporaryError if not."""
        ...

    async def remove(self, account_id: str) -> None: ...

    async def regions(self) -> tuple[str, ...]: ...

    async def narrow(self, account_ids: Sequence[str]) -> Secret | None:
        """Return a token that reaches these accounts only and lives as long as the present one.

        None if the service makes no such token.
        """
        ...

    async def open_demo_account(self, wish: NewDemoAccount, transaction_id: str) -> DemoLogin: ...
