"""The system of record. A user's data is reached through `store.user(user_id)` and nowhere else.

Writes of a user's trading carry the epoch under which the worker owns the user's slot, and raise
FencedError if somebody newer owns it. StoreUnavailableError means that nothing was written, unless
it is a StoreInDoubtError. Lists are bounded. Another user's row is absent, never forbidden.
Other writes raise RefusedError for nobody, DomainError for what their column or JSON cannot hold.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from signalfleet.domain.accounts.bot_state import BotState
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
    Decision,
    MessageKey,
    Settlement,
    SignalRecord,
    TraceStep,
    Trade,
)
from signalfleet.domain.trading.reports import AccountFacts, Position, WorkingOrder
from signalfleet.ports.departures import Arming, Departures
from signalfleet.ports.fleet_rows import AttemptLimit, UserMark, WebSession
from signalfleet.ports.inbox import Inbox
from signalfleet.ports.notices import Notices
from signalfleet.ports.sealed import Credentials
from signalfleet.ports.tenant_records import AuditTrail, Idempotency, Quota, Retention


class DecideResult(StrEnum):
    CLAIMED = "claimed"
    ALREADY_DECIDED = "already_decided"
    QUOTA_FULL = "quota_full"


class OrderJournal(Protocol):
    async def decide(self, decision: Decision, epoch: int) -> DecideResult:
        """Write a decision as one unit and mark its revision DONE.

        ALREADY_DECIDED, and nothing written, if the revision is not NEW any more, or if it brings
        signals and a signal of that message with another `entry_rev` exists, or if a signal, copy,
        trade or intent of it is stored already. A signal without outcome gets that of its copies.
        QUOTA_FULL, and nothing written, if its day has no room for what the decision uses up.
        """
        ...

    async def settle(self, settlement: Settlement, epoch: int) -> None:
        """Replace intents, trades and copies by the given ones as one unit.

        Adds `added_intents` that are not there yet (one that exists already stays as it is).
        Derives and stores the signal's outcome and reason from its copies. ConflictError, and
        nothing written, if a row to be replaced is not stored.
        """
        ...

    async def open_intents(self) -> tuple[Intent, ...]:
        """Return intents in state HELD, SENDING or UNKNOWN, oldest first."""
        ...

    async def get_intents(self, intents: Sequence[IntentId]) -> tuple[Intent, ...]: ...

    async def intents_of_trades(self, trades: Sequence[TradeId]) -> tuple[Intent, ...]: ...

    async def live_trades(self, account: AccountId | None = None) -> tuple[Trade, ...]: ...

    async def get_trade(self, trade_id: TradeId) -> Trade | None: ...

    async def trades_of_signals(self, signals: Sequence[SignalId]) -> tuple[Trade, ...]: ...

    async def recent_trades(self, limit: int = 100) -> tuple[Trade, ...]:
        """Return trades, newest decision first, closed ones too."""
        ...

    async def get_signal(self, signal_id: SignalId) -> SignalRecord | None: ...

    async def signals_of_message(
        self, chat: ChannelId, message: MessageId
    ) -> tuple[SignalRecord, ...]: ...

    async def recent_signals(
        self, chat: ChannelId | None = None, limit: int = 20
    ) -> tuple[SignalRecord, ...]:
        """Return the newest signals, newest first."""
        ...

    async def copies_of_signals(self, signals: Sequence[SignalId]) -> tuple[Copy, ...]: ...

    async def trace(self, key: MessageKey) -> tuple[TraceStep, ...]: ...


class CopyMode(StrEnum):
    OFF = "off"
    PAPER = "paper"
    APPROVE = "approve"
    ON = "on"


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    chat: ChannelId
    kind: str
    title: str
    access_hash: int
    mode: CopyMode = CopyMode.OFF
    checkpoint: int = 0
    seen_max: int = 0
    pts_seen: int | None = None
    is_protected: bool = False
    version: int = 0


class Channels(Protocol):
    async def list(self) -> tuple[Channel, ...]: ...

    async def get(self, chat: ChannelId) -> Channel | None: ...

    async def put(self, channel: Channel) -> Channel:
        """Save title, kind, access hash and mode.

        ConflictError unless `version` is the stored one (0: it must not exist). Marks of reading
        are moved by the inbox only.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A trading account. `broker`: metaapi or paper. `mode`: PAPER, DEMO or LIVE."""

    account_id: AccountId
    broker: str
    mode: str
    metaapi_account_id: str | None = None
    region: str | None = None
    server: str | None = None
    login_masked: str | None = None
    currency: str | None = None
    state: str = "READY"
    version: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountView:
    """The account as last seen at the broker, for showing."""

    facts: AccountFacts
    positions: tuple[Position, ...]
    orders: tuple[WorkingOrder, ...]
    seen_at: datetime


class Accounts(Protocol):
    async def list(self) -> tuple[Account, ...]: ...

    async def get(self, account: AccountId) -> Account | None: ...

    async def put(self, account: Account) -> Account:
        """Save; ConflictError unless `version` is the stored one (0: it must not exist)."""
        ...

    async def put_view(self, account: AccountId, view: AccountView, epoch: int) -> None: ...

    async def view(self, account: AccountId) -> AccountView | None: ...


class SettingsDocs(Protocol):
    """Settings by scope: user, account:<id>, channel:<chat>."""

    async def get(self, scope: str) -> tuple[Mapping[str, object], int]:
        """Return the document and its version; an absent one is ({}, 0)."""
        ...

    async def put(self, scope: str, doc: Mapping[str, object], version: int) -> int: ...

    async def versions(self) -> Mapping[str, int]: ...

    async def list(self) -> Mapping[str, Mapping[str, object]]:
        """Return all documents by their scopes."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class BotStatus:
    """What is wished and what is so. `halted`: the user pressed Stop, entries are refused."""

    wish_on: bool
    halted: bool
    state: BotState
    reason: str | None
    since: datetime | None
    retry_at: datetime | None
    crashes: int
    wish_rev: int


