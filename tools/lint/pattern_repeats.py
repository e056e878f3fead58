r"""No regular expression has an unbounded repeat inside an unbounded repeat.

Such a pattern can take time that doubles with each character, and channels' texts are written by
strangers. Allowed: possessive and atomic forms, and bodies that must contain a character which
their inner repeats cannot match, as in `(?:,\d+)*`: there each text is cut in one way only.
"""

import ast
import importlib
import re
import string
import warnings
from collections.abc import Iterator
from typing import Any, TypeAlias

from tools.lint.source import Hit, Source, last_name, text_of

Op: TypeAlias = Any
Value: TypeAlias = Any
Steps: TypeAlias = Any
"""What the parser of `re` makes of a pattern: a sequence of operations with their values."""

sre: Any = importlib.import_module("re._constants")
parser: Any = importlib.import_module("re._parser")
# By name: the type stubs of `re` show these two in one order of checking, hide them in another.

_FUNCTIONS = frozenset(
    {"compile", "match", "fullmatch", "search", "sub", "subn", "split", "findall", "finditer"}
)
_PROBES = [*map(ord, string.printable), 0x200B, 0xA0, 0xE9, 0x416, 0x663, 0x4E2D, 0x1F680]
_CATEGORIES = {
    sre.CATEGORY_DIGIT: re.compile(r"\d"),
    sre.CATEGORY_NOT_DIGIT: re.compile(r"\D"),
    sre.CATEGORY_SPACE: re.compile(r"\s"),
    sre.CATEGORY_NOT_SPACE: re.compile(r"\S"),
    sre.CATEGORY_WORD: re.compile(r"\w"),
    sre.CATEGORY_NOT_WORD: re.compile(r"\W"),
}


def _one_of(code: int, item: tuple[Op, Value]) -> bool:
    op, value = item
    if op is sre.LITERAL:
        return chr(value).casefold() == chr(code).casefold()
    if op is sre.RANGE:
        return bool(value[0] <= code <= value[1])
    return op is sre.CATEGORY and _CATEGORIES[value].match(chr(code)) is not None


def _matches(code: int, op: Op, value: Value) -> bool:
    if op is sre.ANY:
        return True
    if op is sre.NOT_LITERAL:
        return bool(code != value)
    if op is sre.IN:
        is_negated = bool(value) and value[0][0] is sre.NEGATE
        return any(_one_of(code, item) for item in value[is_negated:]) != is_negated
    return _one_of(code, (op, value))


def _is_single(op: Op) -> bool:
    return op in {sre.LITERAL, sre.NOT_LITERAL, sre.ANY, sre.IN}


def _characters(sequence: Steps) -> set[int]:
    """Every probe that some part of the sequence can match."""
    found: set[int] = set()
    for op, value in sequence:
        if _is_single(op):
            found |= {code for code in _PROBES if _matches(code, op, value)}
        else:
            for part in _parts(op, value):
                found |= _characters(part)
    return found


def _parts(op: Op, value: Value) -> list[Steps]:
    """The sequences inside an operation, whichever it is."""
    if op in {sre.MAX_REPEAT, sre.MIN_REPEAT, sre.POSSESSIVE_REPEAT}:
        return [value[2]]
    if op is sre.SUBPATTERN:
        return [value[3]]
    if op is sre.BRANCH:
        return list(value[1])
    if op is sre.ATOMIC_GROUP:
        return [value]
    if op in {sre.ASSERT, sre.ASSERT_NOT}:
        return [value[1]]
    if op is sre.GROUPREF_EXISTS:
        return [part for part in value[1:] if part is not None]
    return []


def _unbounded_bodies(sequence: Steps) -> list[Steps]:
    """Bodies of repeats that can give back what they took, at any depth."""
    found: list[Steps] = []
    for op, value in sequence:
        if op is sre.ATOMIC_GROUP or op is sre.POSSESSIVE_REPEAT:
            continue
        if op in {sre.MAX_REPEAT, sre.MIN_REPEAT} and value[1] is sre.MAXREPEAT:
            found.append(value[2])
        for part in _parts(op, value):
            found += _unbounded_bodies(part)
    return found


def _delimiters(sequence: Steps) -> list[set[int]]:
    """The character sets of single characters that the sequence cannot do without."""
    found: list[set[int]] = []
    for op, value in sequence:
        if _is_single(op):
            found.append({code for code in _PROBES if _matches(code, op, value)})
        elif op is sre.SUBPATTERN:
            found += _delimiters(value[3])
        elif op in {sre.MAX_REPEAT, sre.MIN_REPEAT} and value[0] == value[1] == 1:
            found += _delimiters(value[2])
    return found


def is_explosive(pattern: str, flags: int = 0) -> bool:
    """Whether an unbounded repeat holds another that could split the same text differently."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        sequence = parser.parse(pattern, flags)
    for body in _unbounded_bodies(sequence):
        inner = _unbounded_bodies(body)
        if not inner:
            continue
        repeated = set().union(*map(_characters, inner))
        if not any(d and d.isdisjoint(repeated) for d in _delimiters(body)):
            return True
    return False


def _constants(tree: ast.Module) -> dict[str, str]:
    known: dict[str, str] = {}
    for node in tree.body:
        match node:
            case (
                ast.Assign(targets=[ast.Name(id=name)], value=value)
                | ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value)
            ):
                if (text := _resolve(value, known)) is not None:
                    known[name] = text
            case _:
                pass
    return known


def _resolve(node: ast.expr, known: dict[str, str]) -> str | None:
    """The text of a pattern put together from constants of the file, None if it is not."""
    parts: list[str | None]
    match node:
        case ast.Constant(value=str(value)):
            return value
        case ast.Name(id=name):
            return known.get(name)
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            parts = [_resolve(left, known), _resolve(right, known)]
        case ast.JoinedStr(values=values):
            parts = [text_of(v) or _resolve(getattr(v, "value", v), known) for v in values]
        case _:
            return None
    return None if None in parts else "".join(part or "" for part in parts)


def check(source: Source) -> Iterator[Hit]:
    known = _constants(source.tree)
    for node in ast.walk(source.tree):
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Name(id="re")), args=[first, *_]):
                text = _resolve(first, known)
                if last_name(node.func) not in _FUNCTIONS or text is None:
                    continue
                flags = (
                    re.VERBOSE
                    if "VERBOSE" in ast.unparse(node) or "re.X" in ast.unparse(node)
                    else 0
                )
                if is_explosive(text, flags):
                    yield node, "a repeat inside a repeat can take for ever; bound one of them"
            case _:
                pass
