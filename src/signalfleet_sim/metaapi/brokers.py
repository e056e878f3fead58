"""The brokers behind the simulator: whose symbols, whose habits; each with books of its own."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from signalfleet.domain.exchange.costs import Costs, Swap
from signalfleet.domain.exchange.engine import Exchange
from signalfleet.domain.exchange.model import Change
from signalfleet.domain.exchange.prices import PriceBoard
from signalfleet.domain.money import Lots
from signalfleet_sim.market.listing import FOK, Listing
from signalfleet_sim.market.seeded import SeededMarket
from signalfleet_sim.metaapi.hours import ALWAYS, Hours, but_weekends


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerProfile:
    """A broker's habits. `names` maps the market's symbols to its own."""

    company: str
    server: str
    names: Mapping[str, str] = field(default_factory=dict)
    suffix: str = ""
    changes: Mapping[str, Any] = field(default_factory=dict)
    index_changes: Mapping[str, Any] = field(default_factory=dict)
    commission_per_lot: Decimal = Decimal(0)
    utc_offset_hours: int = 2
    rewrites_comments: bool = False
    keeps_weekends: bool = False

    def symbol_of(self, market_symbol: str) -> str:
        return self.names.get(market_symbol, market_symbol + self.suffix)


PROFILES: Final = {
    "clean": BrokerProfile(
        company="Clear Harbour Markets Ltd",
        server="ClearHarbour-Demo",
        commission_per_lot=Decimal("3.5"),
    ),
    "suffixes": BrokerProfile(
        company="Northgate Prime Ltd",
        server="Northgate-Live3",
        names={"US30": "US30.cash", "NAS100": "US100.cash", "GER40": "GER40.cash"},
        suffix="m",
        changes={"stops_level": 20, "filling_modes": (FOK,)},
        index_changes={"pip_size": None},
    ),
    "awkward": BrokerProfile(
        company="Old Mill Securities",
        server="OldMill-Server",
        changes={"min_lots": Lots.of("0.1"), "lot_step": Decimal("0.1"), "freeze_level": 5},
        utc_offset_hours=3,
        rewrites_comments=True,
        keeps_weekends=True,
    ),
}


class Broker:
    """One broker server: its symbols on the market's prices, and the books of its accounts."""

    def __init__(
        self, profile: BrokerProfile, market: SeededMarket, observe: Callable[[Change], None]
    ) -> None:
        self.profile = profile
        self.board = PriceBoard()
        self.market_symbol: dict[str, str] = {}
        self._market = market
        self._own: dict[str, str] = {}
        self._quoteless: set[str] = set()
        self._closed_by_hand: set[str] = set()
        self._hours: dict[str, Hours] = {}
        swaps: dict[str, Swap] = {}
        for symbol in market.symbols:
            listing = market.listing(symbol)
            own = profile.symbol_of(symbol)
            changes = dict(profile.changes)
            if listing.path.startswith("Indices"):
                changes |= profile.index_changes
            self.board.put_instrument(replace(listing.instrument, name=own, **changes))
            self.market_symbol[own] = symbol
            self._own[symbol] = own
            swaps[own] = Swap(long=listing.swap_long, short=listing.swap_short)
            if profile.keeps_weekends and not listing.is_always_open:
                self._hours[own] = but_weekends(self._ahead)
        self.exchange = Exchange(
            self.board,
            costs=Costs(commission_per_lot=profile.commission_per_lot, swaps=swaps),
            observe=observe,
        )
        self.take_quotes(market.symbols)

    def listing(self, symbol: str) -> Listing:
        """Return the market's listing behind one of the broker's own symbols."""
        return self._market.listing(self.market_symbol[symbol])

    def take_quotes(self, market_symbols: Iterable[str]) -> list[str]:
        """Copy the market's latest prices; return the own symbols that have a new quote."""
        taken = []
        for symbol in market_symbols:
            own = self._own[symbol]
            sides = self._market.board.sides(symbol)
            if sides is not None and own not in self._quoteless:
                self.board.update(own, *sides)
                taken.append(own)
        return taken

    def run(self, market_symbols: Iterable[str], now: datetime) -> None:
        """Take new prices and carry out all that they and the time bring about."""
        self._keep_hours(now)
        for own in self.take_quotes(market_symbols):
            self.exchange.on_quote(own, now)
        self.exchange.expire(now)

    def stop_quotes(self, symbol: str, *, is_stopped: bool) -> None:
        if is_stopped:
            self._quoteless.add(symbol)
            self.board.forget(symbol)
        else:
            self._quoteless.discard(symbol)
            self.take_quotes([self.market_symbol[symbol]])

    def close_market(self, symbol: str, *, is_closed: bool) -> None:
        (self._closed_by_hand.add if is_closed else self._closed_by_hand.discard)(symbol)
        self.board.set_open(symbol, is_open=not is_closed)

    def hours(self, symbol: str) -> Hours:
        return self._hours.get(symbol, ALWAYS)

    def keep_hours(self, symbol: str, hours: Hours) -> None:
        self._hours[symbol] = hours

    def _keep_hours(self, now: datetime) -> None:
        local = now + self._ahead
        for own, hours in self._hours.items():
            is_open = hours.is_open(local) and own not in self._closed_by_hand
            self.board.set_open(own, is_open=is_open)

    @property
    def _ahead(self) -> timedelta:
        return timedelta(hours=self.profile.utc_offset_hours)

    def local_time(self, now: datetime) -> str:
        """Return the broker's wall clock, which says nothing about its zone."""
        shifted = now + self._ahead
        return shifted.strftime("%Y-%m-%d %H:%M:%S.") + f"{shifted.microsecond // 1000:03d}"
