"""A broker's name for a canonical symbol: its prefix, its suffix, or another name altogether."""

from collections import Counter
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from difflib import get_close_matches
from functools import lru_cache
from itertools import permutations
from typing import Final

MAJORS: Final = ("EUR", "GBP", "AUD", "NZD", "USD", "CAD", "CHF", "JPY")
PAIRS: Final = frozenset(base + quote for base, quote in permutations(MAJORS, 2))
MAX_AFFIX: Final = 6
PAIR_LETTERS: Final = 6
NEAREST: Final = 5
KEPT: Final = 1024
"""How many answers are kept. A broker may list thousands of names, all accounts of it the same."""

# How brokers call the same thing; the canonical name itself comes first in any case.
OTHER_NAMES: Final[Mapping[str, tuple[str, ...]]] = {
    "XAUUSD": ("GOLD", "GOLDUSD", "XAU_USD", "GOLDSPOT"),
    "XAGUSD": ("SILVER", "SILVERUSD", "XAG_USD"),
    "XPTUSD": ("PLATINUM",),
    "XPDUSD": ("PALLADIUM",),
    "USOIL": ("XTIUSD", "WTI", "WTIUSD", "USOUSD", "CRUDE", "CL", "OILUSD", "USCRUDE", "SPOTCRUDE"),
    "UKOIL": ("XBRUSD", "BRENT", "BRENTUSD", "UKOUSD", "SPOTBRENT", "UKCRUDE"),
    "NATGAS": ("XNGUSD", "NGAS", "NGASUSD", "NATURALGAS"),
    "US30": ("DJ30", "WS30", "DJI30", "DOW30", "DOW", "DJIUSD", "USA30", "US30USD", "DJ30USD"),
    "NAS100": (
        "USTEC",
        "US100",
        "NDX100",
        "NASDAQ100",
        "NASDAQ",
        "USTECH100",
        "NAS100USD",
        "TECH100",
    ),
    "US500": ("SPX500", "SP500", "S&P500", "SPX", "US500USD", "USA500"),
    "US2000": ("RUSSELL2000", "RTY", "RUS2000", "US2000USD", "USSMALL2000"),
    "GER40": ("DE40", "DAX40", "GER30", "DE30", "DAX", "GERMANY40", "DEU40", "DAX30"),
    "UK100": ("FTSE100", "FTSE", "UK100GBP", "GB100"),
    "FRA40": ("CAC40", "FR40", "F40", "FRANCE40"),
    "EU50": ("STOXX50", "EUSTX50", "EUSTOXX50", "ESTX50", "EU50EUR"),
    "ESP35": ("ES35", "SPA35", "IBEX35", "SPAIN35"),
    "JP225": ("JPN225", "NIKKEI225", "NI225", "J225", "JP225USD", "NIKKEI"),
    "HK50": ("HSI", "HKG50", "HK33", "HSI50"),
    "AUS200": ("AU200", "ASX200", "SPI200", "AUS200AUD"),
    "BTCUSD": ("BTCUSDT", "BITCOIN", "XBTUSD", "BTCUSD.X"),
    "ETHUSD": ("ETHUSDT", "ETHEREUM"),
}


def affixes(names: Iterable[str]) -> tuple[tuple[str, str], ...]:
    """Return the account's (prefix, suffix) groups, the one of most currency pairs first."""
    counted: Counter[tuple[str, str]] = Counter()
    for name in names:
        upper = name.upper()
        for start in range(max(0, len(name) - PAIR_LETTERS) + 1):
            if start > MAX_AFFIX:
                break
            if upper[start : start + PAIR_LETTERS] in PAIRS:
                counted[name[:start], name[start + PAIR_LETTERS :]] += 1
                break
    return tuple(affix for affix, _ in counted.most_common())


def broker_name(
    symbol: str, names: AbstractSet[str], chosen: Mapping[str, str] | None = None
) -> str | None:
    """Return the broker's own name of a canonical symbol, None if no single one can be told.

    `chosen` is the user's own map and always wins, as long as the broker still lists the name.
    """
    if not symbol:
        return None
    if chosen and chosen.get(symbol) in names:
        return chosen[symbol]
    return _found(symbol, frozenset(names))


@lru_cache(maxsize=KEPT)
def _found(symbol: str, names: frozenset[str]) -> str | None:
    groups = affixes(names)
    listed = {name.upper(): name for name in names}
    for known in (symbol, *OTHER_NAMES.get(symbol, ())):
        for prefix, suffix in (*groups, ("", "")):
            wanted = prefix + known + suffix
            if wanted in names:
                return wanted
            if wanted.upper() in listed:
                return listed[wanted.upper()]
    return _only_one(symbol, names)


def _only_one(symbol: str, names: AbstractSet[str]) -> str | None:
    """Accept a name with an unknown ending if there is no second one to choose from."""
    for known in (symbol, *OTHER_NAMES.get(symbol, ())):
        found = [name for name in names if _extends(name.upper(), known)]
        if len(found) == 1:
            return found[0]
        if found:
            return None
    return None


def _extends(name: str, known: str) -> bool:
    if not name.startswith(known) or len(name) - len(known) > MAX_AFFIX:
        return False
    # US500 must not be found in US5000, nor GOLD in GOLDMAN.
    rest = name[len(known) :]
    return not rest or not rest[0].isalnum() or (len(rest) <= 2 and rest.isalpha())  # noqa: PLR2004


def nearest_names(symbol: str, names: AbstractSet[str]) -> tuple[str, ...]:
    """Return names to offer the user when none can be told."""
    wanted = (symbol, *OTHER_NAMES.get(symbol, ()))
    by_upper = {name.upper(): name for name in sorted(names)}
    found: dict[str, None] = {}
    for known in wanted:
        for upper in get_close_matches(known, by_upper, n=NEAREST, cutoff=0.6):
            found[by_upper[upper]] = None
    return tuple(found)[:NEAREST]
