"""What copying may do, and what ends: for the user, each account and each channel."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, cast

from signalfleet.domain.accounts.exits import Exit
from signalfleet.domain.errors import DomainError
from signalfleet.domain.ids import AccountId, ChannelId
from signalfleet.domain.settings.choices import CopyState

USER: Final = "user"
EXITS: Final = "exits"


def account_scope(account: AccountId) -> str:
    return f"account:{account}"


def channel_scope(chat: ChannelId) -> str:
    return f"channel:{chat}"


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyStates:
    """The states that were set, by scope; a scope that is not named is on. `exits` likewise."""

    by_scope: Mapping[str, CopyState] = field(default_factory=dict)
    exits: Mapping[str, Exit] = field(default_factory=dict)

    def at(self, scope: str) -> CopyState:
        return self.by_scope.get(scope, CopyState.ON)

    def of(self, account: AccountId | None = None, chat: ChannelId | None = None) -> CopyState:
        """Return the strictest state that holds for a channel on an account."""
        if not self.by_scope:
            return CopyState.ON
        scopes = _scopes(account, chat)
        return min((self.at(scope) for scope in scopes), key=lambda state: state.looseness)

    def exits_of(self, account: AccountId, chat: ChannelId | None) -> tuple[Exit, ...]:
        """Return the exits that concern a channel's trades on an account."""
        return tuple(self.exits[one] for one in _scopes(account, chat) if one in self.exits)

    @property
    def closes_anything(self) -> bool:
        return CopyState.PANIC in self.by_scope.values()

    def with_state(self, scope: str, state: CopyState) -> "CopyStates":
        others = {key: value for key, value in self.by_scope.items() if key != scope}
        added = {} if state is CopyState.ON else {scope: state}
        return replace(self, by_scope=others | added)

    def with_exit(self, scope: str, ending: Exit | None) -> "CopyStates":
        others = {key: value for key, value in self.exits.items() if key != scope}
        return replace(self, exits=others if ending is None else {**others, scope: ending})

    def document(self) -> dict[str, object]:
        states: dict[str, object] = {scope: one.value for scope, one in self.by_scope.items()}
        if self.exits:
            states[EXITS] = {scope: one.document() for scope, one in self.exits.items()}
        return states

    @classmethod
    def of_document(cls, doc: Mapping[str, object]) -> "CopyStates":
        """Read a stored document; raise DomainError for a word that is no state.

        A state that cannot be read must not become `on`.
        """
        try:
            return cls(
                by_scope={
                    scope: CopyState(str(word)) for scope, word in doc.items() if scope != EXITS
                },
                exits={
                    scope: Exit.of_document(one)
                    for scope, one in cast("Mapping[str, Any]", doc.get(EXITS, {})).items()
                },
            )
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise DomainError("a stored state of copying is not known") from error


def _scopes(account: AccountId | None, chat: ChannelId | None) -> list[str]:
    scopes = [USER]
    scopes += [account_scope(account)] if account is not None else []
    scopes += [channel_scope(chat)] if chat is not None else []
    return scopes


def is_loosening(before: CopyState, after: CopyState) -> bool:
    """Tell whether a change lets more happen than before."""
    return after.looseness > before.looseness
