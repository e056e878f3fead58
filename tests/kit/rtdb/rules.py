"""Who may read and write where, by a rules document; grants cascade downwards."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from kit.rtdb.expression import Node, Snapshot, compiled, holds
from kit.rtdb.tree import Path

_compiled = cache(compiled)


@dataclass(slots=True)
class RuleBook:
    document: Mapping[str, Any]
    now_ms: int

    def may_read(self, auth: Any, root: Any, path: Path) -> bool:
        return any(
            holds(node, self._names(auth, root, root, path[:depth], variables))
            for node, depth, variables in self._rules(".read", path)
        )

    def may_write(self, auth: Any, root: Any, new_root: Any, path: Path) -> bool:
        return any(
            holds(node, self._names(auth, root, new_root, path[:depth], variables))
            for node, depth, variables in self._rules(".write", path)
        )

    def has_index(self, path: Path, child: str) -> bool:
        rules: Any = self.document["rules"]
        for key in path:
            rules = _below(rules, key)[0]
        return child in rules.get(".indexOn", [])

    def _rules(self, kind: str, path: Path) -> Iterator[tuple[Node, int, dict[str, str]]]:
        rules: Any = self.document["rules"]
        variables: dict[str, str] = {}
        for depth in range(len(path) + 1):
            if kind in rules:
                yield _compiled(rules[kind]), depth, dict(variables)
            if depth < len(path):
                rules, name = _below(rules, path[depth])
                if name is not None:
                    variables[name] = path[depth]

    def _names(
        self, auth: Any, root: Any, new_root: Any, path: Path, variables: dict[str, str]
    ) -> dict[str, Any]:
        return {
            "auth": auth,
            "now": self.now_ms,
            "root": Snapshot(root, ()),
            "data": Snapshot(root, path),
            "newData": Snapshot(new_root, path),
            **variables,
        }


def _below(rules: Any, key: str) -> tuple[Any, str | None]:
    if key in rules:
        return rules[key], None
    name = next((one for one in rules if one.startswith("$")), None)
    return (rules[name], name) if name is not None else ({}, None)
