"""A market whose prices are a pure function of seed, moments and what scripts asked for."""

import random
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Final

from signalfleet.domain.errors import DomainError
from signalfleet.domain.exchange.prices import PriceBoard
from signalfleet.domain.instruments.model import Instrument, Quote
from signalfleet.domain.money import Price
from signalfleet_sim.market.candles import Candle, CandleBook
from signalfleet_sim.market.clock import SimClock, moment
from signalfleet_sim.market.listing import LISTINGS, Listing

_HOME_PULL_PER_S: Final = 1 / 20_000
_STEERED_NOISE: Final = 0.35


@dataclass(frozen=True, slots=True)
class _Course:
    target_mid: int
    until: float


class _Path:
    """The mid of one symbol in whole ticks, with the part of a tick that is still owed."""

    __slots__ = ("course", "home", "listing", "mid", "mood", "owed", "spread")

    def __init__(self, listing: Listing) -> None:
        self.listing = listing
        self.home = self.mid = int(listing.start / listing.instrument.tick_size)
        self.spread = listing.spread_ticks
        self.mood = float(listing.ticks_per_root_second)
        self.owed = 0.0
        self.course: _Course | None = None

    def step(self, now: float, elapsed: float, noise: float) -> None:
        course = self.course
        if course is None:
            move = noise * self.mood * elapsed**0.5
            move -= (self.mid - self.home) * _HOME_PULL_PER_S * elapsed
        elif now >= course.until:
            self.mid, self.owed, self.course = course.target_mid, 0.0, None
            # It stays about where it was brought, instead of being pulled back at once.
            self.home = self.mid
            return
        else:
            left = course.until - now + elapsed
            move = (course.target_mid - self.mid) * min(1.0, elapsed / left)
            calm = min(1.0, (course.until - now) / 5)
            move += noise * self.mood * elapsed**0.5 * _STEERED_NOISE * calm
        self.owed += move
        whole = round(self.owed)
        self.owed -= whole
        self.mid = max(self.spread + 1, self.mid + whole)

    @property
    def sides(self) -> tuple[Price, Price]:
        tick = self.listing.instrument.tick_size
        bid = self.mid - self.spread // 2
        return Price(bid * tick), Price((bid + self.spread) * tick)


class SeededMarket:
    """Prices of all listed symbols. `volatility` 0 makes a market that only scripts move."""

    def __init__(
        self,
        clock: SimClock,
        rng: random.Random,
        *,
        listings: Iterable[Listing] = LISTINGS,
        volatility: float = 1.0,
    ) -> None:
        self._clock = clock
        self._rng = rng
        self._volatility = volatility
        self._paths = {listing.instrument.name: _Path(listing) for listing in listings}
        self._ticked_at = clock.time()
        seed = rng.getrandbits(64)
        self._candles = {
            name: CandleBook(path.listing, seed, self._ticked_at)
            for name, path in self._paths.items()
        }
        self._frozen: set[str] = set()
        self.board = PriceBoard()
        for path in self._paths.values():
            self.board.put_instrument(path.listing.instrument)
        self._publish(self._paths.values(), moment(self._ticked_at))

    @property
    def symbols(self) -> tuple[str, ...]:
        return tuple(self._paths)

    def listing(self, symbol: str) -> Listing:
        return self._require(symbol).listing

    def instrument(self, symbol: str) -> Instrument:
        return self._require(symbol).listing.instrument

    def quote(self, symbol: str, currency: str = "USD") -> Quote:
        """Return the latest quote with tick values in that currency."""
        quote = self.board.quote(symbol, currency)
        if quote is None:
            raise DomainError(f"{symbol} has no quote in {currency}")
        return quote

    def tick(self, now: float) -> tuple[str, ...]:
        """Move all prices to that moment; return the symbols that have a new quote."""
        elapsed = now - self._ticked_at
        if elapsed <= 0:
            return ()
        self._ticked_at = now
        moved = [path for name, path in self._paths.items() if name not in self._frozen]
        for path in moved:
            noise = self._rng.gauss(0.0, 1.0) * self._volatility
            path.step(now, elapsed, noise)
        self._publish(moved, moment(now))
        return tuple(path.listing.instrument.name for path in moved)

    def steer(self, symbol: str, target: Decimal, within_s: float) -> None:
        """Bring a price to the target in that time, with some noise on the way.

        Going up, the bid arrives at the target, going down the ask: so whatever waits there is
        touched, on either side of the book. The latest call counts.
        """
        path = self._require(symbol)
        path.course = _Course(self._arrival(path, target), self._ticked_at + max(0.0, within_s))

    def jump(self, symbol: str, target: Decimal) -> None:
        """Set a price at once, as a gap does: bid or ask at the target as with `steer`."""
        path = self._require(symbol)
        path.mid = path.home = self._arrival(path, target)
        path.owed, path.course = 0.0, None
        self._publish([path], moment(self._clock.time()))

    def is_steered(self, symbol: str) -> bool:
        return self._require(symbol).course is not None

    def set_spread(self, symbol: str, ticks: int | None) -> None:
        """Widen or narrow a spread; None brings back the listed one."""
        path = self._require(symbol)
        path.spread = path.listing.spread_ticks if ticks is None else max(0, ticks)
        self._publish([path], moment(self._clock.time()))

    def freeze(self, symbol: str, *, is_frozen: bool) -> None:
        """Stop the quotes of a symbol: the last one stays, its time too."""
        self._require(symbol)
        (self._frozen.add if is_frozen else self._frozen.discard)(symbol)

    def candles(self, symbol: str, end: float, limit: int, span_s: int) -> list[Candle]:
        """Return at most `limit` bars of that span up to `end`, oldest first."""
        self._require(symbol)
        return self._candles[symbol].before(end, limit, span_s)

    def _arrival(self, path: _Path, target: Decimal) -> int:
        tick = path.listing.instrument.tick_size
        half = path.spread // 2
        if target >= path.mid * tick:
            return int((target / tick).to_integral_value(ROUND_CEILING)) + half
        bid = int((target / tick).to_integral_value(ROUND_FLOOR)) - path.spread
        return max(path.spread + 1, bid + half)

    def _publish(self, paths: Iterable[_Path], at: datetime) -> None:
        for path in paths:
            bid, ask = path.sides
            name = path.listing.instrument.name
            self.board.update(name, bid, ask, at)
            self._candles[name].add(bid.value, at.timestamp())

    def _require(self, symbol: str) -> _Path:
        path = self._paths.get(symbol)
        if path is None:
            known = ", ".join(self._paths)
            raise DomainError(f"the market does not list {symbol}; it lists {known}")
        return path
