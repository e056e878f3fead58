"""Frozen records made by the hundred, at the price of ordinary ones.

A frozen dataclass sets each field by a call of its own, which costs three times as much as setting
it; a plan of ten layers and ten targets makes three hundred records while a price runs away. So
they are filled in as drafts, classes of the same shape that are not frozen yet.
"""

from dataclasses import MISSING, Field, dataclass, field, fields
from typing import Any, TypeVar, cast

T = TypeVar("T")


def drafts_of(record: type[T]) -> type[T]:
    """Return a class of the same fields that `finished` turns into the record."""
    names = fields(cast("Any", record))
    body: dict[str, Any] = {one.name: _default(one) for one in names if _has_default(one)}
    body["__annotations__"] = {one.name: object for one in names}
    made: type[Any] = dataclass(slots=True, kw_only=True, eq=False)(
        type(f"{record.__name__}Draft", (), body)
    )
    return cast("type[T]", made)


def finished(record: type[T], draft: T) -> T:
    """Make a draft the frozen record that it is a draft of."""
    object.__setattr__(draft, "__class__", record)
    return draft


def _has_default(one: "Field[Any]") -> bool:
    return one.default is not MISSING or one.default_factory is not MISSING


def _default(one: "Field[Any]") -> object:
    if one.default_factory is not MISSING:
        return field(default_factory=one.default_factory)
    return one.default
