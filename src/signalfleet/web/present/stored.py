"""Reading stored traces: written by another version they may hold other shapes than expected."""

from collections.abc import Mapping
from typing import Any


def dicts(value: object) -> list[Mapping[str, Any]]:
    """Return the mappings of a stored list."""
    return [one for one in items(value) if isinstance(one, Mapping)]


def items(value: object) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else []
