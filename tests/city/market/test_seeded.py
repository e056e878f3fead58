import random
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signalfleet.domain.errors import DomainError
from signalfleet_sim.market.clock import ManualClock
from signalfleet_sim.market.listing import LISTINGS
from signalfleet_sim.market.seeded import SeededMarket

SYMBOLS = st.sampled_from([listing.instrument.name for listing in LISTINGS])


def a_market(seed: int = 1, volatility: float = 1.0) -> tuple[SeededMarket, ManualClock]:
    clock = ManualClock()
    return SeededMarket(clock, random.Random(seed), volatility=volatility), clock


def walk(market: SeededMarket, clock: ManualClock, steps: int, step_s: float = 0.1) -> None:
    for _ in range(steps):
        clock.advance(step_s)
        market.tick(clock.time())


def test_the_same_seed_and_moments_give_the_same_path() -> None:
    paths = []
    for _ in range(2):
        market, clock = a_market(seed=7)
        walk(market, clock, 200)
        paths.append([(market.quote(name).bid, market.quote(name).ask) for name in market.symbols])
    assert paths[0] == paths[1]


@given(st.integers(0, 10_000), st.floats(0.01, 3600))
def test_prices_stay_on_the_grid_with_the_listed_spread(seed: int, step_s: float) -> None:
    market, clock = a_market(seed, volatility=3.0)
    walk(market, clock, 20, step_s)
    for name in market.symbols:
        listing, quote = market.listing(name), market.quote(name)
        tick = listing.instrument.tick_size
        assert quote.bid.value % tick == 0
        assert quote.spread == listing.spread_ticks * tick


@given(
    SYMBOLS,
    st.integers(0, 1000),
    st.floats(0.5, 120),
    st.decimals("0.95", "1.05", places=3, allow_nan=False),
)
def test_a_steered_price_arrives_in_time_on_the_side_that_closes(
    symbol: str, seed: int, within_s: float, factor: Decimal
) -> None:
    market, clock = a_market(seed)
    start = market.quote(symbol).bid.value
    tick = market.instrument(symbol).tick_size
    target = start * factor
    target -= target % tick
    market.steer(symbol, target, within_s)
    walk(market, clock, 20, within_s / 20 + 1e-6)
    quote = market.quote(symbol)
    assert not market.is_steered(symbol)
    if target > start:
        assert target <= quote.bid.value <= target + tick
    else:
        # Near the start a target counts as above when it lies below the mid.
        assert quote.ask.value <= target or quote.bid.value >= target
        assert abs(quote.bid.value - target) <= quote.spread + tick


def test_a_jump_is_there_at_once_and_stays() -> None:
    market, clock = a_market(volatility=0.0)
    market.jump("XAUUSD", Decimal(2400))
    assert market.quote("XAUUSD").bid.value == Decimal(2400)
    walk(market, clock, 50)
    assert market.quote("XAUUSD").bid.value == Decimal(2400)


def test_a_frozen_symbol_keeps_price_and_time() -> None:
    market, clock = a_market()
    before = market.quote("EURUSD")
    market.freeze("EURUSD", is_frozen=True)
    walk(market, clock, 10)
    assert market.quote("EURUSD") == before
    market.freeze("EURUSD", is_frozen=False)
    walk(market, clock, 10)
    assert market.quote("EURUSD").at > before.at


def test_tick_values_are_in_the_accounts_currency() -> None:
    market, _ = a_market()
    assert market.quote("XAUUSD").profit_tick_value == 1
    assert market.quote("EURUSD").loss_tick_value == 1
    yen = market.quote("USDJPY")
    assert yen.profit_tick_value == (Decimal(100) / yen.ask.value).quantize(Decimal("1e-10"))
    dax = market.quote("GER40")
    assert dax.profit_tick_value == Decimal("0.1") * market.quote("EURUSD").bid.value
    assert market.quote("XAUUSD", "EUR").profit_tick_value < 1


def test_a_stranger_is_refused_with_the_names_it_may_have_meant() -> None:
    market, _ = a_market()
    with pytest.raises(DomainError, match="does not list DOGE; it lists EURUSD"):
        market.steer("DOGE", Decimal(1), 1)
