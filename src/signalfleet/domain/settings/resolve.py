"""Find each setting's effective value over the levels, and say which level it came from."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import cached_property, lru_cache, reduce
from typing import Any

from signalfleet.domain.errors import DomainError
from signalfleet.domain.settings.catalogue import CATALOGUE, DEFAULTS, Rules
from signalfleet.domain.settings.values import Merge, Spec

PRODUCT = "product default"
KEPT = 512
NO_SETTINGS = frozenset({"profile"})
"""What a level's document holds beside settings: how the channel is read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """One level's stored document, such as of a channel; `source` is its name for the user."""

    source: str
    doc: Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost:
    """A value of a level that is not in force because another one won."""

    value: str
    source: str


@dataclass(frozen=True, kw_only=True)
class Effective:
    """The rules in force and, by setting, where each value came from and what it won over.

    What follows from them is worked out once: most users' settings are the same object.
    """

    rules: Rules
    sources: Mapping[str, str]
    lost: Mapping[str, tuple[Lost, ...]] = field(default_factory=dict)

    def source(self, key: str) -> str:
        return self.sources[key]

    def say_source(self, key: str) -> str:
        """Return the source in words, with what it won over: `channel; not 3 from account`."""
        beaten = [f"{lost.value} from {lost.source}" for lost in self.lost.get(key, ())]
        return self.sources[key] + (f"; not {', '.join(beaten)}" if beaten else "")

    @cached_property
    def changed(self) -> Mapping[str, object]:
        """Return the values that differ from the product's, as a document holds them."""
        return {
            key: CATALOGUE[key].write(getattr(self.rules, key))
            for key, source in self.sources.items()
            if source != PRODUCT and getattr(self.rules, key) != getattr(DEFAULTS, key)
        }

    @cached_property
    def snapshot(self) -> str:
        """Return the id of these values: equal values have equal ids."""
        text = json.dumps([_PRODUCT_VALUES, self.changed], sort_keys=True)
        return "r" + hashlib.blake2b(text.encode(), digest_size=10).hexdigest()


_PRODUCT_VALUES = hashlib.blake2b(
    json.dumps(
        {key: spec.write(getattr(DEFAULTS, key)) for key, spec in CATALOGUE.items()}, sort_keys=True
    ).encode(),
    digest_size=10,
).hexdigest()
"""So that a snapshot has another id in a product with other defaults."""


def resolve(levels: Sequence[Level], cap: Level | None = None) -> Effective:
    """Merge the levels, most specific first; raise DomainError for an unknown or bad value.

    The product's default takes part in overriding only: a limit that the user sets may be looser
    than the default, but no level may loosen what another level of the user's has set. `cap`, the
    user's plan, bounds what comes out.
    """
    return _resolved(_Question(levels, cap))


class _Question:
    """Levels and cap, equal to all others that say the same: most users' settings are alike."""

    __slots__ = ("cap", "levels", "said")

    def __init__(self, levels: Sequence[Level], cap: Level | None) -> None:
        self.levels = [_with_settings_only(level) for level in levels]
        self.cap = cap
        told = self.levels if cap is None else [*self.levels, cap]
        # What is equal in Python need not be the same setting: 1, 1.0 and True are three.
        self.said = repr([cap is None, *((one.source, sorted(one.doc.items())) for one in told)])

    def __hash__(self) -> int:
        return hash(self.said)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Question) and self.said == other.said


def _with_settings_only(level: Level) -> Level:
    if NO_SETTINGS.isdisjoint(level.doc):
        return level
    return replace(level, doc={k: v for k, v in level.doc.items() if k not in NO_SETTINGS})


@lru_cache(maxsize=KEPT)
def _resolved(question: _Question) -> Effective:
    levels, cap = question.levels, question.cap
    unknown = {key for level in levels for key in level.doc} - set(CATALOGUE)
    if unknown:
        raise DomainError(f"unknown settings: {', '.join(sorted(unknown))}")
    values: dict[str, Any] = {}
    sources: dict[str, str] = {}
    lost: dict[str, tuple[Lost, ...]] = {}
    bounds = {} if cap is None else cap.doc
    set_somewhere = {key for level in levels for key in level.doc} | set(bounds)
    for key, spec in CATALOGUE.items():
        if key not in set_somewhere:
            values[key], sources[key] = getattr(DEFAULTS, key), PRODUCT
            continue
        found = [(_parsed(key, level), level.source) for level in levels if key in level.doc]
        value, source = _merge(spec.merge, found, getattr(DEFAULTS, key))
        if cap is not None and key in bounds and _rank(value) > _rank(_parsed(key, cap)):
            found = found or [(value, source)]
            value, source = _parsed(key, cap), cap.source
        values[key], sources[key] = value, source
        beaten = _beaten(spec, found, value)
        if beaten:
            lost[key] = beaten
    return Effective(rules=Rules(**values), sources=sources, lost=lost)


def problems_of(doc: Mapping[str, object], scope: str) -> list[str]:
    """Return every reason why a level's document may not be saved, a sentence each."""
    found = []
    for key, value in doc.items():
        if key in NO_SETTINGS:
            continue
        spec = CATALOGUE.get(key)
        if spec is None:
            found.append(f"{key} is no setting.")
            continue
        if scope not in spec.scopes:
            found.append(f"{key} cannot be set for {scope}: set it for {' or '.join(spec.scopes)}.")
        try:
            spec.parse(value)
        except DomainError as error:
            found.append(f"{key}: {error}.")
    return found


def _parsed(key: str, level: Level) -> Any:  # noqa: ANN401 - a value of any kind
    try:
        return CATALOGUE[key].parse(level.doc[key])
    except DomainError as error:
        raise DomainError(f"{key} of {level.source}: {error}") from error


def _rank(value: object) -> Decimal:
    """Order limits: none at all is the loosest maximum, and no is stricter than yes."""
    match value:
        case None:
            return Decimal("Infinity")
        case Decimal() | int():
            return Decimal(value)
        case _:
            # Words and packs that are limits say how loose they are themselves.
            return Decimal(value.looseness)  # type: ignore[attr-defined]


def _beaten(spec: Spec, found: list[tuple[Any, str]], value: object) -> tuple[Lost, ...]:
    if spec.merge is Merge.UNION:
        return ()
    return tuple(
        Lost(value=spec.show(other), source=source) for other, source in found if other != value
    )


def _merge(merge: Merge, found: list[tuple[Any, str]], default: object) -> tuple[Any, str]:
    if not found:
        return default, PRODUCT
    match merge:
        case Merge.OVERRIDE:
            return found[0]
        case Merge.LOWEST:
            return min(found, key=lambda item: _rank(item[0]))
        case Merge.HIGHEST:
            return max(found, key=lambda item: _rank(item[0]))
        case Merge.UNION:
            return _join([value for value, _ in found]), ", ".join(_givers(found))


def _join(values: Sequence[Any]) -> Any:  # noqa: ANN401 - a value of any kind
    return reduce(lambda left, right: left | right, values)


def _givers(found: list[tuple[Any, str]]) -> list[str]:
    """Return the levels without which something else would be in force."""
    joined = _join([value for value, _ in found])
    giving = []
    for at, (_, source) in enumerate(found):
        others = [value for value, _ in (*found[:at], *found[at + 1 :])]
        if not others or _join(others) != joined:
            giving.append(source)
    return giving or [found[0][1]]
