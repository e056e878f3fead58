"""A plan that ended reads fewer channels: until some go, trades follow the user's wish."""

from datetime import datetime

from signalfleet.app.exits import begin_exit, end_exit
from signalfleet.domain.accounts.copy_states import USER, CopyStates
from signalfleet.domain.accounts.exits import ExitCause
from signalfleet.domain.accounts.tiers import UserQuota
from signalfleet.ports.store import CopyMode, UserStore


async def see_plan(store: UserStore, quota: UserQuota, states: CopyStates, now: datetime) -> bool:
    """Begin or end the exit of an ended plan; True if it was changed now.

    More channels than a plan allows are only there after a larger one: nothing new is opened then.
    """
    read = [one for one in await store.channels.list() if one.mode is not CopyMode.OFF]
    is_over = len(read) > quota.max_signal_channels
    known = states.exits.get(USER)
    if is_over and known is None:
        await begin_exit(store, USER, ExitCause.PLAN, now)
        return True
    if not is_over and known is not None and known.cause is ExitCause.PLAN:
        await end_exit(store, USER, ExitCause.PLAN)
        return True
    return False
