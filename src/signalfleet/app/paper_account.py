"""The paper account of a user whose channels trade on paper: play money at the real prices."""

from collections.abc import Sequence
from typing import Final

import structlog

from signalfleet.app.probation import PAPER_BROKER, load_probation
from signalfleet.domain.errors import DomainError
from signalfleet.domain.ids import AccountId
from signalfleet.domain.risk.probation import Stage
from signalfleet.ports.errors import ConflictError
from signalfleet.ports.store import Account, Channel, CopyMode, UserStore

log = structlog.get_logger()

PAPER_MODE: Final = "PAPER"
PAPER_ACCOUNT: Final = AccountId("a_paper")
SOURCE: Final = "metaapi"
READY: Final = "READY"


async def ensure_paper_account(store: UserStore) -> bool:
    """Make the paper account if a channel needs it and an account with prices is connected.

    True if it was made now. An account at MetaApi gives the prices; nothing is traded there.
    """
    accounts = await store.accounts.list()
    source = next((one for one in accounts if one.broker == SOURCE and one.state == READY), None)
    if source is None or any(one.broker == PAPER_BROKER for one in accounts):
        return False
    if not await _is_needed(store, await store.channels.list()):
        return False
    paper = Account(
        account_id=PAPER_ACCOUNT,
        broker=PAPER_BROKER,
        mode=PAPER_MODE,
        metaapi_account_id=source.metaapi_account_id,
        region=source.region,
        server="Paper",
        currency=source.currency,
    )
    try:
        await store.accounts.put(paper)
    except ConflictError:
        return False  # Somebody else made it at the same moment.
    log.info("paper_account_made", prices_of=source.account_id)
    return True


async def _is_needed(store: UserStore, channels: Sequence[Channel]) -> bool:
    for channel in channels:
        if channel.mode is CopyMode.PAPER:
            return True
        if channel.mode is not CopyMode.ON:
            continue
        try:
            probation = await load_probation(store.settings, channel.chat)
        except DomainError:
            return True
        if probation is not None and probation.stage is Stage.PAPER:
            return True
    return False
