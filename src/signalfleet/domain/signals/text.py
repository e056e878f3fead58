"""Turn a message into plain comparable text and tokens, with a way back to the original."""

import re
import unicodedata
from collections.abc import Sequence
from itertools import repeat
from typing import Final

MAX_CHARS: Final = 4096
MAX_GROWTH: Final = 8
MEMO_LIMIT: Final = 20_000
KEYCAP: Final = "\u20e3"
GROUP_SPACE: Final = "\xa0"
FIRST_SURROGATE: Final = 0xD800
LAST_SURROGATE: Final = 0xDFFF

# Marks whose meaning is known but which NFKD leaves as they are.
FIXED: Final = {
    "\u066b": ".",
    "\u066c": "'",
    "\xa0": GROUP_SPACE,
    "\u2009": GROUP_SPACE,
    "\u202f": GROUP_SPACE,
    "\u2007": GROUP_SPACE,
    "\u060c": ",",
    "\u061b": ";",
    "\u061f": "?",
    "\u037e": "?",
    "\u0964": ".",
    "\u3002": ".",
    "\uff61": ".",
    "\u3001": ",",
    "\u30fb": "\u2022",
    "\u2018": "'",
    "\u2019": "'",
    "\u02bc": "'",
    "\u2032": "'",
    "\u00b4": "'",
    "\u201c": '"',
    "\u201d": '"',
    "\u00ab": '"',
    "\u00bb": '"',
    "\u3010": "(",
    "\u3011": ")",
    "\u300a": "(",
    "\u300b": ")",
    "\u300c": "(",
    "\u300d": ")",
    KEYCAP: KEYCAP,
    "\u0640": "",
    "\u0649": "\u064a",
    "\u06cc": "\u064a",
    "\u06a9": "\u0643",
    "\u0629": "\u0647",
    "\u06c0": "\u0647",
    "\u06c1": "\u0647",
    "\u06be": "\u0647",
    "\u0131": "i",
    "\u0130": "i",
    "\u0111": "d",
    "\u0110": "d",
    "\u0142": "l",
    "\u0141": "l",
    "\u00f8": "o",
    "\u00d8": "o",
    "\u2212": "-",
    "\u2043": "-",
    "~": "-",
    "\u301c": "-",
    "\u30fc": "\u30fc",
    "\u2044": "/",
    "\u2215": "/",
    "\u00a6": "|",
    "\u2502": "|",
    "\u2551": "|",
    "\u2503": "|",
    "\u2757": "!",
    "\u2755": "!",
    "\u203c": "!",
    "\u2753": "?",
    "\u2754": "?",
    "\u2049": "?",
    "\u2028": "\n",
    "\u2029": "\n",
    "\x85": "\n",
    "\x0b": "\n",
    "\x0c": "\n",
    "\r": "\n",
    "\t": " ",
}
DIGIT_ICONS: Final = {"\U0001f51f": "10"}
SQUARED_FIRST: Final = 0x1F130
SQUARED_LAST: Final = 0x1F189
ALPHABET: Final = 26
HEBREW: Final = ("\u0590", "\u05ff")


def _fold(char: str) -> str:
    """Give what one character becomes; marks and invisible characters become nothing."""
    fixed = FIXED.get(char)
    if fixed is not None:
        return fixed
    code = ord(char)
    if FIRST_SURROGATE <= code <= LAST_SURROGATE:
        return " "
    if SQUARED_FIRST <= code <= SQUARED_LAST:
        return chr(ord("a") + (code - SQUARED_FIRST) % 32 % ALPHABET)
    category = unicodedata.category(char)
    if category == "Nd":
        return str(unicodedata.digit(char))
    if category == "Pd":
        return "-"
    if category == "Zs":
        return " "
    if category in {"Cc", "Cf", "Cn", "Co"}:
        return "\n" if char == "\n" else ""
    if unicodedata.combining(char) or "\ufe00" <= char <= "\ufe0f":
        return ""
    return _decomposed(char)


def _decomposed(char: str) -> str:
    parts = []
    for part in unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", char).casefold()):
        if unicodedata.combining(part):
            continue
        fixed = FIXED.get(part)
        if fixed is not None:
            parts.append(fixed)
        elif unicodedata.category(part) == "Nd":
            parts.append(str(unicodedata.digit(part)))
        elif unicodedata.category(part) == "Pd":
            parts.append("-")
        else:
            parts.append(part)
    folded = "".join(parts)
    return folded if len(folded) <= MAX_GROWTH else " "


class _Table(dict[int, str]):
    """A translation table that fills itself; bounded, as hostile text may use all of Unicode."""

    def __missing__(self, code: int) -> str:
        if len(self) > MEMO_LIMIT:
            self.clear()
        char = chr(code)
        folded = DIGIT_ICONS.get(char)
        if folded is None:
            folded = _fold(char)
        self[code] = folded
        return folded


_TABLE: Final = _Table()
ASCII: Final = 128
_ASCII_GONE: Final = bytes(code for code in range(ASCII) if not _TABLE[code])
_ASCII_FORM: Final = bytes(ord(_TABLE[code] or "\0") for code in range(ASCII)).ljust(2 * ASCII)


