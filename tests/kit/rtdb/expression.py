"""The language of security rules, as far as ours use it: parsed, then evaluated."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from kit.rtdb import tree

_TOKEN = re.compile(
    r"\s*(?:(?P<text>'[^']*')|(?P<number>\d+)|(?P<name>\$?[A-Za-z_]\w*)"
    r"|(?P<sign>===|!==|&&|\|\||>=|<=|==|!=|[-!<>+*().,]))"
)
_BINDING = {
    "||": 1,
    "&&": 2,
    **dict.fromkeys(("===", "!==", "==", "!="), 3),
    **dict.fromkeys(("<", ">", "<=", ">="), 4),
    "+": 5,
    "-": 5,
    "*": 6,
}


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What `data`, `newData` and `root` are: a place in a tree."""

    root: Any
    path: tree.Path

    def val(self) -> Any:
        return tree.get(self.root, self.path)

    def exists(self) -> bool:
        return self.val() is not None

    def child(self, below: str) -> "Snapshot":
        return Snapshot(self.root, (*self.path, *(key for key in below.split("/") if key)))

    def isNumber(self) -> bool:  # noqa: N802 - The rules' name for it.
        value = self.val()
        return isinstance(value, int | float) and not isinstance(value, bool)


Node: TypeAlias = Callable[[Mapping[str, Any]], Any]


class DenyError(Exception):
    """The expression has no value, as with a comparison of text and number: that is a no."""


def compiled(source: str) -> Node:
    tokens = _tokens(source)
    node, rest = _binary(tokens, 0)
    if rest:
        raise ValueError(f"this part of a rule is not understood: {rest[:5]}")
    return node


def holds(node: Node, names: Mapping[str, Any]) -> bool:
    try:
        return node(names) is True
    except DenyError:
        return False


def _tokens(source: str) -> list[str]:
    found, at = [], 0
    while at < len(source.rstrip()):
        match = _TOKEN.match(source, at)
        if match is None:
            raise ValueError(f"not a rule: {source[at : at + 20]}")
        found.append(match[0].strip())
        at = match.end()
    return found


def _binary(tokens: list[str], least: int) -> tuple[Node, list[str]]:
    left, tokens = _unary(tokens)
    while tokens and _BINDING.get(tokens[0], 0) > least:
        sign = tokens[0]
        right, tokens = _binary(tokens[1:], _BINDING[sign])
        left = _joined(sign, left, right)
    return left, tokens


def _joined(sign: str, left: Node, right: Node) -> Node:
    match sign:
        case "||":
            return lambda names: _truth(_or_no(left, names)) or _truth(right(names))
        case "&&":
            return lambda names: _truth(left(names)) and _truth(right(names))
        case "===" | "==":
            return lambda names: _same(left(names), right(names))
        case "!==" | "!=":
            return lambda names: not _same(left(names), right(names))
        case "+" | "-" | "*":
            return lambda names: _sum(sign, left(names), right(names))
        case _:
            return lambda names: _compared(sign, left(names), right(names))


def _or_no(node: Node, names: Mapping[str, Any]) -> Any:
    try:
        return node(names)
    except DenyError:
        return False


def _truth(value: Any) -> bool:
    if not isinstance(value, bool):
        raise DenyError
    return value


def _same(left: Any, right: Any) -> bool:
    return type(left) is type(right) and left == right


def _sum(sign: str, left: Any, right: Any) -> Any:
    if sign == "+":
        return left + right
    return left - right if sign == "-" else left * right


def _compared(sign: str, left: Any, right: Any) -> bool:
    numbers = all(
        isinstance(one, int | float) and not isinstance(one, bool) for one in (left, right)
    )
    if not numbers and not all(isinstance(one, str) for one in (left, right)):
        raise DenyError
    return bool(
        {"<": left < right, ">": left > right, "<=": left <= right, ">=": left >= right}[sign]
    )


def _unary(tokens: list[str]) -> tuple[Node, list[str]]:
    if tokens[0] == "!":
        inner, rest = _unary(tokens[1:])
        return lambda names: not _truth(inner(names)), rest
    if tokens[0] == "(":
        inner, rest = _binary(tokens[1:], 0)
        if rest[0] != ")":
            raise ValueError("a bracket is missing")
        return _postfix(inner, rest[1:])
    return _postfix(_atom(tokens[0]), tokens[1:])


def _atom(token: str) -> Node:
    if token.startswith("'"):
        return lambda _: token[1:-1]
    if token.isdigit():
        return lambda _: int(token)
    constants = {"true": True, "false": False, "null": None}
    if token in constants:
        return lambda _: constants[token]
    return lambda names: names[token]


def _postfix(node: Node, tokens: list[str]) -> tuple[Node, list[str]]:
    while tokens and tokens[0] == ".":
        name, tokens = tokens[1], tokens[2:]
        if tokens and tokens[0] == "(":
            if tokens[1] == ")":
                node, tokens = _call(node, name), tokens[2:]
            else:
                argument, rest = _binary(tokens[1:], 0)
                node, tokens = _call(node, name, argument), rest[1:]
        else:
            node = _field(node, name)
    return node, tokens


def _call(node: Node, name: str, argument: Node | None = None) -> Node:
    if argument is None:
        return lambda names: getattr(node(names), name)()
    return lambda names: getattr(node(names), name)(argument(names))


def _field(node: Node, name: str) -> Node:
    return lambda names: node(names)[name]
