"""What a pip is where the broker does not say."""

from decimal import Decimal
from typing import Final

_METALS_AND_ENERGY: Final = {
    "XAUUSD": Decimal("0.1"),
    "XAUEUR": Decimal("0.1"),
    "XAGUSD": Decimal("0.01"),
    "USOIL": Decimal("0.01"),
    "UKOIL": Decimal("0.01"),
}
_CURRENCIES: Final = frozenset(
    "EUR GBP AUD NZD USD CAD CHF JPY MXN ZAR TRY SEK NOK DKK PLN HUF CZK SGD HKD CNH".split()
)


def default_pip_size(symbol: str) -> Decimal:
    """Return the usual pip of a canonical symbol; 1 for indices and crypto.

    Providers disagree about gold and indices: a signal that states only pips should be
    confirmed for its channel before it trades.
    """
    known = _METALS_AND_ENERGY.get(symbol)
    if known is not None:
        return known
    if symbol[:3] in _CURRENCIES and symbol[3:] in _CURRENCIES:
        return Decimal("0.01") if symbol.endswith("JPY") else Decimal("0.0001")
    return Decimal(1)
