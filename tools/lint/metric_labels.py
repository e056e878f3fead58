"""No metric is labelled by a user or by anything that grows with users.

A label per user is a series per user: it fills the metric store and puts ids where they are not
protected. Per-user figures belong into the store.
"""

import ast
from collections.abc import Iterator

from tools.lint.source import Hit, Source, last_name, text_of

_FAMILIES = ("Counter", "Gauge", "Histogram", "Summary", "Info", "Enum", "GaugeHistogram")
_RECORDING = frozenset({"labels", "count", "gauge", "observe"})
_ONE_PER_USER = frozenset(
    {
        *("user", "tenant", "account", "channel", "chat", "message", "signal", "symbol", "trade"),
        *("copy", "leg", "intent", "order", "position", "deal", "session", "phone", "email"),
        *("login", "token", "telegram", "username", "ip", "bot"),
    }
)


def _is_per_user(label: str) -> bool:
    name = label.lower().removesuffix("_id").removesuffix("_name")
    return name in _ONE_PER_USER or label.lower().startswith(("user_", "account_", "channel_"))


def _label_names(call: ast.Call) -> Iterator[tuple[ast.AST, str]]:
    name = last_name(call.func)
    if name in _RECORDING and isinstance(call.func, ast.Attribute):
        yield from ((word.value, word.arg) for word in call.keywords if word.arg)
        for word in call.keywords:
            if word.arg is None and isinstance(word.value, ast.Dict):
                yield from (
                    (key, text) for key in word.value.keys if key and (text := text_of(key))
                )
    if name == "labels" or name.endswith(_FAMILIES):
        # labels("a", "b") gives values, whose names are not seen here; families give names.
        holders = [] if name == "labels" else [*call.args[2:3]]
        holders += [word.value for word in call.keywords if word.arg in {"labelnames", "labels"}]
        for holder in holders:
            yield from ((n, text) for n in ast.walk(holder) if (text := text_of(n)) is not None)


def check(source: Source) -> Iterator[Hit]:
    for node in ast.walk(source.tree):
        if not isinstance(node, ast.Call):
            continue
        for where, label in _label_names(node):
            if _is_per_user(label):
                yield where, f"label {label!r} makes a series for each one; keep it in the store"
