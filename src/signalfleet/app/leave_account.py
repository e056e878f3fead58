"""Take a trading account away: its trades follow the user's wish, then it is not used any more."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

import structlog

from signalfleet.app.exits import begin_exit, exit_left, exit_policy_of
from signalfleet.domain.accounts.copy_states import CopyStates, account_scope
from signalfleet.domain.accounts.exits import ExitCause
from signalfleet.domain.ids import AccountId
from signalfleet.domain.settings.choices import ExitPolicy
from signalfleet.ports.errors import ConflictError, RefusedError
from signalfleet.ports.store import Account, UserStore

log = structlog.get_logger()

LEAVING: Final = "LEAVING"
LEFT: Final = "LEFT"


async def accounts_in_use(store: UserStore) -> Sequence[Account]:
    """Return the user's accounts but those that were taken away."""
    return [one for one in await store.accounts.list() if one.state != LEFT]


async def leave_account(
    store: UserStore, account_id: AccountId, policy: ExitPolicy | None, now: datetime
) -> None:
    """Open nothing more on an account, and end what is open as the user wishes.

    The bot takes it out of use when nothing is left to do there. The account itself stays as it is
    at MetaApi and at the broker.
    """
    account = await store.accounts.get(account_id)
    if account is None or account.state == LEFT:
        raise RefusedError("there is no such account of yours")
    await begin_exit(store, account_scope(account_id), ExitCause.ACCOUNT, now, policy)
    if account.state != LEAVING:
        await store.accounts.put(replace(account, state=LEAVING))
    log.info("account_leaving", account=account_id)


async def finish_leaving(store: UserStore, states: CopyStates, account: Account) -> bool:
    """Take an account out of use once nothing is left to do there; True if it was done now.

    Trades that are managed to their end keep the account; what was left at the broker does not.
    """
    ending = states.exits.get(account_scope(account.account_id))
    if account.state != LEAVING or ending is None:
        return False
    policy = ending.policy or await exit_policy_of(store, account.account_id)
    if policy is ExitPolicy.CLOSE_ONLY and await store.journal.live_trades(account.account_id):
        return False
    if await exit_left(store, account.account_id):
        return False
    try:
        await store.accounts.put(replace(account, state=LEFT))
    except ConflictError:
        return False  # It was connected again at this moment.
    log.info("account_left", account=account.account_id)
    return True
