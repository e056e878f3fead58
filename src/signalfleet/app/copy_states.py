"""Set what copying may do, for the user, an account or a channel, in one versioned write."""

from collections.abc import Mapping
from typing import Final

import structlog

from signalfleet.domain.accounts.copy_states import USER, CopyStates, is_loosening
from signalfleet.domain.errors import DomainError
from signalfleet.domain.ids import AccountId, ChannelId
from signalfleet.domain.settings.choices import CopyState
from signalfleet.ports.errors import ConflictError, RefusedError
from signalfleet.ports.store import SettingsDocs, UserStore

log = structlog.get_logger()

SCOPE: Final = "states"
ATTEMPTS: Final = 5


async def load_states(settings: SettingsDocs) -> CopyStates:
    doc, _ = await settings.get(SCOPE)
    return _read(doc)


def _read(doc: Mapping[str, object]) -> CopyStates:
    """Read the document; what cannot be read stops entries and lets what is open be managed."""
    try:
        return CopyStates.of_document(doc)
    except DomainError:
        log.exception("copy_states_unreadable")
        return CopyStates(by_scope={USER: CopyState.CLOSE_ONLY})


async def stop_all(store: UserStore, state: CopyState) -> None:
    """Stop entries everywhere, or close everything too; a state that is stricter stays.

    The flag is written first: it alone stops entries, whatever happens to the rest.
    """
    await store.bot.set_halted(halted=True)
    before = (await load_states(store.settings)).at(USER)
    if is_loosening(before, state):
        return
    await _write(store.settings, USER, state, lift=False)


async def set_state(store: UserStore, scope: str, state: CopyState, *, lift: bool) -> CopyState:
    """Set a state and return the one before; only with `lift` may it let more happen.

    The user's own Stop is kept beside it, so that it holds whatever reads only the flag.
    """
    await _require(store, scope)
    if scope == USER and state is not CopyState.ON:
        await store.bot.set_halted(halted=True)
    before = await _write(store.settings, scope, state, lift=lift)
    if scope == USER and state is CopyState.ON:
        await store.bot.set_halted(halted=False)
    log.info("copy_state_set", scope=scope, state=state.value)
    return before


async def _write(settings: SettingsDocs, scope: str, state: CopyState, *, lift: bool) -> CopyState:
    for _ in range(ATTEMPTS):
        doc, version = await settings.get(SCOPE)
        states = _read(doc)
        before = states.at(scope)
        if is_loosening(before, state) and not lift:
            raise RefusedError(f"this would lift {before.value}: confirm it")
        if before is state:
            return before
        try:
            await settings.put(SCOPE, states.with_state(scope, state).document(), version)
        except ConflictError:
            continue  # Somebody else set a state meanwhile; theirs must not be lost.
        return before
    raise ConflictError("the state was changed several times just now; look at it and try again")


async def _require(store: UserStore, scope: str) -> None:
    kind, _, key = scope.partition(":")
    is_known = scope == USER
    if kind == "account":
        is_known = await store.accounts.get(AccountId(key)) is not None
    elif kind == "channel" and key.removeprefix("-").isdecimal() and key.isascii():
        is_known = await store.channels.get(ChannelId(int(key))) is not None
    if not is_known:
        raise RefusedError("there is no such account or channel of yours")
