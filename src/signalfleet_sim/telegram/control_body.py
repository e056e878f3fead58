"""Reads the JSON objects that the scripting interface is sent."""

from json import JSONDecodeError
from typing import Any, Final, TypeVar, get_args

from aiohttp import web

from signalfleet_sim.telegram.errors import CityError

T = TypeVar("T")
REQUIRED: Final = object()


class Body:
    """The fields of a JSON object, checked one by one."""

    def __init__(self, fields: object) -> None:
        if not isinstance(fields, dict):
            raise CityError("the body must be a JSON object")
        self._fields: dict[str, Any] = fields

    def take(self, name: str, kind: type[T], default: object = REQUIRED) -> T:
        """Return a field of a type; a float may be written as a whole number."""
        value = self._fields.get(name, default)
        if value is REQUIRED:
            raise CityError(f"{name} is missing")
        if kind is float and isinstance(value, int) and not isinstance(value, bool):
            value = float(value)
        is_bool_as_number = isinstance(value, bool) and kind is not bool
        if value is not default and (is_bool_as_number or not isinstance(value, kind)):
            raise CityError(f"{name} must be of type {kind.__name__}")
        return value  # type: ignore[return-value]  # the default is of the same type or None

    def maybe(self, name: str, kind: type[T]) -> T | None:
        """Return a field of a type, or None."""
        if self._fields.get(name) is None:
            return None
        return self.take(name, kind)

    def choice(self, name: str, choices: object, default: str) -> str:
        """Return one of the words of a Literal."""
        value = self.take(name, str, default)
        if value not in get_args(choices):
            raise CityError(f"{name} is one of {', '.join(get_args(choices))}")
        return value


async def read_body(request: web.Request) -> Body:
    """Return the fields of a request; no body is an empty object."""
    if not request.can_read_body:
        return Body({})
    try:
        return Body(await request.json())
    except (JSONDecodeError, UnicodeDecodeError) as error:
        raise CityError("the body must be JSON") from error
