"""Words and their roles, in all languages at once, as a tree of tokens."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from signalfleet.domain.errors import DomainError
from signalfleet.domain.instruments.symbols import PAIR_LETTERS, Symbols
from signalfleet.domain.signals import text

ROLES: Final = frozenset(
    "buy_now sell_now buy_stop sell_stop buy_limit sell_limit buy_zone sell_zone buy sell "
    "buy_loose sell_loose now limit stop_order above below breaks better entry zone stop "
    "target pips lots risk leverage r_unit break_even close close_loose half part part_loose "
    "cancel pending hit hit_stop hit_even all first second third again add same open_target "
    "none_word move remove widen trail old secure invalid rest position hold half_size ignore "
    "symbol_word direction filler opened modified closed levels_word until at_word current "
    "percent_word third_part quarter profit level_noun layer price_word run".split()
)
MOODS: Final = frozenset(
    "member negation question past future conditional optional confirmation pre_alert example "
    "advert recap other_market news wish later hearsay".split()
)
MIN_STEM: Final = 2
MIN_TYPO: Final = 5
MIN_TYPO_TWO: Final = 9
MAX_TYPO: Final = 16
HEAD: Final = 3
TYPO_ROLES: Final = frozenset({"stop", "target", "entry"})
GLUE: Final = frozenset("/-._")


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """One language's meaning of a phrase; a weak one needs other words of that language."""

    role: str
    language: str
    value: str = ""
    is_weak: bool = False


class Leaf:
    """The end of a phrase: its settled meaning, or the claims to choose from."""

    __slots__ = ("claims", "is_contested", "is_foreign", "languages", "role", "value")

    def __init__(self, claims: tuple[Claim, ...]) -> None:
        self.claims = claims
        strong = [claim for claim in claims if not claim.is_weak]
        meanings = {(claim.role, claim.value) for claim in claims}
        self.is_contested = len(meanings) > 1 or not strong
        best = (strong or list(claims))[0]
        self.role = best.role
        self.value = best.value
        self.languages = frozenset(claim.language for claim in strong if claim.language)
        # English words and names of symbols stand in messages of every language: no evidence.
        names = {claim.language for claim in strong}
        self.is_foreign = bool(names) and not names & {"en", ""}

    def settle(self, evidence: Mapping[str, int]) -> tuple[str, str] | None:
        """Choose by the languages of the other words; None when nobody's claim holds."""
        best: Claim | None = None
        best_score = -1.0
        for claim in self.claims:
            heard = evidence.get(claim.language, 0)
            if claim.is_weak and not heard:
                continue
            score = heard + (0.5 if claim.language in {"en", ""} else 0)
            # Where two languages are heard alike, the meaning that stops a trade wins.
            if score > best_score or (score == best_score and claim.role in MOODS):
                best, best_score = claim, score
        return (best.role, best.value) if best else None


