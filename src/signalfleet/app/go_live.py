"""The first time that real money is to be traded on an account: what it needs, and the record.

Whatever made an account a live one, nothing is opened on it before its user has let it trade.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Final

import structlog

from signalfleet.app.edit_settings import load_levels
from signalfleet.app.leave_account import LEAVING, LEFT
from signalfleet.domain.errors import DomainError
from signalfleet.domain.ids import AccountId
from signalfleet.domain.risk.prop_packs import PropPack
from signalfleet.domain.risk.standing import has_loss_limit
from signalfleet.domain.settings.resolve import Level, resolve
from signalfleet.ports.errors import RefusedError
from signalfleet.ports.store import Account, UserStore

log = structlog.get_logger()

LIVE: Final = "LIVE"
LEAST_DIGITS: Final = 4
"""More than the three that pages show of a number, so that it has to be looked up."""
MOST_DIGITS: Final = 20
_SHOWN: Final = re.compile(r"[0-9]*\Z")


class Lack(StrEnum):
    """What an account needs yet; a sign-in is asked for by who has one to ask for."""

    LOSS_LIMIT = "loss_limit"
    NUMBER = "number"


class NotReadyError(RefusedError):
    """Real money is not traded yet; `lacks` are all reasons."""

    def __init__(self, lacks: tuple[Lack, ...]) -> None:
        super().__init__("real money is not traded yet: " + ", ".join(lacks))
        self.lacks = lacks


def scope_of(account: AccountId) -> str:
    return f"live:{account}"


def waits_for_word(account: Account) -> bool:
    """Tell whether an account is one that has to be let trade."""
    return account.mode == LIVE and account.state not in (LEAVING, LEFT)


async def is_live_confirmed(store: UserStore, account: Account) -> bool:
    """A word that was given for another login or server is none for this one."""
    doc, _ = await store.settings.get(scope_of(account.account_id))
    return bool(doc) and all(doc.get(key) == value for key, value in _identity(account).items())


async def waiting_accounts(store: UserStore) -> frozenset[AccountId]:
    """Return the live accounts on which nothing is opened yet."""
    return frozenset(
        [
            one.account_id
            for one in await store.accounts.list()
            if waits_for_word(one) and not await is_live_confirmed(store, one)
        ]
    )


async def is_loss_limited(
    store: UserStore, account: AccountId, packs: Mapping[str, PropPack]
) -> bool:
    """Tell whether a limit of losses counts on the account, its rule pack's included."""
    try:
        levels = await load_levels(store.settings, None, account)
        pack = packs.get(resolve(levels).rules.prop_pack)
        if pack is not None:
            levels.insert(0, Level(source="pack", doc=pack.settings))
        return has_loss_limit(resolve(levels).rules)
    except DomainError:
        return False


async def go_live(
    store: UserStore,
    account_id: AccountId,
    typed: str,
    packs: Mapping[str, PropPack],
    now: datetime,
) -> None:
    """Let an account trade real money from now on; NotReadyError says all that it lacks."""
    account = await store.accounts.get(account_id)
    if account is None or not waits_for_word(account):
        raise RefusedError("there is no such account of yours with real money")
    lacks = []
    if not await is_loss_limited(store, account_id, packs):
        lacks.append(Lack.LOSS_LIMIT)
    if not is_number_of(account, typed):
        lacks.append(Lack.NUMBER)
    if lacks:
        raise NotReadyError(tuple(lacks))
    _, version = await store.settings.get(scope_of(account_id))
    doc = {"at": now.isoformat(), **_identity(account)}
    await store.settings.put(scope_of(account_id), doc, version)
    log.info("account_went_live", user_id=store.user_id, account=account_id)


def is_number_of(account: Account, typed: str) -> bool:
    """The whole number is typed; it is compared with the digits that are kept of it."""
    number = typed.strip()
    if not (number.isascii() and number.isdecimal()):
        return False
    kept = _SHOWN.search(account.login_masked or "")
    is_whole = LEAST_DIGITS <= len(number) <= MOST_DIGITS
    return is_whole and number.endswith(kept[0] if kept else "")


def _identity(account: Account) -> Mapping[str, object]:
    return {"login": account.login_masked, "server": account.server}
