"""The rule pack of an account: which one is chosen, and whether the user confirmed it."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from signalfleet.domain.ids import AccountId
from signalfleet.domain.risk.facts import PackUse
from signalfleet.domain.risk.prop_packs import PropPack
from signalfleet.ports.errors import RefusedError
from signalfleet.ports.store import SettingsDocs, UserStore

NONE: Final = "none"


def scope_of(account: AccountId) -> str:
    return f"prop:{account}"


async def pack_use(
    settings: SettingsDocs, account: AccountId, chosen: str, packs: Mapping[str, PropPack]
) -> PackUse | None:
    """Return what the guards know of an account's pack; None without one."""
    if chosen == NONE:
        return None
    pack = packs.get(chosen)
    if pack is None:
        return PackUse(name=chosen, is_known=False)
    doc, _ = await settings.get(scope_of(account))
    return PackUse(
        name=pack.name,
        is_known=True,
        is_confirmed=doc.get("confirmed") == pack.version,
        signals=pack.signals.value,
    )


async def confirm_pack(
    store: UserStore, account: AccountId, packs: Mapping[str, PropPack], now: datetime
) -> PropPack:
    """Record that the user read the pack, checked it with the firm, and answers for it."""
    if await store.accounts.get(account) is None:
        raise RefusedError("there is no such account of yours")
    chosen = str((await store.settings.get(f"account:{account}"))[0].get("prop_pack", NONE))
    pack = packs.get(chosen)
    if pack is None:
        raise RefusedError("choose a rule pack for the account first, with the setting prop_pack")
    _, version = await store.settings.get(scope_of(account))
    doc = {"confirmed": pack.version, "at": now.isoformat()}
    await store.settings.put(scope_of(account), doc, version)
    return pack
