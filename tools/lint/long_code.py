"""What is long is split, or says why it is not: files and functions of the product."""

import ast
from collections.abc import Iterator

from tools.lint.source import Hit, Source

FILE_LINES = 400
FUNCTION_LINES = 60


def check(source: Source) -> Iterator[Hit]:
    if not source.is_under("src"):
        return
    lines = source.text.count("\n")
    if lines > FILE_LINES:
        yield source.tree, f"{lines} lines, {FILE_LINES} are the most: move one of its ideas out"
    for node in ast.walk(source.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            if length > FUNCTION_LINES:
                words = f"{node.name} has {length} lines, {FUNCTION_LINES} are the most"
                yield node, f"{words}: split it by its steps"
