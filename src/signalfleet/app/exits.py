"""Begin and end exits, and say how much of one is still to be done.

Whoever ends a source of trades (a sign-out, a channel, an account, the user) begins an exit; the
bot carries it out through `EndTrades`, as long as it stands.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Final

import structlog

from signalfleet.app.copy_states import SCOPE, load_states
from signalfleet.app.edit_settings import load_levels
from signalfleet.domain.accounts.copy_states import CopyStates
from signalfleet.domain.accounts.exits import Exit, ExitCause
from signalfleet.domain.errors import DomainError
from signalfleet.domain.ids import AccountId
from signalfleet.domain.settings.choices import CopyState, ExitPolicy
from signalfleet.domain.settings.resolve import resolve
from signalfleet.domain.trading.records import Trade, TradeState
from signalfleet.ports.errors import ConflictError
from signalfleet.ports.store import UserStore

log = structlog.get_logger()

ATTEMPTS: Final = 5


async def begin_exit(
    store: UserStore,
    scope: str,
    cause: ExitCause,
    now: datetime,
    policy: ExitPolicy | None = None,
) -> None:
    """Let what is open follow the user's wish from now on; without one the setting says it.

    An account that is taken away opens nothing more.
    """
    ending = Exit(cause=cause, at=now, policy=policy)

    def change(states: CopyStates) -> CopyStates:
        is_account = cause is ExitCause.ACCOUNT and states.at(scope) is CopyState.ON
        stopped = states.with_state(scope, CopyState.CLOSE_ONLY) if is_account else states
        return stopped.with_exit(scope, ending)

    await _change(store, change)
    log.info("exit_begun", cause=cause.value, policy=None if policy is None else policy.value)


async def end_exit(store: UserStore, scope: str, *causes: ExitCause) -> None:
    """The source is back: its trades are managed as usual. Only exits of these causes end."""
    known = (await load_states(store.settings)).exits.get(scope)
    if known is not None and known.cause in causes:
        await _change(store, lambda states: states.with_exit(scope, None))
        log.info("exit_ended", cause=known.cause.value)


async def exit_policy_of(store: UserStore, account: AccountId | None) -> ExitPolicy:
    """Return what the setting says for an account; one that cannot be read changes nothing."""
    try:
        return resolve(await load_levels(store.settings, None, account)).rules.exit_policy
    except DomainError:
        return ExitPolicy.CLOSE_ONLY


async def exit_left(store: UserStore, account: AccountId | None = None) -> int:
    """Count the trades on which an exit still has to act: what waits, and what is to be closed.

    What was to be managed to its end, kept, or closed only in profit is not waited for.
    """
    states, left = await load_states(store.settings), 0
    for trade in await store.journal.live_trades(account):
        record = await store.journal.get_signal(trade.signal)
        exits = states.exits_of(trade.account, record.chat if record is not None else None)
        usual = await exit_policy_of(store, trade.account) if exits else ExitPolicy.CLOSE_ONLY
        left += any(_is_left(trade, one.policy or usual) for one in exits)
    return left


def _is_left(trade: Trade, policy: ExitPolicy) -> bool:
    if policy is ExitPolicy.CLOSE_ONLY:
        return False
    return policy is ExitPolicy.FLATTEN or trade.state is not TradeState.OPEN


async def _change(store: UserStore, change: Callable[[CopyStates], CopyStates]) -> None:
    for _ in range(ATTEMPTS):
        _, version = await store.settings.get(SCOPE)
        before = await load_states(store.settings)
        after = change(before)
        if after == before:
            return
        try:
            await store.settings.put(SCOPE, after.document(), version)
        except ConflictError:
            continue
        return
    raise ConflictError("the states were changed several times just now; try again")
