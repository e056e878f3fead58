"""From tokens to facts: the longest phrases of all languages, symbols, numbers and marks."""

from collections.abc import Mapping
from copy import copy
from typing import Any, Final

from signalfleet.domain.instruments.symbols import PAIR_LETTERS, Symbols
from signalfleet.domain.signals import text
from signalfleet.domain.signals.facts import (
    BREAK,
    MAX_NUMBERS,
    NUM,
    UNKNOWN,
    Facts,
    Item,
    fill_clauses,
)
from signalfleet.domain.signals.icons import ICONS
from signalfleet.domain.signals.lexicon import Leaf, Lexicon, Node, with_symbols, with_words
from signalfleet.domain.signals.numbers import checked_style, in_style
from signalfleet.domain.signals.tables import spread_headings
from signalfleet.domain.signals.text import KEYCAP, LINE, LINK, MARK, NUMBER, WORD
from signalfleet.domain.signals.units import attach_units, join_written_apart

MAX_TOKENS: Final = 1000
MIN_TYPO: Final = 5
CODE_DIGITS: Final = 2
GLUE: Final = frozenset("/-._")
PAIRS: Final[Mapping[str, tuple[str, str]]] = {
    "buy_now": ("buy", "now"),
    "sell_now": ("sell", "now"),
    "buy_stop": ("buy", "stop_order"),
    "sell_stop": ("sell", "stop_order"),
    "buy_limit": ("buy", "limit"),
    "sell_limit": ("sell", "limit"),
    "buy_zone": ("buy", "zone"),
    "sell_zone": ("sell", "zone"),
}
AFTER_LABEL: Final = frozenset({"stop", "target", "entry", "ignore"})


class _Walk:
    """How far the tokens of one text are read, and what was found in them."""

    __slots__ = ("clause", "contested", "depth", "end", "facts", "line", "tokens")

    def __init__(self, facts: Facts, tokens: list[text.Token]) -> None:
        self.facts = facts
        self.tokens = tokens
        self.contested: list[tuple[Item, Leaf]] = []
        self.line = 0
        self.clause = 0
        self.depth = 0
        self.end = 0

    def add(self, role: str, value: str, start: int, end: int) -> Item:
        item = Item(role, value, start, end, self.line, self.clause, start == self.end)
        self.facts.items.append(item)
        return item

    def number(self, piece: str, start: int, end: int) -> None:
        self.facts.numbers.append(self.add(NUM, piece, start, end))

    def break_line(self, start: int, end: int) -> None:
        self.line += 1
        self.clause += 1
        self.depth = 0
        self.add(BREAK, "", start, end)

    def mark(self, piece: str, start: int, end: int) -> None:
        role = ICONS.get(piece)
        if role == "dot":
            self._dot(piece, end)
            return
        if role == "open_bracket":
            # What stands in brackets is a clause of its own.
            self.clause += 1
            self.depth += 1
        if role is not None:
            self.add(role, piece, start, end)
        if role == "close_bracket" and self.depth:
            self.depth -= 1
            self.clause += 1
        elif role == "ask":
            self.clause += 1

    def _dot(self, piece: str, end: int) -> None:
        """End a clause, except behind a label ("TP. 2350") and inside a word."""
        if piece == ".":
            after = self.facts.folded[end : end + 1]
            items = self.facts.items
            if after not in {"", " ", "\n"} or (items and items[-1].role in AFTER_LABEL):
                return
        self.clause += 1

    def settle(self) -> None:
        """Decide what words mean that several languages claim, now that all words are known."""
        folded = self.facts.folded
        for item, leaf in self.contested:
            settled = leaf.settle(self.facts.evidence)
            written = folded[item.start : item.end]
            if settled is None:
                item.role, item.value = UNKNOWN, written
            else:
                item.role, item.value = settled[0], settled[1] or written


KEPT: Final = 64
"""A text comes to all who follow its channel in the same moment; later it is read anew."""


