"""From tokens to facts: what each piece of the text is, and which clause and line it is in."""

from collections.abc import Mapping
from typing import Any, Final

from signalfleet.domain.instruments.symbols import PAIR_LETTERS, Symbols
from signalfleet.domain.signals import text
from signalfleet.domain.signals.lexicon import Leaf, Lexicon, Node, with_symbols
from signalfleet.domain.signals.numbers import readings
from signalfleet.domain.signals.text import KEYCAP, LINE, LINK, MARK, MOMENT, NUMBER, WORD

MAX_TOKENS: Final = 1500
MAX_NUMBERS: Final = 120
MAX_PIP_DIGITS: Final = 3
MAX_CLAUSE: Final = 150
MIN_TYPO: Final = 5
UNKNOWN: Final = "unknown"
NUM: Final = "num"
BREAK: Final = "line"
WEAK_MARKS: Final = frozenset(".!;")
GLUE: Final = frozenset("/-._")

ICONS: Final[Mapping[str, str]] = {
    **dict.fromkeys("✅✔☑✓🆗👍🏅", "tick"),
    **dict.fromkeys("❌✖❎✘", "cross"),
    **dict.fromkeys("🛑⛔🚫📛🚷", "icon_stop"),
    **dict.fromkeys("🎯💰💵🏆💸🤑🥇🥈🥉", "icon_target"),
    **dict.fromkeys("🟢📈⬆🔼🐂↗🚀🔵☝👆🟩⏫🐃", "icon_up"),
    **dict.fromkeys("🔴📉⬇🔽🔻🐻↘👇🟥⏬🩸", "icon_down"),
    **dict.fromkeys("↔🔸🔹▪▫•●○◾◽■□★☆⭐", "bullet"),
    "?": "ask",
    ",": "comma",
    "-": "dash",
    "/": "slash",
    "\\": "slash",
    "|": "pipe",
    "+": "plus",
    "%": "percent",
    "$": "money",
    "€": "money",
    "£": "money",
    "(": "open_bracket",
    "[": "open_bracket",
    "{": "open_bracket",
    ")": "close_bracket",
    "]": "close_bracket",
    "}": "close_bracket",
    "@": "at",
    "&": "amp",
    "#": "hash",
    "=": "equals",
    "_": "dash",
    ":": "colon",
    ">": "arrow",
    "<": "arrow",
    "→": "arrow",
    "➡": "arrow",
    "➜": "arrow",
    "➔": "arrow",
    "⇒": "arrow",
    ".": "dot",
    "!": "dot",
    ";": "dot",
    "…": "dot",
}
SILENT: Final = frozenset({"bullet", "colon", "equals", "at", "hash", "arrow"})
NUMBER_SUFFIX: Final[Mapping[str, str]] = {
    "k": "thousand",
    "x": "leverage",
    "h": "time",
    "hr": "time",
    "hrs": "time",
    "min": "time",
    "mins": "time",
    "m": "time",
    "d": "time",
    "r": "r",
    "gm": "other",
    "g": "other",
    "st": "ordinal",
    "nd": "ordinal",
    "rd": "ordinal",
    "th": "ordinal",
    "am": "time",
    "pm": "time",
}
MONEY_WORDS: Final = frozenset(
    "usd usdt dollar dollars eur euro euros tl rs inr lakh trieu".split()
)
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


class Item:
    """One fact. `value` is the symbol, the raw number or the word itself."""

    __slots__ = (
        "clause",
        "end",
        "is_glued",
        "line",
        "role",
        "start",
        "unit",
        "value",
    )

    def __init__(  # noqa: PLR0913 - made some forty times a message, keywords would cost too much
        self,
        role: str,
        value: str,
        start: int,
        end: int,
        line: int,
        clause: int,
        is_glued: bool,  # noqa: FBT001 - as above
    ) -> None:
        self.role = role
        self.value = value
        self.start = start
        self.end = end
        self.line = line
        self.clause = clause
        self.is_glued = is_glued
        self.unit = ""

    def __repr__(self) -> str:
        return f"{self.role}:{self.value}{'~' + self.unit if self.unit else ''}"


class Clause:
    """What is known of one clause as a whole."""

    __slots__ = ("asks", "items", "moods", "roles", "unknown")

    def __init__(self) -> None:
        self.items: list[Item] = []
        self.moods: set[str] = set()
        self.roles: set[str] = set()
        self.unknown = 0
        self.asks = False


class Facts:
    """All facts of one text, in its order."""

    __slots__ = ("clauses", "evidence", "folded", "is_too_long", "items", "moods", "roles")

    def __init__(self, folded: str) -> None:
        self.folded = folded
        self.items: list[Item] = []
        self.clauses: list[Clause] = []
        self.moods: set[str] = set()
        self.roles: set[str] = set()
        self.evidence: dict[str, int] = {}
        self.is_too_long = False


