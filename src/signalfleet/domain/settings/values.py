"""What a setting is: how it is read from a document, merged over levels, and told to a person.

A group of settings is a dataclass whose fields are made by `setting`; so a setting's name, type,
default, unit, bounds and words stand in one place.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Any, Final, Generic, TypeVar

from signalfleet.domain.errors import DomainError

SPEC: Final = "setting"
T = TypeVar("T")
C = TypeVar("C", bound=StrEnum)


class Merge(StrEnum):
    """OVERRIDE: the most specific level wins. LOWEST, HIGHEST: the strictest. UNION: joined."""

    OVERRIDE = "override"
    LOWEST = "lowest"
    HIGHEST = "highest"
    UNION = "union"


class Scope(StrEnum):
    """A level at which a user may set a value."""

    CHANNEL = "channel"
    ACCOUNT = "account"
    USER = "user"


EVERYWHERE: Final = (Scope.CHANNEL, Scope.ACCOUNT, Scope.USER)
CHANNEL_OR_USER: Final = (Scope.CHANNEL, Scope.USER)
ACCOUNT_OR_USER: Final = (Scope.ACCOUNT, Scope.USER)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind(Generic[T]):
    """A type of value: `read` takes what a JSON document holds and raises DomainError in words."""

    read: Callable[[object], T]
    allowed: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """All about one setting but its name and default.

    `unit` is empty for a word, a list or a yes. `also_called` are the names that other products
    use for it, so that a search finds it.
    """

    kind: Kind[Any]
    merge: Merge
    scopes: tuple[Scope, ...]
    unit: str
    text: str
    also_called: tuple[str, ...]

    def parse(self, value: object) -> object:
        """Read a stored value; raise DomainError that says what is allowed."""
        return self.kind.read(value)


def setting(
    default: T,
    kind: Kind[T],
    text: str,
    *,
    merge: Merge = Merge.OVERRIDE,
    scopes: tuple[Scope, ...] = EVERYWHERE,
    unit: str = "",
    also_called: tuple[str, ...] = (),
) -> T:
    """Declare a setting as a field of a group's dataclass."""
    spec = Spec(
        kind=kind, merge=merge, scopes=scopes, unit=unit, text=text, also_called=also_called
    )
    made: T = field(default=default, metadata={SPEC: spec})
    return made


def number(low: str, high: str) -> Kind[Decimal]:
    def read(value: object) -> Decimal:
        if isinstance(value, bool) or not isinstance(value, str | int):
            raise DomainError("a number is written as text, such as 1.5")
        try:
            found = Decimal(value)
        except InvalidOperation as error:
            raise DomainError("not a number") from error
        if not found.is_finite() or not Decimal(low) <= found <= Decimal(high):
            raise DomainError(f"must be from {low} to {high}")
        return found

    return Kind(read=read, allowed=f"{low} to {high}")


def choice(words: type[C]) -> Kind[C]:
    allowed = ", ".join(words)

    def read(value: object) -> C:
        try:
            return words(str(value))
        except ValueError as error:
            raise DomainError(f"must be one of {allowed}") from error

    return Kind(read=read, allowed=allowed)


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise DomainError("must be true or false")
    return value


def _symbols(value: object) -> frozenset[str]:
    if not isinstance(value, list | tuple) or not all(isinstance(item, str) for item in value):
        raise DomainError("must be a list of symbols")
    return frozenset(item.upper() for item in value)


FLAG: Final = Kind(read=_flag, allowed="true or false")
SYMBOLS: Final = Kind(read=_symbols, allowed="a list of symbols")


def to_document(value: object) -> object:
    """Write a value as a JSON document holds it; `Spec.parse` reads it back."""
    match value:
        case Decimal():
            return str(value)
        case frozenset():
            return sorted(value)
        case StrEnum():
            return str(value)
        case Mapping():
            return {str(key): to_document(item) for key, item in value.items()}
        case _:
            return value