class FactFinder:
    """Finds facts with one lexicon and one set of symbols; `ends` are words that tell an expiry."""

    __slots__ = ("_ends", "_kept", "_lexicon", "_number_style", "_root", "_symbols")

    def __init__(
        self, lexicon: Lexicon, symbols: Symbols, ends: frozenset[str] = frozenset()
    ) -> None:
        self._lexicon = lexicon
        self._symbols = symbols
        self._ends = ends
        self._root: Node = with_symbols(lexicon, symbols)
        self._number_style = ""
        self._kept: dict[str, Facts] = {}

    def adapted(self, words: Mapping[str, tuple[str, ...]], number_style: str) -> "FactFinder":
        """Return a finder that also knows a channel's own words and its decimal mark."""
        finder = copy(self)
        finder._kept = {}  # noqa: SLF001 - one of us
        finder._root = with_words(self._root, words, self._symbols)  # noqa: SLF001 - one of us
        finder._number_style = checked_style(number_style)  # noqa: SLF001 - one of us
        return finder

    def seen(self, message: str) -> Facts:
        """Give the facts of a text that many users get at once; nobody may change them."""
        found = self._kept.pop(message, None)
        if found is None:
            found = self.find(message)
            while len(self._kept) >= KEPT:
                del self._kept[next(iter(self._kept))]
        self._kept[message] = found
        return found

    def find(self, message: str) -> Facts:
        """Give the facts of a text; a text with absurdly many tokens or numbers has none."""
        folded = text.fold(message)
        facts = Facts(folded)
        tokens = text.tokens(folded)
        facts.has_end = not self._ends.isdisjoint([token[1] for token in tokens])
        if len(tokens) > MAX_TOKENS:
            facts.is_too_long = True
            return facts
        self._walk(_Walk(facts, _with_keycaps(tokens) if KEYCAP in folded else tokens))
        if len(facts.numbers) > MAX_NUMBERS:
            facts.items.clear()
            facts.numbers.clear()
            facts.is_too_long = True
            return facts
        if facts.numbers:
            self._settle_numbers(facts)
        fill_clauses(facts)
        return facts

    def _settle_numbers(self, facts: Facts) -> None:
        """Find out which numbers are prices, and which belong together."""
        if self._number_style:
            for number in facts.numbers:
                number.value = in_style(number.value, self._number_style)
        join_written_apart(facts, self._symbols)
        attach_units(facts.items)
        spread_headings(facts)

    def _walk(self, walk: _Walk) -> None:
        tokens, root = walk.tokens, self._root
        size = len(tokens)
        at = 0
        while at < size:
            kind, piece, start, end = tokens[at]
            if kind == WORD or (kind == NUMBER and piece in root):
                at = self._phrase(walk, at)
                continue
            if kind == MARK:
                walk.mark(piece, start, end)
            elif kind == NUMBER:
                walk.number(piece, start, end)
            elif kind == LINE:
                walk.break_line(start, end)
            else:
                walk.add("link" if kind == LINK else "moment", piece, start, end)
            walk.end = end
            at += 1
        walk.settle()

    def _phrase(self, walk: _Walk, at: int) -> int:
        """Take the longest phrase that starts here; return where the next one may start."""
        tokens = walk.tokens
        kind, piece, start, end = tokens[at]
        node = self._root.get(piece)
        if node is None:
            leaf, stop = self._unlisted(piece, tokens, at)
        else:
            leaf, stop = _longest(node, tokens, at + 1, self._lexicon)
        # A bare number is never a phrase of its own.
        if leaf is None or (kind == NUMBER and stop == at + 1):
            if kind == NUMBER:
                walk.number(piece, start, end)
            else:
                self._strange(walk, piece, start, end)
            walk.end = end
            return at + 1
        if stop > at + 1:
            end = tokens[stop - 1][3]
        item = walk.add(leaf.role, leaf.value, start, end)
        if leaf.is_contested:
            walk.contested.append((item, leaf))
        else:
            if leaf.is_foreign:
                evidence = walk.facts.evidence
                for language in leaf.languages:
                    evidence[language] = evidence.get(language, 0) + 1
            if leaf.role == "symbol":
                stop, end = self._after_symbol(item, tokens, stop, end)
        if not item.value:
            item.value = walk.facts.folded[start:end]
        pair = PAIRS.get(leaf.role)
        if pair is not None:
            item.role = pair[0]
            walk.add(pair[1], item.value, start, end)
        walk.end = end
        return stop

    def _unlisted(self, piece: str, tokens: list[text.Token], at: int) -> tuple[Leaf | None, int]:
        """Read a word with which no phrase starts: written onto another, or misspelt."""
        if not piece.isascii():
            return self._stemmed(self._root, piece, tokens, at)
        if len(piece) >= MIN_TYPO:
            return self._corrected(self._root, piece, tokens, at)
        return None, at + 1

    def _stemmed(
        self, root: Node, piece: str, tokens: list[text.Token], at: int
    ) -> tuple[Leaf | None, int]:
        for stem in self._lexicon.stems(piece):
            node = root.get(stem)
            if node is not None:
                leaf, stop = _longest(node, tokens, at + 1, self._lexicon)
                if leaf is not None:
                    return leaf, stop
        return None, at + 1

    def _corrected(
        self, root: Node, piece: str, tokens: list[text.Token], at: int
    ) -> tuple[Leaf | None, int]:
        node = self._lexicon.correct(piece, root)
        if node is None:
            return None, at + 1
        return _longest(node, tokens, at + 1, self._lexicon)

    def _after_symbol(
        self, item: Item, tokens: list[text.Token], stop: int, end: int
    ) -> tuple[int, int]:
        """Take a broker's suffix; a name glued to a small number is a code, not a symbol."""
        if stop < len(tokens):
            _, piece, start, _ = tokens[stop]
            if start == end:
                if tokens[stop][0] == NUMBER and len(piece) <= CODE_DIGITS:
                    item.role = UNKNOWN
                elif piece in {".", "_", "-"} and stop + 1 < len(tokens):
                    kind, suffix, at, finish = tokens[stop + 1]
                    if kind == WORD and at == end + 1 and suffix in self._symbols.suffixes:
                        return stop + 2, finish
                elif tokens[stop][0] == WORD and piece in self._symbols.suffixes:
                    return stop + 1, tokens[stop][3]
        return stop, end

    def _strange(self, walk: _Walk, piece: str, start: int, end: int) -> None:
        """Add a word in no list: perhaps a symbol with a suffix or a typo."""
        symbol = None
        is_typo = False
        if len(piece) >= PAIR_LETTERS and piece.isascii():
            symbol = self._symbols.from_word(piece)
            if symbol is None:
                symbol = self._symbols.typos.get(piece)
                is_typo = symbol is not None
        if symbol is None:
            walk.add(UNKNOWN, piece, start, end)
        else:
            item = walk.add("symbol", symbol, start, end)
            item.unit = "typo" if is_typo else ""


