"""Nothing repeats a call that sends an order: the first try may have opened the trade.

Seen are decorators and helpers with retrying names round a function, lambda or method that
submits, and the broker's own sending methods wherever they are defined.
"""

import ast
import re
from collections.abc import Iterator

from tools.lint.source import Hit, Source, last_name

_RETRYING = re.compile(r"retry|retries|retrying|backoff|reattempt|tenacity|stamina", re.IGNORECASE)
_SENDING = frozenset({"submit", "order_send", "send_order", "post_trade"})
_MESSAGE = "an order may have arrived although the answer was lost; reconcile, never repeat"


def _dotted(node: ast.expr) -> str:
    target = node.func if isinstance(node, ast.Call) else node
    return ast.unparse(target)


def _sends(node: ast.AST) -> bool:
    return any(
        isinstance(part, ast.Attribute | ast.Name)
        and isinstance(part.ctx, ast.Load)
        and last_name(part) in _SENDING
        for part in ast.walk(node)
    )


def _local_senders(tree: ast.Module) -> frozenset[str]:
    functions = (n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef))
    return frozenset(f.name for f in functions if f.name in _SENDING or any(map(_sends, f.body)))


def _hands_over_a_sender(call: ast.Call, senders: frozenset[str]) -> bool:
    values = [*call.args, *(word.value for word in call.keywords)]
    return any(_sends(value) or last_name(value) in senders for value in values)


def check(source: Source) -> Iterator[Hit]:
    senders = _local_senders(source.tree)
    for node in ast.walk(source.tree):
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                for decorator in node.decorator_list:
                    if node.name in senders and _RETRYING.search(_dotted(decorator)):
                        yield decorator, _MESSAGE
            case ast.Call():
                if _RETRYING.search(_dotted(node)) and _hands_over_a_sender(node, senders):
                    yield node, _MESSAGE
            case ast.For() | ast.AsyncFor() | ast.While():
                if _is_retry_loop(node):
                    yield node, _MESSAGE
            case _:
                pass


def _is_retry_loop(loop: ast.For | ast.AsyncFor | ast.While) -> bool:
    """`for attempt in retrying(...)` and the like, with a sender in the body."""
    header = loop.test if isinstance(loop, ast.While) else ast.Tuple([loop.target, loop.iter])
    named = re.search(r"attempt|retry|retrying|tries", ast.unparse(header), re.IGNORECASE)
    return named is not None and any(map(_sends, loop.body))