Node = dict[str, Any]
"""Next token -> node; the key "" holds the leaf of a phrase that ends here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lexicon:
    """The phrase tree, the table of misspelt label words, and the version of the files.

    `typo_heads` has the first letters of all misspelt words: most words begin with others.
    """

    root: Node
    typos: Mapping[str, tuple[str, ...]]
    typo_heads: frozenset[str]
    version: str
    languages: tuple[str, ...]
    prefixes: tuple[str, ...] = ()
    suffixes: tuple[str, ...] = ()

    def stems(self, word: str) -> Iterator[str]:
        """Give a word without the particles that some scripts write onto it."""
        for prefix in self.prefixes:
            if word.startswith(prefix) and len(word) - len(prefix) >= MIN_STEM:
                yield word[len(prefix) :]
        for suffix in self.suffixes:
            if word.endswith(suffix) and len(word) - len(suffix) >= MIN_STEM:
                yield word[: -len(suffix)]

    def correct(self, word: str, node: Node) -> Node | None:
        """Follow the label word that a word most likely misspells, if the node goes on with it."""
        if len(word) > MAX_TYPO:
            return None
        for right in self.typos.get(word, ()):
            if right in node:
                return _child(node, right)
        # Without a later letter the word still begins as it does.
        size = len(word) if word[:HEAD] in self.typo_heads else HEAD
        for at in range(size):
            for right in self.typos.get(word[:at] + word[at + 1 :], ()):
                if right in node and abs(len(right) - len(word)) <= 1:
                    return _child(node, right)
        return None


def phrase_tokens(phrase: str) -> list[str]:
    """Cut a phrase as a message is cut; separators between its words are not part of it."""
    return [
        piece
        for kind, piece, _, _ in text.tokens(text.fold(phrase))
        if kind in (text.WORD, text.NUMBER) or piece in {"&", "@", "%", "$", "'"}
    ]


def build_lexicon(mappings: Iterable[Mapping[str, Any]]) -> Lexicon:
    """Build the lexicon from the contents of the language files, English first."""
    claims: dict[tuple[str, ...], list[Claim]] = {}
    versions: list[str] = []
    languages: list[str] = []
    affixes: list[Mapping[str, Any]] = []
    for mapping in mappings:
        language = mapping["language"]
        languages.append(language)
        affixes.append(mapping.get("affixes", {}))
        versions.append(f"{language}{mapping['version']}")
        weak = {tuple(phrase_tokens(word)) for word in mapping.get("weak", {}).get("words", ())}
        for section, allowed in (("roles", ROLES), ("moods", MOODS)):
            for role, phrases in mapping.get(section, {}).items():
                if role not in allowed:
                    raise DomainError(f"{language}: {role!r} is no role; see adding-a-language.md")
                _claim_all(claims, phrases, Claim(role=role, language=language), weak)
        for symbol, phrases in mapping.get("symbols", {}).items():
            _claim_all(claims, phrases, Claim(role="symbol", value=symbol, language=language), weak)
    root: Node = {}
    for key, found in claims.items():
        _plant(root, key, found)
    typos = _typo_table(claims)
    return Lexicon(
        root=root,
        typos=typos,
        typo_heads=frozenset(form[:HEAD] for form in typos),
        version="-".join(versions),
        languages=tuple(languages),
        prefixes=_particles(affixes, "prefixes"),
        suffixes=_particles(affixes, "suffixes"),
    )


def _particles(affixes: Iterable[Mapping[str, Any]], kind: str) -> tuple[str, ...]:
    found = {text.fold(particle) for mapping in affixes for particle in mapping.get(kind, ())}
    return tuple(sorted(found, key=lambda particle: (-len(particle), particle)))


def _claim_all(
    claims: dict[tuple[str, ...], list[Claim]],
    phrases: Iterable[str],
    claim: Claim,
    weak: set[tuple[str, ...]],
) -> None:
    for phrase in phrases:
        key = tuple(phrase_tokens(phrase))
        if not key:
            raise DomainError(f"{claim.language}: the phrase {phrase!r} holds no word")
        if key in weak:
            made = Claim(role=claim.role, language=claim.language, value=claim.value, is_weak=True)
        else:
            made = claim
        held = claims.setdefault(key, [])
        # Within one language the first role wins: what a word is comes before its mood.
        if not any(made.language == old.language for old in held):
            held.append(made)


def _plant(root: Node, key: tuple[str, ...], claims: list[Claim]) -> None:
    node = root
    for piece in key:
        node = node.setdefault(piece, {})
    old: Leaf | None = node.get("")
    node[""] = Leaf((old.claims if old else ()) + tuple(claims))


def _typo_table(claims: Mapping[tuple[str, ...], list[Claim]]) -> dict[str, tuple[str, ...]]:
    """Map label words without one letter to the words, so a lookup costs no distance."""
    known = {piece for key in claims for piece in key}
    table: dict[str, dict[str, None]] = {}
    for key, found in claims.items():
        if not any(claim.role in TYPO_ROLES for claim in found):
            continue
        for piece in key:
            if len(piece) < MIN_TYPO or not piece.isascii() or not piece.isalpha():
                continue
            forms = {piece[:at] + piece[at + 1 :] for at in range(len(piece))}
            if len(piece) >= MIN_TYPO_TWO:
                forms |= {form[:at] + form[at + 1 :] for form in forms for at in range(len(form))}
            for form in (forms - known) | {piece}:
                table.setdefault(form, {})[piece] = None
    return {form: tuple(words) for form, words in table.items()}


def _child(node: Node, piece: str) -> Node:
    child: Node = node[piece]
    return child


def with_symbols(lexicon: Lexicon, symbols: Symbols) -> Node:
    """Return a tree that knows the lexicon's phrases and the names of all symbols."""
    root = _copied(lexicon.root)
    for name, facts in symbols.facts.items():
        claim = Claim(role="symbol", language="", value=name)
        keys = {tuple(phrase_tokens(alias)) for alias in facts.aliases}
        keys.add(tuple(phrase_tokens(name)))
        lower = name.lower()
        if lower.isalpha() and len(lower) >= PAIR_LETTERS and lower.endswith("usd"):
            keys |= {(lower[:-3], quote) for quote in ("usd", "usdt", "usdc")}
        if lower.isalpha() and len(lower) == PAIR_LETTERS:
            keys.add((lower[:3], lower[3:]))
        for key in keys:
            if key:
                _plant(root, key, [claim])
    return root


def with_words(root: Node, words: Mapping[str, Iterable[str]], symbols: Symbols) -> Node:
    """Return a tree in which a channel's own words mean what the channel means by them.

    The keys are roles, moods or canonical symbols. Only the nodes on the way to a word are copied.
    """
    root = dict(root)
    for role, phrases in words.items():
        if role in symbols.facts:
            claim = Claim(role="symbol", value=role, language="")
        elif role in ROLES | MOODS:
            claim = Claim(role=role, language="")
        else:
            raise DomainError(f"{role!r} is no role, mood or symbol; see adding-a-language.md")
        for phrase in phrases:
            key = phrase_tokens(phrase)
            if not key:
                raise DomainError(f"the phrase {phrase!r} holds no word")
            node = root
            for piece in key:
                node[piece] = dict(node.get(piece, {}))
                node = node[piece]
            node[""] = Leaf((claim,))
    return root


def _copied(node: Node) -> Node:
    # An explicit stack: phrase depth is data, and data never decides about recursion.
    root: Node = {}
    stack = [(node, root)]
    while stack:
        source, copy = stack.pop()
        for key, child in source.items():
            if key == "":
                copy[key] = child
            else:
                copy[key] = {}
                stack.append((child, copy[key]))
    return root
