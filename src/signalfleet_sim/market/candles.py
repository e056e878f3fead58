"""Candles of the seeded market: one-minute bars as they form, and older ones made on demand.

The two weeks before the market started are drawn from the seed too, backwards from the starting
price, so a chart or a back-test has a past; it meets the first live bar at its open.
"""

import random
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Final

from signalfleet_sim.market.listing import Listing

MINUTE_S: Final = 60
_KEPT: Final = 10_000
_PAST_BARS: Final = 14 * 24 * 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Candle:
    """Bid prices of one bar; `at` is its start in seconds since 1970."""

    at: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    ticks: int
    spread: int

    def joined(self, later: "Candle") -> "Candle":
        """Return one bar over this and the bars that follow."""
        return replace(
            self,
            high=max(self.high, later.high),
            low=min(self.low, later.low),
            close=later.close,
            ticks=self.ticks + later.ticks,
        )


class CandleBook:
    """The one-minute bars of one symbol."""

    def __init__(self, listing: Listing, seed: int, now: float) -> None:
        self._listing = listing
        self._seed = f"{seed}/{listing.instrument.name}"
        self._first_at = int(now) // MINUTE_S * MINUTE_S
        self._bars: deque[Candle] = deque(maxlen=_KEPT)
        self._past: list[Candle] = []
        self._past_rng = random.Random(self._seed)

    def add(self, price: Decimal, now: float) -> None:
        """Take a new bid."""
        at = int(now) // MINUTE_S * MINUTE_S
        tick = Candle(
            at=at,
            open=price,
            high=price,
            low=price,
            close=price,
            ticks=1,
            spread=self._listing.spread_ticks,
        )
        if self._bars and self._bars[-1].at == at:
            self._bars[-1] = self._bars[-1].joined(tick)
        else:
            self._bars.append(tick)

    def before(self, end: float, limit: int, span_s: int) -> list[Candle]:
        """Return at most `limit` bars of that span that start at or before `end`, oldest first."""
        start = int(end) // span_s * span_s - (limit - 1) * span_s
        self._remember(start)
        minutes = [bar for bar in self._past if bar.at >= start]
        minutes.reverse()
        minutes += [bar for bar in self._bars if bar.at >= start]
        return _merged((bar for bar in minutes if bar.at <= end), span_s)[-limit:]

    def _remember(self, since: int) -> None:
        """Draw the past back to that moment; what was drawn once stays as it is."""
        tick = self._listing.instrument.tick_size
        mood = float(self._listing.ticks_per_root_second) * MINUTE_S**0.5
        half = self._listing.spread_ticks // 2 * tick
        while True:
            last = self._past[-1] if self._past else None
            at = (last.at if last else self._first_at) - MINUTE_S
            if at < since or len(self._past) >= _PAST_BARS:
                return
            close = last.open if last else self._bars[0].open if self._bars else None
            if close is None:
                close = self._listing.start - half
            opened = max(tick, close - round(self._past_rng.gauss(0, mood)) * tick)
            reach = abs(round(self._past_rng.gauss(0, mood / 2))) * tick
            drop = abs(round(self._past_rng.gauss(0, mood / 2))) * tick
            self._past.append(
                Candle(
                    at=at,
                    open=opened,
                    high=max(opened, close) + reach,
                    low=max(tick, min(opened, close) - drop),
                    close=close,
                    ticks=self._past_rng.randint(20, 120),
                    spread=self._listing.spread_ticks,
                )
            )


def _merged(minutes: Iterable[Candle], span_s: int) -> list[Candle]:
    merged: list[Candle] = []
    for bar in minutes:
        at = bar.at // span_s * span_s
        if merged and merged[-1].at == at:
            merged[-1] = merged[-1].joined(bar)
        else:
            merged.append(replace(bar, at=at))
    return merged
