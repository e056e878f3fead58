"""Which accounts a channel's signal is planned on: by its mode, probation, and the user's list."""

from collections.abc import Iterable

from signalfleet.app.desk import AccountDesk
from signalfleet.app.probation import PAPER_BROKER
from signalfleet.domain.risk.probation import Stage
from signalfleet.ports.store import CopyMode


def is_paper(account: AccountDesk) -> bool:
    return account.account.broker == PAPER_BROKER


def feeding(
    accounts: Iterable[AccountDesk], mode: CopyMode, stage: Stage, wanted: frozenset[str] | None
) -> list[AccountDesk]:
    """Return the accounts on which a channel's signal is planned.

    A channel that trades for real feeds a paper account only where the user names it, or has no
    other. On probation the real accounts are there to say why nothing is opened on them.
    """
    known = list(accounts)
    if mode is CopyMode.OFF:
        return []
    if mode is CopyMode.PAPER:
        return [one for one in known if is_paper(one)]
    chosen = [one for one in known if wanted is None or one.account.account_id in wanted]
    if stage is Stage.PAPER:
        paper = [one for one in known if is_paper(one)]
        return [*paper, *(one for one in chosen if not is_paper(one))]
    if wanted is None and not all(is_paper(one) for one in chosen):
        return [one for one in chosen if not is_paper(one)]
    return chosen
