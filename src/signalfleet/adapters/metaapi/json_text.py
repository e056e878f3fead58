"""JSON whose numbers are exact: decimals in both directions, never a float."""

import json
from decimal import Decimal
from json.encoder import encode_basestring_ascii
from typing import Final, NoReturn

_CHARS = 100
_MAGNITUDE = 40
"""More than any price, volume or ticket has; larger ones could fill the memory when written."""
_WORDS: Final = {True: "true", False: "false", None: "null"}


def _decimal(text: str) -> Decimal:
    value = Decimal(text)
    if len(text) > _CHARS or abs(value.adjusted()) > _MAGNITUDE:
        raise ValueError("a number of impossible size")
    return value


def _int(text: str) -> int:
    if len(text) > _MAGNITUDE:
        raise ValueError("a number of impossible size")
    return int(text)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a number")


_DECODER: Final = json.JSONDecoder(
    parse_float=_decimal, parse_int=_int, parse_constant=_refuse_constant
)


def parse(raw: bytes) -> object:
    """Return the value; ValueError for anything that is not strict JSON in UTF-8."""
    try:
        value: object = _DECODER.decode(raw.decode())
    except RecursionError as e:
        raise ValueError("nested too deeply") from e
    return value


def encode(value: object) -> str:
    """Return compact JSON; a Decimal is written with the digits that it has."""
    match value:
        case str():
            return encode_basestring_ascii(value)
        case Decimal():
            if not value.is_finite():
                raise ValueError("only finite numbers can be written")
            text = str(value)
            return f"{value:f}" if "E" in text else text
        case bool() | None:
            return _WORDS[value]
        case int():
            return str(value)
        case dict():
            parts = [f"{encode_basestring_ascii(k)}:{encode(v)}" for k, v in value.items()]
            return "{" + ",".join(parts) + "}"
        case list() | tuple():
            return "[" + ",".join([encode(item) for item in value]) + "]"
        case float():
            raise TypeError("a float would bring noise into a price; use Decimal")
        case _:
            raise TypeError(f"{type(value).__name__} has no form in JSON")
