"""An order leaves through one door: `submit` is used by app/execute_*.py and nowhere else.

Those files claim the intent in the store first. A second way to send is a way to send twice.
Handing `submit` on without calling it counts too.
"""

import ast
from collections.abc import Iterator

from tools.lint.source import Hit, Source, last_name

_POOLS = frozenset({"executor", "pool"})


def check(source: Source) -> Iterator[Hit]:
    if not source.is_under("src/signalfleet"):
        return
    if source.is_under("src/signalfleet/app") and source.path.name.startswith("execute_"):
        return
    for node in ast.walk(source.tree):
        match node:
            case ast.Attribute(attr="submit", value=owner, ctx=ast.Load()):
                if last_name(owner).lstrip("_") not in _POOLS:
                    yield node, "only app/execute_*.py may submit; call a use case instead"
            case ast.Call(func=ast.Name(id="getattr"), args=[_, name, *_]):
                if getattr(name, "value", None) == "submit":
                    yield node, "only app/execute_*.py may submit; call a use case instead"
            case _:
                pass