class BotRecord(Protocol):
    async def status(self) -> BotStatus: ...

    async def set_wish(self, *, on: bool, by: str) -> None: ...

    async def set_halted(self, *, halted: bool) -> None: ...

    async def set_state(
        self,
        state: BotState,
        *,
        reason: str | None,
        since: datetime,
        retry_at: datetime | None,
        crashes: int,
        epoch: int,
    ) -> None: ...


class UserStore(Protocol):
    @property
    def user_id(self) -> UserId: ...
    @property
    def inbox(self) -> Inbox: ...
    @property
    def journal(self) -> OrderJournal: ...
    @property
    def channels(self) -> Channels: ...
    @property
    def accounts(self) -> Accounts: ...
    @property
    def settings(self) -> SettingsDocs: ...
    @property
    def credentials(self) -> Credentials: ...
    @property
    def bot(self) -> BotRecord: ...
    @property
    def notices(self) -> Notices: ...
    @property
    def quota(self) -> Quota: ...
    @property
    def idempotency(self) -> Idempotency: ...
    @property
    def events(self) -> AuditTrail: ...
    @property
    def retention(self) -> Retention: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class UserProfile:
    user_id: UserId
    telegram_id: int | None
    display_name: str
    tier: str
    timezone: str
    slot: int


class Fleet(Protocol):
    """What workers, sign-in and operators need across users. Returns no secrets."""

    async def installation(self) -> InstallationId:
        """Return this installation's id, made at the first call."""
        ...

    async def arming(self) -> Arming: ...

    async def set_arming(self, arming: Arming) -> None:
        """Say that this database is the one that trades; `generation` must be given."""
        ...

    async def slot_epochs(self, cell: str, slots: Sequence[int]) -> Mapping[int, int]:
        """Return the epoch under which each of the slots is owned, 0 where it never was."""
        ...

    async def raise_fences(
        self, cell: str, epochs: Mapping[int, int], worker: str
    ) -> frozenset[int]:
        """Take each slot under its epoch where the stored one is lower; return the slots taken.

        From then on nobody writes for their users under another epoch.
        """
        ...

    async def add_user(self, profile: UserProfile) -> UserProfile:
        """Store a new user, or return the one that has this Telegram id already."""
        ...

    async def get_user(self, user_id: UserId) -> UserProfile | None: ...

    async def set_tier(self, user_id: UserId, tier: str) -> UserProfile: ...

    async def user_by_telegram(self, telegram_id: int) -> UserProfile | None: ...

    async def users_of_slots(self, cell: str, slots: Sequence[int]) -> tuple[UserId, ...]: ...

    async def marks(self, cell: str, slots: Sequence[int]) -> Mapping[UserId, UserMark]:
        """Tell of all users of these slots at once who has to be looked at.

        A store that cannot tell cheaply leaves users out: they are looked at one by one.
        """
        ...

    async def wishes_since(self, rev: int, limit: int = 500) -> tuple[tuple[UserId, int], ...]:
        """Return users whose wish or halt changed after `rev`, with the new rev, in order."""
        ...

    async def put_session(self, sid_hash: str, session: WebSession) -> None: ...

    async def session(self, sid_hash: str) -> WebSession | None: ...

    async def delete_session(self, sid_hash: str) -> None: ...

    async def count_attempt(
        self, kind: str, key: str, at: datetime, limits: Sequence[AttemptLimit]
    ) -> datetime | None:
        """Count an attempt and return None; at a limit count nothing, return when it is over.

        Whoever counts, in whatever process, counts together. `key` names no person in clear text.
        """
        ...


class Store(Protocol):
    def user(self, user_id: UserId) -> UserStore: ...

    @property
    def fleet(self) -> Fleet: ...

    @property
    def departures(self) -> Departures: ...

    async def ready(self) -> None:
        """Return if the store can be read and written; StoreUnavailableError otherwise."""
        ...

    async def aclose(self) -> None: ...
