"""What every bot of a worker shares."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from signalfleet.app.rush import Rush
from signalfleet.app.store_pulse import StorePulse
from signalfleet.bots.budgets import Budgets
from signalfleet.domain.accounts.tiers import UserQuota, limits_of
from signalfleet.domain.ids import InstallationId, UserId
from signalfleet.domain.risk.prop_packs import PropPack
from signalfleet.domain.signals.parse import Parser
from signalfleet.domain.trading.settle import SettleRules
from signalfleet.ports.broker import Broker
from signalfleet.ports.bus import Bus
from signalfleet.ports.calendar import NewsCalendar
from signalfleet.ports.chat_source import ChatSource
from signalfleet.ports.clock import Chance, Clock
from signalfleet.ports.lease import Lease
from signalfleet.ports.metrics import Metrics
from signalfleet.ports.patterns import PatternCompiler
from signalfleet.ports.secrets import CredentialStore, Secret
from signalfleet.ports.store import Account, Store


@dataclass(frozen=True, slots=True, kw_only=True)
class BotServices:
    """Shared parts of a worker. `look_interval`: how often an account with live trades is read.

    `wake_by_bus`: new messages wake their bot through the work queue and not in memory.
    `recover` tells the store, before a bot reads it, what could not be written there in time.
    `limits_of` gives what a tier allows.
    `notified` hears of each user who was told something, for what goes out of the house.
    `budgets` hold what each bot uses against its limits; without them no bot is limited.
    `lease_of` gives the hold on a user's slot, None where no other process can take it over.
    """

    store: Store
    bus: Bus
    clock: Clock
    chance: Chance
    metrics: Metrics
    parser: Parser
    patterns: PatternCompiler
    credentials: CredentialStore
    installation: InstallationId
    settle_rules: SettleRules
    look_interval: timedelta
    wake_by_bus: bool
    make_chat_source: Callable[[UserId, Secret], ChatSource]
    make_broker: Callable[[UserId, Account, Secret | None], Broker]
    recover: Callable[[UserId, int], Awaitable[None]] | None = None
    calendar: NewsCalendar | None = None
    packs: Mapping[str, PropPack] = field(default_factory=dict)
    limits_of: Callable[[str], UserQuota] = limits_of
    lease_of: Callable[[UserId], Lease | None] = lambda _user: None
    notified: Callable[[UserId], None] = lambda _user: None
    pulse: StorePulse = field(default_factory=StorePulse)
    rush: Rush = field(default_factory=Rush)
    entries_not_before: datetime | None = None
    budgets: Budgets | None = None
