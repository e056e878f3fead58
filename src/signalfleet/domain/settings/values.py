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
YES: Final = frozenset({"yes", "true", "on"})
NO: Final = frozenset({"no", "false", "off"})
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


def to_document(value: object) -> object:
    """Write a value as a JSON document holds it; `Spec.parse` reads it back."""
    match value:
        case StrEnum():
            return str(value)
        case Decimal():
            return f"{value:f}"
        case frozenset():
            return sorted(str(item) for item in value)
        case tuple():
            return [to_document(item) for item in value]
        case Mapping():
            return {str(key): to_document(item) for key, item in value.items()}
        case bool() | int() | str() | list():
            return value
        case _:
            return str(value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind(Generic[T]):
    """A type of value: `read` takes what a JSON document holds and raises DomainError in words.

    `write` is its opposite. `of_text` makes a document's value of what a person typed. `words` are
    the values to choose from, where there are few.
    """

    read: Callable[[object], T]
    allowed: str
    write: Callable[[Any], object] = to_document
    of_text: Callable[[str], object] = str.strip
    words: tuple[str, ...] = ()


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

    def write(self, value: object) -> object:
        """Return what a document holds for a value."""
        return self.kind.write(value)

    def show(self, value: object) -> str:
        """Return a value as a person reads and types it."""
        return shown(self.kind.write(value))


def shown(value: object) -> str:
    """Return a document's value as a person types it."""
    match value:
        case True:
            return "yes"
        case False:
            return "no"
        case list():
            return ", ".join(shown(item) for item in value) or "none"
        case dict():
            return "; ".join(f"{key}: {shown(item)}" for key, item in value.items()) or "none"
        case _:
            return str(value)


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

    return Kind(read=read, allowed=allowed, words=tuple(word.value for word in words))


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise DomainError("must be true or false")
    return value


def _flag_of_text(text: str) -> object:
    word = text.strip().lower()
    return True if word in YES else False if word in NO else text


def _symbols(value: object) -> frozenset[str]:
    if not isinstance(value, list | tuple) or not all(isinstance(item, str) for item in value):
        raise DomainError("must be a list of symbols")
    return frozenset(item.upper() for item in value)


def list_of_text(text: str) -> list[str]:
    """Split what a person typed into a list at commas and line ends; `none` is an empty one."""
    parts = (part.strip() for line in text.splitlines() for part in line.split(","))
    found = [part for part in parts if part]
    return [] if found == ["none"] else found


FLAG: Final = Kind(read=_flag, allowed="true or false", of_text=_flag_of_text, words=("yes", "no"))
SYMBOLS: Final = Kind(read=_symbols, allowed="a list of symbols", of_text=list_of_text)
