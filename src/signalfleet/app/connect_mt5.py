"""Connect a MetaTrader 5 account that exists at MetaApi already."""

import structlog

from signalfleet.domain.ids import UserId
from signalfleet.ports.broker import Broker
from signalfleet.ports.secrets import CredentialStore, Secret
from signalfleet.ports.store import Account, Store

log = structlog.get_logger()

TOKEN_FIELD = "metaapi_token"  # noqa: S105 - a field's name


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
