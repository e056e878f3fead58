"""Canonical symbols, their sizes and the names people give them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

from signalfleet.domain.errors import DomainError

PAIR_LETTERS: Final = 6
MIN_COIN: Final = 2
MAX_COIN: Final = 10
STABLE: Final = ("usdt", "usdc", "busd")


@dataclass(frozen=True, slots=True, kw_only=True)
class SymbolFacts:
    """What holds for a canonical symbol at every broker."""

    name: str
    kind: str
    band: tuple[Decimal, Decimal] | None
    pip: Decimal
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Symbols:
    """All canonical symbols and what is needed to recognise them in words."""

    facts: Mapping[str, SymbolFacts]
    suffixes: frozenset[str]
    currencies: frozenset[str]
    typos: Mapping[str, str] = field(default_factory=dict)
    plain: Mapping[str, str] = field(default_factory=dict)

    def band(self, symbol: str | None) -> tuple[Decimal, Decimal] | None:
        """Return the lowest and highest price that make sense for a symbol."""
        known = self.facts.get(symbol) if symbol else None
        return known.band if known else None

    def pip_size(self, symbol: str) -> Decimal | None:
        known = self.facts.get(symbol)
        return known.pip if known else None

    def from_word(self, word: str) -> str | None:
        """Recognise one word with a broker's suffix, or a coin quoted in a stable coin."""
        found = self.plain.get(word)
        if found is not None:
            return found
        for stable in STABLE:
            coin = word[: -len(stable)]
            if word.endswith(stable) and MIN_COIN <= len(coin) <= MAX_COIN and coin.isascii():
                return self.plain.get(coin + "usd", coin.upper() + "USD")
        if len(word) > PAIR_LETTERS and word[PAIR_LETTERS:] in self.suffixes:
            return self.plain.get(word[:PAIR_LETTERS])
        return None


def build_symbols(mapping: Mapping[str, Any]) -> Symbols:
    """Build the symbols from the content of `data/symbols.toml`."""
    facts: dict[str, SymbolFacts] = {}
    for kind, group in mapping["kinds"].items():
        for name, row in group["symbols"].items():
            if not (name.isascii() and name.isalnum() and name.isupper()):
                raise DomainError(
                    f"{name!r} is no canonical symbol: use upper-case letters, digits"
                )
            low, high = row.get("band", group.get("band", (None, None)))
            facts[name] = SymbolFacts(
                name=name,
                kind=kind,
                band=(Decimal(str(low)), Decimal(str(high))) if low is not None else None,
                pip=Decimal(str(row.get("pip", group["pip"]))),
                aliases=tuple(row.get("aliases", ())),
            )
    plain = {name.lower(): name for name in facts}
    return Symbols(
        facts=facts,
        suffixes=frozenset(mapping["suffixes"]),
        currencies=frozenset(mapping["currencies"]),
        plain=plain,
        typos=_transpositions(facts),
    )


def _transpositions(facts: Mapping[str, SymbolFacts]) -> dict[str, str]:
    """Map each swap of two neighbouring letters of a pair to the pair, where only one fits."""
    found: dict[str, set[str]] = {}
    for name in facts:
        if len(name) != PAIR_LETTERS or not name.isalpha():
            continue
        lower = name.lower()
        for at in range(PAIR_LETTERS - 1):
            swapped = lower[:at] + lower[at + 1] + lower[at] + lower[at + 2 :]
            if swapped.upper() not in facts:
                found.setdefault(swapped, set()).add(name)
    return {word: names.pop() for word, names in found.items() if len(names) == 1}
