"""What a trade is exposed to: currencies and groups of markets that move together."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from types import MappingProxyType
from typing import Final

from signalfleet.domain.instruments.model import Side
from signalfleet.domain.risk.checks import OpenCopy
from signalfleet.domain.risk.refusal import Check
from signalfleet.domain.settings.resolve import Effective

PAIR: Final = 6
US_INDICES: Final = "US indices"
OIL: Final = "oil"
METALS: Final = frozenset({"XAU", "XAG", "XPT", "XPD"})
GROUPS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "US30": US_INDICES,
        "NAS100": US_INDICES,
        "US500": US_INDICES,
        "US2000": US_INDICES,
        "USOIL": OIL,
        "UKOIL": OIL,
    }
)
HOMES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "US30": "USD",
        "NAS100": "USD",
        "US500": "USD",
        "US2000": "USD",
        "USOIL": "USD",
        "UKOIL": "USD",
        "NATGAS": "USD",
        "GER40": "EUR",
        "FRA40": "EUR",
        "EU50": "EUR",
        "UK100": "GBP",
        "JP225": "JPY",
        "AUS200": "AUD",
        "HK50": "HKD",
        "DXY": "USD",
    }
)


def parts_of(symbol: str) -> tuple[str, str | None]:
    """Return what is bought and what is paid with; a group of markets has no second part."""
    if symbol in GROUPS:
        return GROUPS[symbol], None
    if len(symbol) == PAIR and symbol.isalpha():
        return symbol[:3], symbol[3:]
    if symbol.endswith("USD") and len(symbol) > PAIR:
        return symbol[:-3], "USD"
    return symbol, None


def currencies_of(symbol: str) -> frozenset[str]:
    """Return the currencies whose news moves a symbol: both of a pair, the home of an index."""
    if symbol in HOMES:
        return frozenset({HOMES[symbol]})
    base, quoted = parts_of(symbol)
    if quoted is None:
        return frozenset()
    return frozenset({quoted} if base in METALS or len(base) != len(quoted) else {base, quoted})


def exposures(symbol: str, side: Side, risk: Decimal) -> dict[str, Decimal]:
    """Return the signed risk by currency or group: a buy of gold is long XAU and short USD."""
    base, quoted = parts_of(symbol)
    signed = risk * side.sign
    found = {base: signed}
    if quoted is not None:
        found[quoted] = -signed
    return found


def check_currency_risk(
    symbol: str,
    side: Side,
    risk: Decimal,
    balance: Decimal,
    copies: Sequence[OpenCopy],
    effective: Effective,
) -> Check:
    """Add up what all open trades risk on each thing that this one is exposed to."""
    mine = exposures(symbol, side, risk)
    total = dict(mine)
    for copy in copies:
        if not copy.is_live:
            continue
        for name, signed in exposures(copy.symbol, copy.side, copy.risk).items():
            if name in total:
                total[name] += signed
    # What this trade makes smaller is no reason against it.
    grown = {name: abs(value) for name, value in total.items() if value * mine[name] > 0}
    name = max(grown, key=lambda one: grown[one], default=next(iter(mine)))
    worst = grown.get(name, Decimal(0))
    percent = worst / balance * 100 if balance > 0 else Decimal(100)
    limit = effective.rules.max_currency_risk_percent
    return Check(
        name="risk on one currency",
        value=f"{percent:.2f} % on {name}",
        limit=f"{limit} %",
        source=effective.source("max_currency_risk_percent"),
        passed=percent <= limit,
        code="currency_risk",
    )
