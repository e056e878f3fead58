"""Everything that the simulator knows: accounts, tokens, brokers and the market below them."""

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

from signalfleet.domain.errors import DomainError
from signalfleet.domain.exchange.model import AccountTerms, Change, MarginMode
from signalfleet.domain.ids import AccountId
from signalfleet_sim.market.clock import SimClock, moment
from signalfleet_sim.market.seeded import SeededMarket
from signalfleet_sim.metaapi.accounts import Lifecycle, Login, Pace, SimAccount, Token
from signalfleet_sim.metaapi.brokers import PROFILES, Broker, BrokerProfile
from signalfleet_sim.metaapi.journal import Journal
from signalfleet_sim.metaapi.trailing import trail
from signalfleet_sim.metaapi.views import Lags

REGIONS: Final = ("new-york", "london")
_MARGIN_EVERY_S: Final = 5.0
_TRAIL_EVERY_S: Final = 0.2
_FIRST_LOGIN: Final = 5_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Habits:
    """How slow and how fussy the simulated service is."""

    lags: Lags = field(default_factory=Lags)
    pace: Pace = field(default_factory=Pace)
    trade_latency_s: tuple[float, float] = (0.005, 0.04)
    detections: int = 1
    """How many times a new account is answered 202 before 201."""
    stocks: int = 0
    """How many names are listed besides, as by real brokers; they cannot be traded here."""
    account_quota: int = 100
    trailing_pause_s: float = 15.0
    domain: str = "127.0.0.1"
    demo_password: str = "demo-password"  # noqa: S105  opens simulated accounts only
    """Opens any login number at any of the brokers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Holdings:
    """What a broker account is: its money and its rules. `limits` are fields of AccountTerms."""

    balance: Decimal | int | str = 10_000
    currency: str = "USD"
    hedging: bool = True
    leverage: int = 100
    name: str | None = None
    is_investor: bool = False
    is_real: bool = False
    trade_allowed: bool = True
    limits: Mapping[str, Any] = field(default_factory=dict)


class World:
    def __init__(
        self,
        market: SeededMarket,
        clock: SimClock,
        rng: random.Random,
        *,
        habits: Habits,
        profiles: Mapping[str, BrokerProfile] = PROFILES,
    ) -> None:
        self.market = market
        self.clock = clock
        self.rng = rng
        self.habits = habits
        self.journal = Journal()
        self.accounts: dict[str, SimAccount] = {}
        self.count_of: dict[str, int] = {}
        """How many accounts each MetaApi user has."""
        self.tokens: dict[str, Token] = {}
        self.logins: dict[tuple[str, str], Login] = {}
        self.brokers = {
            name: Broker(profile, market, self._observed) for name, profile in profiles.items()
        }
        self._next_login = _FIRST_LOGIN
        self._margin_at = self._trail_at = clock.time()

    def now(self) -> float:
        return self.clock.time()

    def add_token(
        self,
        token: str,
        *,
        user_id: str | None = None,
        is_account_token: bool = False,
        only: frozenset[str] | None = None,
    ) -> Token:
        """Make a token known, of a new MetaApi user unless one is named."""
        kept = Token(
            user_id=user_id or self.new_id().replace("-", ""),
            is_account_token=is_account_token,
            only=only,
        )
        self.tokens[token] = kept
        return kept

    def new_token(self, prefix: str = "sim") -> str:
        """Make a token in the three parts that an API token has, and make it known."""
        parts = (f"{prefix}{self.rng.getrandbits(64):016x}" for _ in range(3))
        token = ".".join(parts)
        self.add_token(token)
        return token

    def new_id(self) -> str:
        text = f"{self.rng.getrandbits(128):032x}"
        return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))

    def add_account(
        self,
        *,
        user_id: str,
        broker: str = "clean",
        region: str = REGIONS[0],
        state: str = "DEPLOYED",
        account_id: str | None = None,
        login: str | None = None,
        **terms: Any,  # noqa: ANN401  the fields of Holdings
    ) -> SimAccount:
        """Add an account with its books; `terms` are the fields of `Holdings`."""
        account = self.add_draft(
            user_id=user_id, broker=broker, region=region, state=state, account_id=account_id
        )
        self._open_books(account, login or str(self.next_login()), Holdings(**terms))
        return account

    def add_draft(
        self,
        *,
        user_id: str,
        broker: str,
        region: str,
        state: str = "DRAFT",
        account_id: str | None = None,
    ) -> SimAccount:
        """Add an account that has no books at the broker yet."""
        house = self.brokers.get(broker)
        if house is None:
            raise DomainError(f"no broker {broker}; there are {', '.join(self.brokers)}")
        ident = AccountId(account_id or self.new_id())
        if ident in self.accounts:
            raise DomainError(f"account {ident} exists already")
        now = self.now()
        account = SimAccount(
            ident,
            user_id,
            house,
            region=region,
            life=Lifecycle(self.habits.pace, state, now),
            lags=self.habits.lags,
            rng=self.rng,
        )
        account.created_at = now
        self.accounts[ident] = account
        self.count_of[user_id] = self.count_of.get(user_id, 0) + 1
        return account

    def remove_account(self, account: SimAccount) -> None:
        del self.accounts[account.account_id]
        self.count_of[account.user_id] -= 1

    def configure(self, account: SimAccount, login: str, known: Login, password: str) -> None:
        """Connect a draft with the broker account that a login opens."""
        if not account.login:
            self._open_books(account, login, Holdings(**known.terms))
        account.is_investor = password == known.investor_password

    def find_login(self, server: str, login: str, password: str) -> Login | None:
        """Return the login that this password opens; the demo password opens any number."""
        known = self.logins.get((server, login))
        if known is None:
            is_demo = login.isdecimal() and password == self.habits.demo_password
            return Login(password=password) if is_demo else None
        return known if password in {known.password, known.investor_password} else None

    def next_login(self) -> int:
        self._next_login += 1
        return self._next_login

    def _open_books(self, account: SimAccount, login: str, holdings: Holdings) -> None:
        account.login = login
        account.name = holdings.name or f"account {login}"
        account.is_investor, account.is_real = holdings.is_investor, holdings.is_real
        terms = AccountTerms(
            currency=holdings.currency,
            leverage=holdings.leverage,
            mode=MarginMode.HEDGING if holdings.hedging else MarginMode.NETTING,
            **holdings.limits,
        )
        book = account.broker.exchange.open_account(
            account.account_id, terms, Decimal(holdings.balance), moment(self.now())
        )
        book.is_trade_allowed = holdings.trade_allowed

    def broker_at(self, server: str) -> str | None:
        """Return the name of the broker that runs a server."""
        for name, broker in self.brokers.items():
            if broker.profile.server == server:
                return name
        return None

    def tick(self) -> None:
        """Bring prices and all that follows from them to the present moment."""
        now = self.now()
        symbols = self.market.tick(now)
        if not symbols:
            return
        at = moment(now)
        for broker in self.brokers.values():
            broker.run(symbols, at)
        if now - self._trail_at >= _TRAIL_EVERY_S:
            self._trail_at = now
            for account in self.accounts.values():
                if account.trailing and account.life.is_ready(now):
                    trail(account, now, self.habits.trailing_pause_s)
        if now - self._margin_at >= _MARGIN_EVERY_S:
            self._margin_at = now
            for broker in self.brokers.values():
                broker.exchange.enforce_margin(at)

    def spread_prices(self) -> None:
        """Hand the market's prices on at once, as after a jump."""
        at = moment(self.now())
        for broker in self.brokers.values():
            broker.run(self.market.symbols, at)

    def _observed(self, change: Change) -> None:
        account = self.accounts.get(change.account)
        if account is not None:
            account.view.add(change, self.clock.time())