def fold(text: str) -> str:
    """Return the comparable form of a text: same words and numbers, one way of writing them."""
    capped = text[:MAX_CHARS]
    if capped.isascii():
        # The same table, but bytes need no look-up for each character.
        return capped.encode("ascii").translate(_ASCII_FORM, _ASCII_GONE).decode("ascii")
    return capped.translate(_TABLE)


def offsets(text: str) -> Sequence[int]:
    """Give, for every character of `fold(text)` and its end, the position in the original."""
    capped = text[:MAX_CHARS]
    size = len(capped)
    if capped.isascii() and len(fold(capped)) == size:
        return range(size + 1)
    # Nearly all characters become one; a list only if some become none or several.
    lengths = {char: length for char in set(capped) if (length := len(_TABLE[ord(char)])) != 1}
    if not lengths:
        return range(size + 1)
    places: list[int] = []
    done = 0
    for at, char in enumerate(capped):
        if char in lengths:
            places.extend(range(done, at))
            places.extend(repeat(at, lengths[char]))
            done = at + 1
    places.extend(range(done, size + 1))
    return places


WORD: Final = 1
NUMBER: Final = 2
LINE: Final = 3
MARK: Final = 4
LINK: Final = 5
MOMENT: Final = 6

_LETTERS: Final = (
    "a-z\xdf-\u02af\u0370-\u0e00\u0e80-\u10ff\u1100-\u1fff\u2c00-\u2dff\ua640-\uabff\uac00-\ud7ff"
    "\uf900-\ufdff"
)
# Scripts written without spaces: every character is a token and the phrase tree finds the words.
_SOLID: Final = "\u0e01-\u0e7f\u3040-\u30ff\u3400-\u9fff"

# One pass without groups gives the pieces at the speed of C; what a piece is shows in its first
# character. Blanks are pieces too, so that positions add up.
# One separator throughout: "2350.50/48" is a price and its shorthand, no date.
_DATES: Final = "|".join(
    rf"(?:19|20)\d\d{mark}(?:0?[1-9]|1[0-2]){mark}[0-3]?\d|[0-3]?\d{mark}[0-3]?\d{mark}20\d\d"
    for mark in ("/", "-", r"\.")
)
# What starts with no digit comes first: marks need not be tried as dates, times and numbers.
_PIECES: Final = (
    rf"[{_LETTERS}]+(?:'(?:t|s|m|ll|re|ve|d)(?![{_LETTERS}]))?| +|[{_SOLID}]|\D"
    rf"|(?=\d{{1,4}}[/.-]\d{{1,2}}[/.-]\d)(?:{_DATES})(?![\d.,]?\d)"
    r"|\d{1,2}:\d\d(?::\d\d)?(?![\d.,]?\d)"
    r"|\d+(?:[.,'\xa0]\d+)*"
)
_LINKS: Final = (
    r"(?:https?://|www\.|t\.me/)[^\s|]{1,200}"
    r"|@(?<![a-z0-9]@)(?!market|cmp|now\b|current)[a-z][a-z0-9_]{3,40}|"
)
_SPLIT: Final = re.compile(_PIECES)
_SPLIT_LINKS: Final = re.compile(_LINKS + _PIECES)
_IS_WORD: Final = re.compile(rf"[{_LETTERS}{_SOLID}]")
_IS_LINK: Final = re.compile(r"(?:https?://|www\.|t\.me/)|@[a-z]")
_IS_MOMENT: Final = re.compile(r"\d{1,4}[/:.-]\d{1,2}[/:.-]?\d*$")
BLANK: Final = 0


class _Kinds(dict[str, int]):
    """The kind of a piece by its first character; bounded as the folding table is."""

    def __missing__(self, first: str) -> int:
        if len(self) > MEMO_LIMIT:
            self.clear()
        if first.isspace():
            kind = BLANK if first != "\n" else LINE
        elif first in "0123456789":
            kind = NUMBER
        else:
            kind = WORD if _IS_WORD.match(first) else MARK
        self[first] = kind
        return kind


_KIND_OF: Final = _Kinds()

Token = tuple[int, str, int, int]
"""Kind, folded text, start and end in the folded text."""


def tokens(folded: str) -> list[Token]:
    """Cut folded text into tokens, left to right, spaces dropped."""
    has_links = "@" in folded or "//" in folded or "t.me/" in folded or "www." in folded
    found: list[Token] = []
    start = 0
    for piece in (_SPLIT_LINKS if has_links else _SPLIT).findall(folded):
        if piece == " ":
            start += 1
            continue
        end = start + len(piece)
        kind = _KIND_OF[piece[0]]
        if kind:
            if kind == NUMBER:
                if not piece.isdigit() and _is_moment(piece):
                    kind = MOMENT
            elif has_links and len(piece) > 1 and _IS_LINK.match(piece):
                kind = LINK
            found.append((kind, piece, start, end))
        start = end
    return found


def _is_moment(piece: str) -> bool:
    return (
        ":" in piece
        or "/" in piece
        or "-" in piece
        or (piece.count(".") > 1 and _IS_MOMENT.match(piece) is not None)
    )
