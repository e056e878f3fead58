"""A revealed secret is never put into text that people read.

Seen are `.reveal()` and `.get_secret_value()` in f-strings, `%`, `format` of a literal, log
calls and raised errors. A header that must carry a token is built in an adapter and says so.
"""

import ast
from collections.abc import Iterator

from tools.lint.source import Hit, Source, last_name

_REVEALING = frozenset({"reveal", "get_secret_value"})
_LOGGERS = frozenset({"log", "logger", "_log"})
_MESSAGE = "a revealed secret in text ends up in a log; pass the Secret itself"


def _reveals(node: ast.AST) -> bool:
    return any(
        isinstance(part, ast.Call)
        and isinstance(part.func, ast.Attribute)
        and part.func.attr in _REVEALING
        for part in ast.walk(node)
    )


def _is_text(node: ast.AST) -> bool:
    match node:
        case (
            ast.JoinedStr() | ast.BinOp(left=ast.Constant(value=str()), op=ast.Mod()) | ast.Raise()
        ):
            return True
        case ast.Call(func=ast.Name(id="print")):
            return True
        case ast.Call(func=ast.Attribute(attr="format", value=ast.Constant())):
            return True
        case ast.Call(func=ast.Attribute(value=owner)):
            return last_name(owner) in _LOGGERS
        case _:
            return False


def check(source: Source) -> Iterator[Hit]:
    inside: set[ast.AST] = set()
    for node in ast.walk(source.tree):
        if node not in inside and _is_text(node) and _reveals(node):
            inside.update(ast.walk(node))
            yield node, _MESSAGE
