"""Everything that one user's use cases share: who, which store, which epoch, which accounts."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo

from signalfleet.app.channel_profiles import ChannelProfiles
from signalfleet.app.desk import AccountDesk
from signalfleet.app.rush import Rush
from signalfleet.app.store_pulse import StorePulse
from signalfleet.domain.accounts.copy_states import CopyStates
from signalfleet.domain.accounts.tiers import FREE, UserQuota
from signalfleet.domain.ids import AccountId, ChannelId, InstallationId, SignalId, UserId
from signalfleet.domain.risk.checks import OpenCopy
from signalfleet.domain.risk.prop_packs import PropPack
from signalfleet.domain.settings.resolve import Effective
from signalfleet.domain.signals.parse import Parser
from signalfleet.domain.trading.intents import Intent
from signalfleet.domain.trading.settle import SettleRules
from signalfleet.ports.calendar import NewsCalendar
from signalfleet.ports.clock import Clock
from signalfleet.ports.lease import Lease
from signalfleet.ports.metrics import Metrics
from signalfleet.ports.store import UserStore

Merging = tuple[ChannelId | None, AccountId | None]
"""What settings are merged for."""


@dataclass(slots=True, kw_only=True)
class UserDesk:
    """`halted` is the user's Stop as last read, at the monotonic time `halt_seen_at`.

    Whoever reads rows to write what follows from them holds `settling` meanwhile. `clock_offset` is
    Telegram's clock minus ours, None while nobody knows; `lease` None where no other process can
    own the user's slot. `states` are read together with the Stop; `zone` is that of the user's
    pages, `quota` what the user's plan allows. `has_paused`: instructions may wait for a tap;
    `released` are those that got it, written down and not yet on their way. `merged` keeps settings
    in force, with the very documents that they were merged from; `ended_copies` are the newest ones
    of each account that were filled and are over.
    """

    user: UserId
    installation: InstallationId
    store: UserStore
    epoch: int
    clock: Clock
    metrics: Metrics
    parser: Parser
    profiles: ChannelProfiles
    settle_rules: SettleRules
    accounts: Mapping[AccountId, AccountDesk] = field(default_factory=dict)
    halted: bool = False
    halt_seen_at: float = 0.0
    states: CopyStates = field(default_factory=CopyStates)
    zone: tzinfo = UTC
    quota: UserQuota = FREE
    calendar: NewsCalendar | None = None
    packs: Mapping[str, PropPack] = field(default_factory=dict)
    clock_offset: timedelta | None = None
    lease: Lease | None = None
    entries_not_before: datetime | None = None
    has_paused: bool = True
    released: list[Intent] = field(default_factory=list)
    pulse: StorePulse = field(default_factory=StorePulse)
    rush: Rush = field(default_factory=Rush)
    settling: asyncio.Lock = field(default_factory=asyncio.Lock)
    ended_copies: dict[AccountId, dict[SignalId, OpenCopy]] = field(default_factory=dict)
    merged: dict[Merging, tuple[tuple[object, ...], Effective]] = field(default_factory=dict)

    def take_released(self, account: AccountId) -> list[Intent]:
        """Return an account's released intents, once."""
        mine = [one for one in self.released if one.account == account]
        self.released = [one for one in self.released if one.account != account]
        return mine

    def telegram_now(self) -> datetime:
        """Return the time by Telegram's clock, which dates the messages."""
        return self.clock.now() + (self.clock_offset or timedelta(0))
