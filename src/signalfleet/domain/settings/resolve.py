"""Find each setting's effective value over the levels, and say which level it came from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

from signalfleet.domain.errors import DomainError
from signalfleet.domain.settings.catalogue import CATALOGUE, DEFAULTS, Rules
from signalfleet.domain.settings.values import Merge

PRODUCT = "product default"
NO_SETTINGS = frozenset({"profile"})
"""What a level's document holds beside settings: how the channel is read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """One level's stored document, such as of a channel; `source` is its name for the user."""

    source: str
    doc: Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Effective:
    """The rules in force and, by setting, where each value came from."""

    rules: Rules
    sources: Mapping[str, str]

    def source(self, key: str) -> str:
        return self.sources[key]


def resolve(levels: Sequence[Level]) -> Effective:
    """Merge the levels, most specific first; raise DomainError for an unknown or bad value.

    The product's default takes part in overriding only: a limit that the user sets may be looser
    than the default, but no level may loosen what another level of the user's has set.
    """
    unknown = {key for level in levels for key in level.doc} - set(CATALOGUE) - NO_SETTINGS
    if unknown:
        raise DomainError(f"unknown settings: {', '.join(sorted(unknown))}")
    values: dict[str, Any] = {}
    sources: dict[str, str] = {}
    for key, spec in CATALOGUE.items():
        found: list[tuple[Any, str]] = []
        for level in levels:
            if key in level.doc:
                try:
                    found.append((spec.parse(level.doc[key]), level.source))
                except DomainError as error:
                    raise DomainError(f"{key} of {level.source}: {error}") from error
        values[key], sources[key] = _merge(spec.merge, found, getattr(DEFAULTS, key))
    return Effective(rules=Rules(**values), sources=sources)


def _merge(merge: Merge, found: list[tuple[Any, str]], default: object) -> tuple[Any, str]:
    if not found:
        return default, PRODUCT
    match merge:
        case Merge.OVERRIDE:
            return found[0]
        case Merge.LOWEST:
            return min(found, key=lambda item: item[0])
        case Merge.HIGHEST:
            return max(found, key=lambda item: item[0])
        case Merge.UNION:
            joined = reduce(lambda left, right: left | right, (value for value, _ in found))
            return joined, ", ".join(source for _, source in found)
