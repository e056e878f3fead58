"""Which signals are copied at all, and to which accounts."""

from dataclasses import dataclass
from typing import Final

from signalfleet.domain.errors import DomainError
from signalfleet.domain.settings.kinds import ALL
from signalfleet.domain.settings.values import (
    CHANNEL_OR_USER,
    SYMBOLS,
    Kind,
    Merge,
    list_of_text,
    setting,
)

LONGEST: Final = 200
MOST: Final = 100


def _texts(value: object) -> frozenset[str]:
    if not isinstance(value, list | tuple) or len(value) > MOST:
        raise DomainError(f"must be a list of at most {MOST} texts")
    if not all(isinstance(item, str) and 0 < len(item.strip()) <= LONGEST for item in value):
        raise DomainError(f"each text has 1 to {LONGEST} characters")
    return frozenset(item.strip() for item in value)


def _phrases(value: object) -> frozenset[str]:
    return frozenset(item.casefold() for item in _texts(value))


def _words(allowed: tuple[str, ...]) -> Kind[frozenset[str]]:
    def read(value: object) -> frozenset[str]:
        found = _phrases(value)
        if not found <= set(allowed):
            raise DomainError(f"must be a list of {', '.join(allowed)}")
        return found

    return Kind(read=read, allowed=f"a list of {', '.join(allowed)}", of_text=list_of_text)


def _accounts(value: object) -> frozenset[str] | None:
    return None if value == ALL else _texts(value)


def _write_accounts(value: frozenset[str] | None) -> object:
    return ALL if value is None else sorted(value)


def _accounts_of_text(text: str) -> object:
    return ALL if text.strip() == ALL else list_of_text(text)


PHRASES: Final = Kind(read=_phrases, allowed="a list of words or phrases", of_text=list_of_text)
ACCOUNTS: Final = Kind(
    read=_accounts,
    allowed="all, or a list of account ids",
    write=_write_accounts,
    of_text=_accounts_of_text,
)


@dataclass(frozen=True, kw_only=True)
class FilterRules:
    symbols_allowed: frozenset[str] = setting(
        frozenset(),
        SYMBOLS,
        "The only symbols that are traded; an empty list allows all. The most specific list wins.",
        also_called=("ALLOWED_PAIRS", "whitelist"),
    )
    sides_blocked: frozenset[str] = setting(
        frozenset(),
        _words(("buy", "sell")),
        "Sides that are never opened.",
        merge=Merge.UNION,
        also_called=("Long only", "Short only", "Trade direction"),
    )
    orders_blocked: frozenset[str] = setting(
        frozenset(),
        _words(("market", "limit", "stop")),
        "Kinds of orders, as the signal states them, that are never opened.",
        merge=Merge.UNION,
        also_called=("copy_pending", "skipPendingOrders"),
    )
    ignore_phrases: frozenset[str] = setting(
        frozenset(),
        PHRASES,
        "Nothing is opened by a message that holds one of these words or phrases.",
        merge=Merge.UNION,
        scopes=CHANNEL_OR_USER,
        also_called=("Exception Keywords", "Text BLOCK ALL"),
    )
    copy_to: frozenset[str] | None = setting(
        None,
        ACCOUNTS,
        "Which of your accounts the signals are copied to.",
        scopes=CHANNEL_OR_USER,
        also_called=("routing",),
    )
