"""What every bot of a worker shares."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from signalfleet.domain.ids import InstallationId, UserId
from signalfleet.domain.signals.parse import Parser
from signalfleet.domain.trading.settle import SettleRules
from signalfleet.ports.broker import Broker
from signalfleet.ports.bus import Bus
from signalfleet.ports.chat_source import ChatSource
from signalfleet.ports.clock import Chance, Clock
from signalfleet.ports.metrics import Metrics
from signalfleet.ports.secrets import CredentialStore, Secret
from signalfleet.ports.store import Account, Store


@dataclass(frozen=True, slots=True, kw_only=True)
class BotServices:
    """Shared parts of a worker. `look_interval`: how often an account with live trades is read.

    `wake_by_bus`: new messages wake their bot through the work queue and not in memory.
    """

    store: Store
    bus: Bus
    clock: Clock
    chance: Chance
    metrics: Metrics
    parser: Parser
    credentials: CredentialStore
    installation: InstallationId
    settle_rules: SettleRules
    look_interval: timedelta
    wake_by_bus: bool
    make_chat_source: Callable[[UserId, Secret], ChatSource]
    make_broker: Callable[[UserId, Account, Secret | None], Broker]