MOOD_NAMES: Final = frozenset(
    "member negation question past future conditional optional confirmation pre_alert example advert "
    "recap other_market news wish later".split()
)
Found = tuple[int, Leaf, int, int]


class FactFinder:
    """Finds facts with one lexicon and one set of symbols."""

    __slots__ = ("_lexicon", "_root", "_symbols")

    def __init__(self, lexicon: Lexicon, symbols: Symbols) -> None:
        self._lexicon = lexicon
        self._symbols = symbols
        self._root: Node = with_symbols(lexicon, symbols)

    def find(self, message: str) -> Facts:
        """Give the facts of a text; a text with absurdly many tokens has none."""
        folded = text.fold(message)
        facts = Facts(folded)
        tokens = text.tokens(folded)
        if len(tokens) > MAX_TOKENS:
            facts.is_too_long = True
            return facts
        self._items(facts, _with_keycaps(tokens))
        if sum(item.role == NUM for item in facts.items) > MAX_NUMBERS:
            facts.items.clear()
            facts.is_too_long = True
            return facts
        _attach_units(facts.items)
        _fill_clauses(facts)
        return facts

    def _items(self, facts: Facts, tokens: list[text.Token]) -> None:
        root, items, folded = self._root, facts.items, facts.folded
        evidence = facts.evidence
        contested: list[tuple[Item, Leaf]] = []
        line = clause = 0
        depth = 0
        last_end = 0
        size = len(tokens)
        at = 0
        while at < size:
            kind, piece, start, end = tokens[at]
            is_glued = start == last_end
            if kind == WORD or kind == NUMBER:
                node = root.get(piece)
                leaf: Leaf | None = None
                stop = at + 1
                if node is not None:
                    leaf, stop = _longest(node, tokens, at + 1, self._lexicon)
                elif kind == WORD and len(piece) >= MIN_TYPO:
                    leaf, stop = self._corrected(root, piece, tokens, at)
                if kind == NUMBER and leaf is not None and stop == at + 1:
                    leaf = None
                if leaf is not None:
                    end = tokens[stop - 1][3]
                    item = Item(leaf.role, leaf.value, start, end, line, clause, is_glued)
                    if leaf.is_contested:
                        contested.append((item, leaf))
                    elif leaf.is_foreign:
                        for language in leaf.languages:
                            evidence[language] = evidence.get(language, 0) + 1
                    if leaf.role == "symbol" and not leaf.is_contested:
                        stop, end = self._after_symbol(item, tokens, stop, end)
                    if not item.value:
                        item.value = folded[start:end]
                    items.append(item)
                    pair = PAIRS.get(leaf.role)
                    if pair is not None:
                        item.role = pair[0]
                        items.append(
                            Item(pair[1], item.value, start, end, line, clause, is_glued=False)
                        )
                    at = stop
                    last_end = end
                    continue
                if kind == NUMBER:
                    items.append(Item(NUM, piece, start, end, line, clause, is_glued))
                else:
                    items.append(self._strange(piece, start, end, line, clause, is_glued))
            elif kind == LINE:
                line += 1
                clause += 1
                depth = 0
                items.append(Item(BREAK, "", start, end, line, clause, is_glued))
            elif kind == MARK:
                role = ICONS.get(piece)
                if role is None:
                    pass
                elif role == "dot":
                    after = folded[end : end + 1]
                    if (not after or after in " \n") and not (
                        items and items[-1].role in AFTER_LABEL and piece == "."
                    ):
                        clause += 1
                    elif piece != ".":
                        clause += 1
                elif role == "open_bracket":
                    clause += 1
                    depth += 1
                    items.append(Item(role, piece, start, end, line, clause, is_glued))
                elif role == "close_bracket":
                    items.append(Item(role, piece, start, end, line, clause, is_glued))
                    if depth:
                        depth -= 1
                        clause += 1
                else:
                    items.append(Item(role, piece, start, end, line, clause, is_glued))
                    if role == "ask":
                        clause += 1
            elif kind == MOMENT or kind == LINK:
                items.append(
                    Item("moment" if kind == MOMENT else "link", piece, start, end, line, clause, is_glued)
                )
            last_end = end
            at += 1
        for item, leaf in contested:
            settled = leaf.settle(evidence)
            if settled is None:
                item.role, item.value = UNKNOWN, folded[item.start : item.end]
            else:
                item.role = settled[0]
                item.value = settled[1] or folded[item.start : item.end]

    def _corrected(
        self, root: Node, piece: str, tokens: list[text.Token], at: int
    ) -> tuple[Leaf | None, int]:
        right = self._lexicon.correct(piece)
        node = root.get(right) if right else None
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
                if tokens[stop][0] == NUMBER and len(piece) <= 2:
                    item.role = UNKNOWN
                elif piece in {".", "_", "-"} and stop + 1 < len(tokens):
                    kind, suffix, at, finish = tokens[stop + 1]
                    if kind == WORD and at == end + 1 and suffix in self._symbols.suffixes:
                        return stop + 2, finish
                elif tokens[stop][0] == WORD and piece in self._symbols.suffixes:
                    return stop + 1, tokens[stop][3]
        return stop, end

    def _strange(  # noqa: PLR0913 - the fields of an item
        self,
        piece: str,
        start: int,
        end: int,
        line: int,
        clause: int,
        is_glued: bool,  # noqa: FBT001
    ) -> Item:
        """Make the item of a word in no list: perhaps a symbol with a suffix or a typo."""
        symbol = None
        if len(piece) >= PAIR_LETTERS and piece.isascii():
            symbol = self._symbols.from_word(piece)
            if symbol is None:
                symbol = self._symbols.typos.get(piece)
                if symbol is not None:
                    item = Item("symbol", symbol, start, end, line, clause, is_glued)
                    item.unit = "typo"
                    return item
        if symbol is not None:
            return Item("symbol", symbol, start, end, line, clause, is_glued)
        return Item(UNKNOWN, piece, start, end, line, clause, is_glued)


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
        if child is None and kind == WORD and len(piece) >= MIN_TYPO and len(current) > 1:
            right = lexicon.correct(piece)
            child = current.get(right) if right else None
        if child is None:
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
    if not any(token[1] == KEYCAP for token in tokens):
        return tokens
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


