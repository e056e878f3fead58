"""A broker's name for a canonical symbol."""

from collections.abc import Set as AbstractSet


def broker_name(symbol: str, names: AbstractSet[str]) -> str | None:
    """Return the broker's own name of a canonical symbol, None if it does not list it."""
    if symbol in names:
        return symbol
    found = sorted(name for name in names if name.upper().startswith(symbol))
    return found[0] if len(found) == 1 else None
