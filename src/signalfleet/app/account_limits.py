"""Look at one account's limits of losses after each look at the account."""

import structlog

from signalfleet.app.desk import AccountDesk
from signalfleet.app.effective_settings import effective_settings
from signalfleet.app.user_desk import UserDesk
from signalfleet.app.watch_losses import WatchLosses
from signalfleet.domain.accounts.notices import NoticeKind
from signalfleet.domain.errors import DomainError
from signalfleet.domain.risk.losses import Crossing
from signalfleet.domain.settings.choices import LossAction
from signalfleet.domain.settings.resolve import Effective
from signalfleet.ports.errors import TemporaryError

log = structlog.get_logger()


class AccountLimits:
    """Warns at four fifths of a limit, and says when all of the account is to be closed."""

    def __init__(self, desk: UserDesk, account: AccountDesk) -> None:
        self._desk = desk
        self._account = account
        self._losses = WatchLosses(desk)

    async def see(self) -> list[tuple[NoticeKind, str]]:
        """Return what the user is told; raises only what the store raises."""
        key = self._account.account.account_id
        try:
            effective = await effective_settings(self._desk, None, key)
            facts = await self._account.facts()
        except TemporaryError:
            return []
        except DomainError:
            # With settings that cannot be read nothing is opened; what is open is followed on.
            log.exception("settings_unreadable", account=key)
            return []
        losses = await self._losses.see(key, facts, effective.rules)
        reached = next((line for line in losses.lines if line.reached), None)
        if reached is not None and losses.closes_all(effective.rules):
            self._account.close_all = f"the {reached.name} reached your limit"
        else:
            self._account.close_all = None
        return [_told(one, effective) for one in losses.crossed]


def _told(crossing: Crossing, effective: Effective) -> tuple[NoticeKind, str]:
    if not crossing.is_reached:
        return NoticeKind.GUARD_NEAR, _capital(crossing.text)
    closes = effective.rules.loss_action is LossAction.CLOSE_ALL
    action = "; everything is being closed" if closes else ""
    return NoticeKind.GUARD_REACHED, _capital(crossing.text) + action


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
