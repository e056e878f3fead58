"""The symbols that the simulated market knows: sizes, spreads and moods as brokers have them."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from signalfleet.domain.instruments.model import Instrument
from signalfleet.domain.money import Lots

FOK: Final = "SYMBOL_FILLING_FOK"
IOC: Final = "SYMBOL_FILLING_IOC"
EXPIRATIONS: Final = (
    "SYMBOL_EXPIRATION_GTC",
    "SYMBOL_EXPIRATION_DAY",
    "SYMBOL_EXPIRATION_SPECIFIED",
    "SYMBOL_EXPIRATION_SPECIFIED_DAY",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """An instrument and how its price behaves. Spread and mood are in ticks."""

    instrument: Instrument
    start: Decimal
    spread_ticks: int
    ticks_per_root_second: Decimal
    description: str
    path: str
    is_always_open: bool = False
    swap_long: Decimal = Decimal(0)
    swap_short: Decimal = Decimal(0)


def _listing(  # noqa: PLR0913  one line of the table below
    name: str,
    start: str,
    tick: str,
    contract: str,
    *,
    spread: int,
    mood: str,
    description: str,
    path: str = "Forex",
    base: str = "",
    profit: str = "",
    pip: str | None = None,
    lots: tuple[str, str, str] = ("0.01", "100", "0.01"),
    stops_level: int = 0,
    is_always_open: bool = False,
    swaps: tuple[str, str] = ("-6.4", "1.2"),
) -> Listing:
    tick_size = Decimal(tick)
    exponent = tick_size.as_tuple().exponent
    instrument = Instrument(
        name=name,
        digits=-exponent if isinstance(exponent, int) else 0,
        tick_size=tick_size,
        point=tick_size,
        contract_size=Decimal(contract),
        min_lots=Lots.of(lots[0]),
        max_lots=Lots.of(lots[1]),
        lot_step=Lots.of(lots[2]).value,
        pip_size=Decimal(pip) if pip else None,
        stops_level=stops_level,
        base_currency=base or name[:3],
        profit_currency=profit or name[3:6],
        filling_modes=(FOK, IOC),
        expiration_modes=EXPIRATIONS,
    )
    return Listing(
        instrument=instrument,
        start=Decimal(start),
        spread_ticks=spread,
        ticks_per_root_second=Decimal(mood),
        description=description,
        path=f"{path}\\{name}",
        is_always_open=is_always_open,
        swap_long=Decimal(swaps[0]),
        swap_short=Decimal(swaps[1]),
    )


def _pair(
    name: str, start: str, spread: int, mood: str, description: str, *, tick: str = "0.00001"
) -> Listing:
    return _listing(
        name,
        start,
        tick,
        "100000",
        spread=spread,
        mood=mood,
        description=description,
        pip="0.01" if tick == "0.001" else "0.0001",
    )


def _index(
    name: str, start: str, spread: int, mood: str, *, currency: str, description: str
) -> Listing:
    return _listing(
        name,
        start,
        "0.1",
        "1",
        spread=spread,
        mood=mood,
        description=description,
        path="Indices",
        base=currency,
        profit=currency,
        lots=("0.1", "250", "0.1"),
        stops_level=10,
    )


def _coin(name: str, start: str, spread: int, mood: str, description: str) -> Listing:
    return _listing(
        name,
        start,
        "0.01",
        "1",
        spread=spread,
        mood=mood,
        description=description,
        path="Crypto",
        pip="1",
        lots=("0.01", "50", "0.01"),
        is_always_open=True,
    )


LISTINGS: Final = (
    _pair("EURUSD", "1.08500", 12, "1.2", "Euro vs US Dollar"),
    _pair("GBPUSD", "1.26800", 15, "1.6", "Great Britain Pound vs US Dollar"),
    _pair("USDJPY", "149.800", 14, "1.7", "US Dollar vs Japanese Yen", tick="0.001"),
    _pair("GBPJPY", "189.900", 28, "2.6", "Great Britain Pound vs Japanese Yen", tick="0.001"),
    _pair("AUDUSD", "0.65400", 14, "1.1", "Australian Dollar vs US Dollar"),
    _pair("USDCAD", "1.35900", 18, "1.1", "US Dollar vs Canadian Dollar"),
    _listing(
        "XAUUSD",
        "2350.00",
        "0.01",
        "100",
        spread=25,
        mood="4",
        description="Gold vs US Dollar",
        path="Metals",
        pip="0.1",
        lots=("0.01", "50", "0.01"),
        swaps=("-38.2", "12.5"),
    ),
    _listing(
        "XAGUSD",
        "28.400",
        "0.001",
        "5000",
        spread=22,
        mood="1.5",
        description="Silver vs US Dollar",
        path="Metals",
        pip="0.01",
        lots=("0.01", "20", "0.01"),
    ),
    _index("US30", "39100.0", 22, "5", currency="USD", description="Wall Street 30"),
    _index("NAS100", "18250.0", 14, "4", currency="USD", description="US Tech 100"),
    _index("GER40", "18150.0", 12, "4", currency="EUR", description="Germany 40"),
    _coin("BTCUSD", "64200.00", 1500, "180", "Bitcoin vs US Dollar"),
    _coin("ETHUSD", "3120.00", 150, "12", "Ethereum vs US Dollar"),
    _listing(
        "USOIL",
        "78.40",
        "0.01",
        "1000",
        spread=3,
        mood="0.3",
        description="US Crude Oil",
        path="Energies",
        base="USD",
        profit="USD",
        pip="0.01",
        lots=("0.01", "100", "0.01"),
    ),
)
