"""The MetaTrader terminal of this machine as one user's account, for development on Windows."""

from contextlib import AsyncExitStack

import structlog

from signalfleet.adapters.mt5.client import Mt5Module
from signalfleet.app.connect_mt5 import masked
from signalfleet.bootstrap.brokers import BrokerKind, Brokers, LocalTerminal
from signalfleet.bootstrap.settings import ConfigurationError, Settings
from signalfleet.domain.errors import DomainError
from signalfleet.domain.ids import AccountId, UserId
from signalfleet.ports.secrets import Secret
from signalfleet.ports.store import Account, Store

log = structlog.get_logger()


async def open_local_terminal(
    settings: Settings,
    store: Store,
    brokers: Brokers,
    stack: AsyncExitStack,
    module: Mt5Module | None = None,
) -> None:
    """Open the terminal that MT5_LOCAL_* name, and give its account to their user.

    Does nothing without those settings. Where no terminal opens the reason is logged, and an
    account that MetaApi knows too is served there.
    """
    if not settings.mt5_local_login:
        return
    try:
        user = UserId(settings.mt5_local_user)
    except DomainError as error:
        raise ConfigurationError(f"MT5_LOCAL_USER: {error}") from None
    if await store.fleet.get_user(user) is None:
        raise ConfigurationError("MT5_LOCAL_USER names nobody: sign in first, then set it")
    account = AccountId(f"a_local_{settings.mt5_local_login}")
    terminal = LocalTerminal(
        account=account,
        login=settings.mt5_local_login,
        password=Secret(settings.mt5_local_password.get_secret_value()),
        server=settings.mt5_local_server,
        path=settings.mt5_local_path or None,
    )
    await brokers.open_terminal(terminal, stack, module)
    if brokers.terminal is None or await store.user(user).accounts.get(account) is not None:
        return
    facts = await brokers.terminal[1].account()
    row = Account(
        account_id=account,
        broker=BrokerKind.MT5_LOCAL.value,
        mode="LIVE" if facts.is_real else "DEMO",
        server=facts.server,
        login_masked=masked(str(settings.mt5_local_login)),
        currency=facts.currency,
    )
    await store.user(user).accounts.put(row)
    log.info("local_terminal_connected", user_id=user, account=account)
