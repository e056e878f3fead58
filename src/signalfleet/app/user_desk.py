"""Everything that one user's use cases share: who, which store, which epoch, which accounts."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

from signalfleet.app.desk import AccountDesk
from signalfleet.domain.ids import AccountId, InstallationId, UserId
from signalfleet.domain.signals.parse import Parser
from signalfleet.domain.trading.settle import SettleRules
from signalfleet.ports.clock import Clock
from signalfleet.ports.metrics import Metrics
from signalfleet.ports.store import UserStore


@dataclass(slots=True, kw_only=True)
class UserDesk:
    """`halted` is the user's Stop as last read; the gate looks at it before every entry.

    Whoever reads rows to write what follows from them holds `settling` meanwhile.
    """

    user: UserId
    installation: InstallationId
    store: UserStore
    epoch: int
    clock: Clock
    metrics: Metrics
    parser: Parser
    settle_rules: SettleRules
    accounts: Mapping[AccountId, AccountDesk] = field(default_factory=dict)
    halted: bool = False
    settling: asyncio.Lock = field(default_factory=asyncio.Lock)
