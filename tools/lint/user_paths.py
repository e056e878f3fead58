"""Users' paths are built by one function, `user_path`, which checks each part.

That rows are reached through `store.user(user_id)` needs no rule here: a `Store` has no other way
to them, and the types say so.
"""

import ast
from collections.abc import Iterator

from tools.lint.source import Hit, Source, text_of


def _path_builders(tree: ast.Module) -> set[ast.AST]:
    return {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and node.name == "user_path"
        for inner in ast.walk(node)
    }


def _is_users_path(text: str | None) -> bool:
    return (text or "").lstrip("/") == "users/"


def check(source: Source) -> Iterator[Hit]:
    if not source.is_under("src/signalfleet"):
        return
    builders = _path_builders(source.tree)
    for node in ast.walk(source.tree):
        match node:
            case ast.JoinedStr(values=[first, *_]) | ast.BinOp(left=first, op=ast.Add()):
                if _is_users_path(text_of(first)) and node not in builders:
                    yield node, "build users' paths with user_path(), which checks each part"
            case _:
                pass
