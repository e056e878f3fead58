"""Accounts and tokens as MetaApi keeps them: who may see what, and the life of a deployment."""

import math
import random
from dataclasses import dataclass, field
from typing import Any, Final

from signalfleet.domain.ids import AccountId
from signalfleet_sim.metaapi.brokers import Broker
from signalfleet_sim.metaapi.views import LaggedView, Lags

READY: Final = ("DEPLOYED", "CONNECTED")


@dataclass(slots=True)
class Token:
    """A secret and what it opens. `only` narrows it to some accounts."""

    user_id: str
    is_account_token: bool = False
    is_revoked: bool = False
    only: frozenset[str] | None = None
    valid_until: float = math.inf


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How long the steps of a deployment take, in seconds; `speed` divides them all."""

    deploy_s: float = 3.0
    connect_s: float = 2.0
    undeploy_s: float = 1.0
    speed: float = 1.0


class Lifecycle:
    """State and connection of one account; a pure function of what was asked and the time."""

    def __init__(self, pace: Pace, state: str, now: float) -> None:
        self._pace = pace
        self._state = state
        self._turns_at: float | None = None
        self._turns_to = state
        self._connects_at = now
        self.disconnected_until = 0.0

    def state(self, now: float) -> str:
        if self._turns_at is not None and now >= self._turns_at:
            self._state = self._turns_to
            if self._state == "DEPLOYED":
                self._connects_at = self._turns_at + self._pace.connect_s / self._pace.speed
            self._turns_at = None
        return self._state

    def connection(self, now: float) -> str:
        if self.state(now) != "DEPLOYED" or now < self._connects_at:
            return "DISCONNECTED"
        return "DISCONNECTED_FROM_BROKER" if now < self.disconnected_until else "CONNECTED"

    def is_ready(self, now: float) -> bool:
        return self.connection(now) == "CONNECTED"

    def deploy(self, now: float) -> None:
        if self.state(now) not in {"DEPLOYED", "DEPLOYING"}:
            self._turn("DEPLOYING", "DEPLOYED", now, self._pace.deploy_s)

    def undeploy(self, now: float) -> None:
        if self.state(now) not in {"UNDEPLOYED", "UNDEPLOYING", "DRAFT"}:
            self._turn("UNDEPLOYING", "UNDEPLOYED", now, self._pace.undeploy_s)

    def redeploy(self, now: float) -> None:
        self._turn("DEPLOYING", "DEPLOYED", now, self._pace.undeploy_s + self._pace.deploy_s)

    def configured(self) -> None:
        """Leave the draft: the user has given the account's password."""
        self._state, self._turns_at = "CREATED", None

    def _turn(self, state: str, then: str, now: float, after_s: float) -> None:
        self._state, self._turns_to = state, then
        self._turns_at = now + after_s / self._pace.speed


@dataclass(slots=True, kw_only=True)
class Twists:
    """What faults make of an account for a while; times are clock readings."""

    lost_client_ids_until: float = 0.0
    rewritten_comments_until: float = 0.0
    missing_history_until: float = 0.0
    synchronizing_until: float = 0.0
    server_time_offset_s: float = 0.0


class SimAccount:
    """One account of one MetaApi user at one broker."""

    def __init__(
        self,
        account_id: AccountId,
        user_id: str,
        broker: Broker,
        *,
        region: str,
        life: Lifecycle,
        lags: Lags,
        rng: random.Random,
        login: str = "",
    ) -> None:
        self.account_id = account_id
        self.user_id = user_id
        self.broker = broker
        self.region = region
        self.life = life
        self.view = LaggedView(lags, rng)
        self.login = login
        self.name = f"account {login or account_id[:8]}"
        self.magic = 0
        self.is_investor = False
        self.is_real = False
        self.has_manual_trades = False
        self.created_at = 0.0
        self.in_flight = 0
        self.trailing: dict[int, Any] = {}
        self.twists = Twists()
        self.extras: dict[str, Any] = {}
        self.client_ids: set[str] = set()
        self.reads: list[float] = []
        self.traded_at = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """A login that a broker server knows, with what its account holds."""

    password: str
    investor_password: str = ""
    terms: dict[str, Any] = field(default_factory=dict)
