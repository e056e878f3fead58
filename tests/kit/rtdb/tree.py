"""Values as the database keeps them: no nulls, no empty maps, lists as maps with numbers."""

from collections.abc import Sequence
from typing import Any, TypeAlias

Path: TypeAlias = tuple[str, ...]
MAX_KEY_BYTES = 768
MAX_DEPTH = 32
FORBIDDEN = frozenset(".$#[]/") | frozenset(map(chr, range(32))) | {"\x7f"}


class BadRequestError(Exception):
    """What the service answers with 400."""


def check_key(key: str) -> None:
    if not key or set(key) & FORBIDDEN or len(key.encode()) > MAX_KEY_BYTES:
        raise BadRequestError(
            "Invalid data; couldn't parse key beginning at 1:1. Key value can't be empty or "
            "contain $ # [ ] / or ."
        )


def taken(value: Any, depth: int = 0) -> Any:
    """Return a value as it is stored; None for what vanishes."""
    if depth > MAX_DEPTH:
        raise BadRequestError("Data is nested too deeply")
    if isinstance(value, list):
        value = {str(number): one for number, one in enumerate(value)}
    if isinstance(value, dict):
        for key in value:
            check_key(key)
        kept = {key: taken(one, depth + 1) for key, one in value.items()}
        return {key: one for key, one in kept.items() if one is not None} or None
    return value


def shown(value: Any) -> Any:
    """Return a value as it is answered: maps whose keys are mostly small numbers become lists."""
    if not isinstance(value, dict):
        return value
    if all(key.isdigit() and str(int(key)) == key for key in value):
        numbers = sorted(map(int, value))
        if numbers[-1] + 1 < 2 * len(numbers):
            return [shown(value.get(str(number))) for number in range(numbers[-1] + 1)]
    return {key: shown(one) for key, one in value.items()}


def get(root: Any, path: Sequence[str]) -> Any:
    for key in path:
        root = root.get(key) if isinstance(root, dict) else None
    return root


def put(root: Any, path: Sequence[str], value: Any) -> Any:
    """Return the tree with a value at the path; the old tree is left as it was."""
    if not path:
        return value
    here = dict(root) if isinstance(root, dict) else {}
    below = put(here.get(path[0]), path[1:], value)
    if below is None:
        here.pop(path[0], None)
    else:
        here[path[0]] = below
    return here or None


def order(value: Any) -> tuple[int, Any]:
    """Sort key of the documentation: null, false, true, numbers, texts, maps."""
    match value:
        case None:
            return 0, 0
        case False:
            return 1, 0
        case True:
            return 2, 0
        case int() | float():
            return 3, value
        case str():
            return 4, value
        case _:
            return 5, 0