def _longest(
    node: Node, tokens: list[text.Token], at: int, lexicon: Lexicon
) -> tuple[Leaf | None, int]:
    """Follow the tree as far as the tokens go; a separator inside a phrase does not count."""
    best: Leaf | None = node.get("")
    best_at = at
    size = len(tokens)
    current: dict[str, Any] = node
    while at < size:
        kind, piece, start, end = tokens[at]
        child = current.get(piece)
        if child is None and kind == WORD:
            if len(piece) < MIN_TYPO or len(current) == 1:
                break
            child = lexicon.correct(piece, current)
            if child is None:
                break
        elif child is None:
            if kind != MARK or piece not in GLUE or at + 1 >= size:
                break
            after = tokens[at + 1]
            if after[2] != end and piece != "/":
                break
            if start != tokens[at - 1][3] and piece not in "/-":
                break
            child = current.get(after[1])
            if child is None:
                break
            at += 1
        current = child
        at += 1
        leaf = current.get("")
        if leaf is not None:
            best, best_at = leaf, at
    return best, best_at


def _with_keycaps(tokens: list[text.Token]) -> list[text.Token]:
    """Join digits in keycaps to numbers; the joined token is marked by a trailing keycap sign."""
    joined: list[text.Token] = []
    run: list[text.Token] = []
    at = 0
    size = len(tokens)
    while at < size:
        token = tokens[at]
        if token[0] == NUMBER and at + 1 < size and tokens[at + 1][1] == KEYCAP:
            run.append((NUMBER, token[1], token[2], tokens[at + 1][3]))
            at += 2
            continue
        if run:
            joined.append(_one(run))
            run = []
        if token[1] != KEYCAP:
            joined.append(token)
        at += 1
    if run:
        joined.append(_one(run))
    return joined


def _one(run: list[text.Token]) -> text.Token:
    return (NUMBER, "".join(token[1] for token in run), run[0][2], run[-1][3])
