"""A channel's profile as it is stored and edited: checked piece by piece, with sentences."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Final, TypeVar

from signalfleet.domain.instruments.model import Side
from signalfleet.domain.signals.profiles import ChannelProfile
from signalfleet.domain.signals.rules import Rule, RuleAction
from signalfleet.ports.patterns import PatternCompiler, PatternRefusedError

T = TypeVar("T")

KEY: Final = "profile"
MAX_CHARS: Final = 64_000
MAX_PHRASES: Final = 200
MAX_PHRASE: Final = 80
MAX_SAMPLES: Final = 10
MAX_EXAMPLES: Final = 100
MAX_TEXT: Final = 4096
MAX_NAME: Final = 40
MAX_LAYOUTS: Final = 200
MIN_IGNORED: Final = 3
LOWEST_ACCEPT: Final = 70
LOWEST_HOLD: Final = 30
STYLES: Final = ("", "dot", "comma")
FIELDS: Final = frozenset(
    "version default_symbol no_price_means_market keywords ignore_words pip_size number_style "
    "signal_topics rules examples layouts layouts_at accept_at hold_at".split()
)
RULE_FIELDS: Final = frozenset("name pattern action side symbol matches misses".split())


class ProfileRefusedError(Exception):
    """A profile may not be used; `problems` are sentences that say what to change."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__(" ".join(problems))
        self.problems = tuple(problems)


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleSamples:
    """Texts that the user says a rule must match, and must leave alone."""

    rule: Rule
    matches: tuple[str, ...]
    misses: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptExample:
    """A message of the channel with the reading that the user found right, as labels."""

    text: str
    reply_to: str | None
    labels: tuple[Mapping[str, object], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileDocument:
    profile: ChannelProfile
    samples: tuple[RuleSamples, ...]
    examples: tuple[KeptExample, ...]


class _Problem(Exception):  # noqa: N818 - never leaves this file
    """What is wrong with one piece."""


def read_document(doc: object, patterns: PatternCompiler) -> ProfileDocument:
    """Read a stored or written profile; ProfileRefusedError names everything that is wrong."""
    if not isinstance(doc, Mapping):
        raise ProfileRefusedError(["A profile is an object with fields such as default_symbol."])
    if len(json.dumps(doc, ensure_ascii=False, default=str)) > MAX_CHARS:
        raise ProfileRefusedError([f"The profile is longer than {MAX_CHARS} characters."])
    return _Reader(doc, patterns).read()


class _Reader:
    """Reads the fields of one document and collects what is wrong with them."""

    def __init__(self, doc: Mapping[str, object], patterns: PatternCompiler) -> None:
        self._doc = doc
        self._patterns = patterns
        self._problems: list[str] = []

    def read(self) -> ProfileDocument:
        unknown = sorted(str(key) for key in self._doc if key not in FIELDS)
        if unknown:
            self._problems.append(f"Unknown: {', '.join(unknown)}. Known: {_listed(FIELDS)}.")
        hold_at = self._field("hold_at", _whole(LOWEST_HOLD, 100), 50)
        accept_at = self._field("accept_at", _whole(LOWEST_ACCEPT, 100), 80)
        if hold_at > accept_at:
            self._problems.append("hold_at must not be above accept_at.")
        none: tuple[RuleSamples, ...] = ()
        samples = self._field("rules", self._rules, none)
        profile = ChannelProfile(
            version=self._field("version", _whole(0, 1_000_000_000), 0),
            default_symbol=self._field("default_symbol", _symbol, None),
            no_price_means_market=self._field("no_price_means_market", _flag, True),  # noqa: FBT003
            pip_size=self._field("pip_size", _pip_sizes, {}),
            number_style=self._field("number_style", _style, ""),
            extra_words=self._field("keywords", _keywords, {}),
            ignore_phrases=self._field("ignore_words", _ignored, ()),
            signal_topics=self._field("signal_topics", _topics, frozenset()),
            rules=tuple(sample.rule for sample in samples),
            layouts=self._field("layouts", _layouts, frozenset()),
            layouts_at=self._field("layouts_at", _whole(0, 1_000_000_000), 0),
            accept_at=accept_at,
            hold_at=hold_at,
        )
        nothing: tuple[KeptExample, ...] = ()
        examples = self._field("examples", _examples, nothing)
        if self._problems:
            raise ProfileRefusedError(self._problems)
        return ProfileDocument(profile=profile, samples=samples, examples=examples)

    def _field(self, name: str, read: Callable[[object], T], default: T) -> T:
        given = self._doc.get(name)
        if given is None:
            return default
        try:
            return read(given)
        except _Problem as problem:
            self._problems.append(f"{name}: {problem}")
            return default

    def _rules(self, given: object) -> tuple[RuleSamples, ...]:
        found: list[RuleSamples] = []
        names: set[str] = set()
        for number, one in enumerate(_list(given), start=1):
            try:
                sample = self._rule(one, names)
            except _Problem as problem:
                name = one.get("name") if isinstance(one, Mapping) else None
                which = f"rule {name!r}" if name else f"rule {number}"
                self._problems.append(f"{which}: {problem}")
                continue
            names.add(sample.rule.name)
            found.append(sample)
        return tuple(found)

    def _rule(self, given: object, taken: set[str]) -> RuleSamples:
        if not isinstance(given, Mapping):
            raise _Problem("a rule is an object with name, pattern and action")
        unknown = sorted(str(key) for key in given if key not in RULE_FIELDS)
        if unknown:
            raise _Problem(f"unknown: {', '.join(unknown)}; known: {_listed(RULE_FIELDS)}")
        try:
            pattern = self._patterns.compile(_text(given.get("pattern", ""), MAX_TEXT))
        except PatternRefusedError as error:
            raise _Problem(str(error)) from error
        side = given.get("side") or None
        name = _text(given.get("name", ""), MAX_NAME)
        if name in taken:
            raise _Problem("another rule has this name")
        return RuleSamples(
            rule=Rule(
                name=name,
                pattern=pattern,
                action=_one_of(given.get("action", "open"), RuleAction),
                side=None if side is None else _one_of(side, Side),
                symbol=_symbol(given["symbol"]) if given.get("symbol") else None,
            ),
            matches=_texts(given.get("matches"), MAX_SAMPLES, MAX_TEXT),
            misses=_texts(given.get("misses"), MAX_SAMPLES, MAX_TEXT),
        )


def _listed(names: frozenset[str]) -> str:
    return ", ".join(sorted(names))


def _list(given: object) -> Sequence[object]:
    if not isinstance(given, list | tuple):
        raise _Problem("must be a list")
    return given


def _text(given: object, longest: int) -> str:
    if not isinstance(given, str) or not given.strip():
        raise _Problem("a text is missing")
    if len(given) > longest:
        raise _Problem(f"a text has {len(given)} characters; {longest} are the most")
    return given.strip()


def _texts(given: object, most: int, longest: int) -> tuple[str, ...]:
    found = tuple(_text(one, longest) for one in _list(given or ()))
    if len(found) > most:
        raise _Problem(f"{len(found)} texts; {most} are the most")
    return found


def _whole(low: int, high: int) -> Callable[[object], int]:
    def read(given: object) -> int:
        if isinstance(given, bool) or not isinstance(given, int) or not low <= given <= high:
            raise _Problem(f"must be a whole number from {low} to {high}")
        return given

    return read


def _flag(given: object) -> bool:
    if not isinstance(given, bool):
        raise _Problem("must be true or false")
    return given


def _symbol(given: object) -> str:
    name = _text(given, MAX_NAME).upper()
    if not (name.isascii() and name.isalnum()):
        raise _Problem(f"{name!r} is no symbol; write it as XAUUSD")
    return name


def _style(given: object) -> str:
    if given not in STYLES:
        raise _Problem('must be "dot" or "comma", the decimal mark, or empty')
    return str(given)


def _one_of(given: object, kind: type[T]) -> T:
    for value in kind:  # type: ignore[attr-defined]
        if str(value) == given:
            found: T = value
            return found
    names = ", ".join(str(value) for value in kind)  # type: ignore[attr-defined]
    raise _Problem(f"{given!r} is none of {names}")


def _keywords(given: object) -> dict[str, tuple[str, ...]]:
    if not isinstance(given, Mapping):
        raise _Problem('must be an object, as {"buy": ["zap"]}')
    words = {str(role): _texts(phrases, MAX_PHRASES, MAX_PHRASE) for role, phrases in given.items()}
    if sum(map(len, words.values())) > MAX_PHRASES:
        raise _Problem(f"{MAX_PHRASES} words are the most")
    return {role: phrases for role, phrases in words.items() if phrases}


def _ignored(given: object) -> tuple[str, ...]:
    found = _texts(given, MAX_PHRASES, MAX_PHRASE)
    short = next((phrase for phrase in found if len(phrase) < MIN_IGNORED), None)
    if short is not None:
        raise _Problem(f"{short!r} is too short: it would silence nearly every message")
    return found


def _pip_sizes(given: object) -> dict[str, Decimal]:
    if not isinstance(given, Mapping):
        raise _Problem('must be an object, as {"XAUUSD": "0.1"}')
    return {_symbol(symbol): _pip_size(str(symbol), size) for symbol, size in given.items()}


def _pip_size(symbol: str, given: object) -> Decimal:
    try:
        size = Decimal(given) if isinstance(given, str) else Decimal("NaN")
    except InvalidOperation:
        size = Decimal("NaN")
    if not size.is_finite() or not Decimal("0.0000001") <= size <= Decimal(1000):
        raise _Problem(f'{symbol}: one pip is a price step written as text, such as "0.1"')
    return size


def _topics(given: object) -> frozenset[int]:
    return frozenset(_whole(0, 2**63)(topic) for topic in _list(given))


def _layouts(given: object) -> frozenset[str]:
    return frozenset(_texts(given, MAX_LAYOUTS, MAX_NAME))


def _examples(given: object) -> tuple[KeptExample, ...]:
    rows = _list(given)
    if len(rows) > MAX_EXAMPLES:
        raise _Problem(f"{MAX_EXAMPLES} are the most; remove old ones")
    return tuple(_example(row) for row in rows)


def _example(given: object) -> KeptExample:
    if not isinstance(given, Mapping):
        raise _Problem("an example is an object with text and labels")
    reply = given.get("reply_to")
    labels = _list(given.get("labels", ()))
    if not labels or not all(isinstance(label, Mapping) for label in labels):
        raise _Problem("an example needs its labels, as `signalfleet parse --jsonl` gives them")
    return KeptExample(
        text=_text(given.get("text", ""), MAX_TEXT),
        reply_to=None if reply is None else _text(reply, MAX_TEXT),
        labels=tuple(label for label in labels if isinstance(label, Mapping)),
    )
