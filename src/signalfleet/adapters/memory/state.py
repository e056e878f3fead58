"""What the memory store holds. Nothing in it awaits, so each operation is one unit."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from signalfleet.domain.accounts.audit import AuditRow
from signalfleet.domain.accounts.bot_state import BotState
from signalfleet.domain.errors import DomainError
from signalfleet.domain.ids import (
    AccountId,
    ChannelId,
    InstallationId,
    IntentId,
    MessageId,
    SignalId,
    TradeId,
    UserId,
)
from signalfleet.domain.trading.intents import Intent
from signalfleet.domain.trading.records import (
    Copy,
    MessageKey,
    QuotaUse,
    SignalRecord,
    TraceStep,
    Trade,
)
from signalfleet.ports.departures import Arming, Departure
from signalfleet.ports.errors import FencedError, RefusedError, StoreUnavailableError
from signalfleet.ports.fleet_rows import WebSession
from signalfleet.ports.inbox_rows import InboxRow
from signalfleet.ports.notices import StoredNotice
from signalfleet.ports.sealed import SealedSecret, WrappedKey
from signalfleet.ports.store import Account, AccountView, BotStatus, Channel, UserProfile
from signalfleet.ports.tenant_records import Replay

NEVER_STARTED: Final = BotStatus(
    wish_on=False,
    halted=False,
    state=BotState.OFF,
    reason=None,
    since=None,
    retry_at=None,
    crashes=0,
    wish_rev=0,
)


@dataclass(slots=True, kw_only=True)
class KeyInUse:
    """A request that was begun under a key, and its answer if there is one."""

    route: str
    request_hash: str
    until: datetime
    answer: Replay | None = None


@dataclass(slots=True)
class UserRows:
    """All rows of one user."""

    messages: dict[MessageKey, InboxRow] = field(default_factory=dict)
    arrivals: int = 0
    signals: dict[SignalId, SignalRecord] = field(default_factory=dict)
    copies: dict[tuple[SignalId, AccountId], Copy] = field(default_factory=dict)
    trades: dict[TradeId, Trade] = field(default_factory=dict)
    intents: dict[IntentId, Intent] = field(default_factory=dict)
    traces: dict[MessageKey, tuple[TraceStep, ...]] = field(default_factory=dict)
    channels: dict[ChannelId, Channel] = field(default_factory=dict)
    accounts: dict[AccountId, Account] = field(default_factory=dict)
    views: dict[AccountId, AccountView] = field(default_factory=dict)
    settings: dict[str, tuple[str, int]] = field(default_factory=dict)
    sealed: dict[str, SealedSecret] = field(default_factory=dict)
    keys: dict[int, WrappedKey] = field(default_factory=dict)
    bot: BotStatus = NEVER_STARTED
    notices: list[StoredNotice] = field(default_factory=list)
    noticed: int = 0
    quotas: dict[tuple[str, str], int] = field(default_factory=dict)
    keys_used: dict[str, KeyInUse] = field(default_factory=dict)
    events: list[AuditRow] = field(default_factory=list)

    def revisions(self, chat: ChannelId, message: MessageId) -> list[InboxRow]:
        """Return the stored revisions of a message, oldest first."""
        rows = (
            row for key, row in self.messages.items() if key.chat == chat and key.message == message
        )
        return sorted(rows, key=lambda row: row.known.order)

    def count_up(self, use: QuotaUse) -> int | None:
        """Count it, return what is used up then; None, and nothing counted, if it is too much."""
        used = self.quotas.get((use.day, use.kind), 0) + use.count
        if used > use.limit:
            return None
        self.quotas[use.day, use.kind] = used
        return used


@dataclass(slots=True)
class State:
    """All rows of the store."""

    cell: str
    is_down: bool = False
    is_closed: bool = False
    installation: InstallationId | None = None
    fences: dict[tuple[str, int], tuple[int, str]] = field(default_factory=dict)
    users: dict[UserId, UserProfile] = field(default_factory=dict)
    sessions: dict[str, WebSession] = field(default_factory=dict)
    attempts: dict[tuple[str, str], list[datetime]] = field(default_factory=dict)
    rows: dict[UserId, UserRows] = field(default_factory=dict)
    wish_rev: int = 0
    arming: Arming = field(default_factory=lambda: Arming(generation=None))
    departures: dict[str, Departure] = field(default_factory=dict)
    shredded: dict[UserId, datetime] = field(default_factory=dict)

    def require_up(self) -> None:
        if self.is_closed:
            raise StoreUnavailableError("the store is closed")
        if self.is_down:
            raise StoreUnavailableError("the store is down")

    def read(self, user: UserId) -> UserRows:
        """Return a user's rows; a user without any has none, as in a database."""
        self.require_up()
        return self.rows.get(user) or UserRows()

    def write(self, user: UserId) -> UserRows:
        """Return a user's rows for writing; there must be such a user."""
        self.require_up()
        if user not in self.users:
            raise RefusedError("there is no such user; add the user first")
        return self.rows.setdefault(user, UserRows())

    def write_fenced(self, user: UserId, epoch: int) -> UserRows:
        """Return a user's rows for writing under the epoch that owns the user's slot."""
        self.require_up()
        profile = self.users.get(user)
        fence = self.fences.get((self.cell, profile.slot)) if profile else None
        if fence is None or fence[0] != epoch:
            raise FencedError("this epoch does not own the user's slot")
        return self.write(user)


def json_text(values: Mapping[str, object], what: str) -> str:
    """Return the values as canonical JSON, as a database would keep them."""
    try:
        return json.dumps(values, sort_keys=True, allow_nan=False)
    except (TypeError, ValueError) as e:
        raise DomainError(f"{what} must hold JSON values only") from e


def json_copy(values: Mapping[str, object], what: str) -> Mapping[str, object]:
    """Return a copy that shares nothing with the caller."""
    copied: dict[str, object] = json.loads(json_text(values, what))
    return copied


def require_aware(*moments: datetime | None) -> None:
    if any(moment is not None and moment.tzinfo is None for moment in moments):
        raise DomainError("a time must have a time zone")