def _attach_units(items: list[Item]) -> None:
    """Mark numbers that are no prices by what stands before and after them."""
    size = len(items)
    for at, item in enumerate(items):
        role = item.role
        if role != NUM:
            continue
        before = items[at - 1] if at else None
        after = items[at + 1] if at + 1 < size else None
        if before is not None and before.role == "plus":
            item.unit = "plus"
        if before is not None and before.role == "money":
            item.unit = "money"
        if after is not None and after.line == item.line:
            unit = _unit_after(items, at, after)
            if unit:
                item.unit = unit
                if unit == "pips":
                    _spread_pips(items, at)
        if (
            not item.unit
            and before is not None
            and item.is_glued
            and before.role == UNKNOWN
            and before.value == "x"
        ):
            item.unit = "leverage"
            before.role = "filler"
        value = item.value
        if not item.unit and not value.isdigit() and "," not in value and not readings(value):
            item.unit = "other"


def _unit_after(items: list[Item], at: int, after: Item) -> str:
    role = after.role
    if role == "percent":
        return "percent"
    if role == "pips":
        after.role = "filler"
        return "pips"
    if role == "money":
        return "money"
    if role == "lots":
        # "0.05 lot" is a size, but "0.9165 lot size 0.20" is a price before a label.
        follow = at + 2
        while follow < len(items) and items[follow].role in SILENT and items[follow].role != "at":
            follow += 1
        if follow < len(items) and items[follow].role == NUM and items[follow].line == after.line:
            return ""
        after.role = "filler"
        return "lots"
    if role == "percent_word":
        after.role = "filler"
        return "percent"
    if after.is_glued:
        unit = NUMBER_SUFFIX.get(after.value)
        if unit is not None:
            after.role = "filler"
            return unit
    if after.value in MONEY_WORDS and role != "symbol":
        return "money"
    if role == "level_noun":
        return ""
    return ""


def _spread_pips(items: list[Item], at: int) -> None:
    """Give all numbers of "30/40/60 pips" the unit of the last."""
    while (
        at > 1
        and items[at - 1].role in {"dash", "slash", "until", "comma", "amp"}
        and items[at - 2].role == NUM
        and items[at - 2].line == items[at].line
        and not items[at - 2].unit
        and len(items[at - 2].value) <= MAX_PIP_DIGITS
    ):
        at -= 2
        items[at].unit = "pips"


def _fill_clauses(facts: Facts) -> None:
    clauses: list[Clause] = facts.clauses
    last = facts.items[-1].clause if facts.items else -1
    for _ in range(last + 1):
        clauses.append(Clause())
    for item in facts.items:
        clause = clauses[item.clause]
        role = item.role
        clause.items.append(item)
        if role in MOOD_NAMES:
            clause.moods.add(role)
            facts.moods.add(role)
        elif role == UNKNOWN:
            clause.unknown += 1
        elif role == "ask":
            clause.asks = True
        clause.roles.add(role)
        facts.roles.add(role)
