"""A user's settings in force for a channel on an account."""

from typing import Final

from signalfleet.app.user_desk import UserDesk
from signalfleet.domain.ids import AccountId, ChannelId
from signalfleet.domain.settings.resolve import Effective, Level, resolve

MOST_KEPT: Final = 200


async def effective_settings(
    desk: UserDesk, chat: ChannelId | None, account: AccountId | None
) -> Effective:
    """Merge the stored levels for a channel on an account, most specific first.

    What was merged from the same documents before is not merged again.
    """
    scopes = {f"channel:{chat}": "channel"} if chat is not None else {}
    if account is not None:
        scopes[f"account:{account}"] = "account"
    scopes["user"] = "your default"
    docs = [(await desk.store.settings.get(scope))[0] for scope in scopes]
    made_of = (*docs, desk.states)
    kept = desk.merged.get((chat, account))
    if kept is not None and all(a is b for a, b in zip(kept[0], made_of, strict=True)):
        return kept[1]
    levels = []
    for (scope, source), doc in zip(scopes.items(), docs, strict=True):
        levels.append(Level(source=source, doc=doc))
        pack = desk.packs.get(str(doc.get("prop_pack"))) if source == "account" else None
        if pack is not None:
            # First of all levels, so that nothing overrides what it sets.
            levels.insert(0, Level(source=f"rule pack {pack.slug}", doc=pack.settings))
        state = desk.states.by_scope.get(scope)
        if state is not None:
            levels.append(Level(source=source, doc={"copy_state": state.value}))
    found = resolve(levels)
    if len(desk.merged) >= MOST_KEPT:
        desk.merged.clear()
    desk.merged[chat, account] = (made_of, found)
    return found
