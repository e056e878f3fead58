"""Reading one foreign JSON object field by field, strictly. Pure."""

from datetime import UTC, datetime
from decimal import Decimal

from signalfleet.domain.errors import DomainError
from signalfleet.domain.money import Lots, Price


class UnreadableError(ValueError):
    """A payload that is not what the documents say; the message names the field."""


class Fields:
    """A JSON object whose fields are asked for by kind."""

    def __init__(self, payload: object) -> None:
        if not isinstance(payload, dict):
            raise UnreadableError("an object was expected")
        self._fields = payload

    def has(self, name: str) -> bool:
        return self._fields.get(name) is not None

    def text(self, name: str, default: str | None = None) -> str:
        value = self._fields.get(name)
        if value is None and default is not None:
            return default
        if isinstance(value, int) and not isinstance(value, bool):
            return str(value)  # Ids are opaque, and some arrive as numbers.
        if not isinstance(value, str) or not value:
            raise UnreadableError(f"{name} is not a text")
        return value

    def maybe_text(self, name: str) -> str | None:
        value = self._fields.get(name)
        return None if value is None or value == "" else self.text(name)

    def texts(self, name: str) -> tuple[str, ...]:
        value = self._fields.get(name)
        if not isinstance(value, list):
            return ()
        return tuple(item for item in value if isinstance(item, str))

    def maybe_object(self, name: str) -> dict[str, object] | None:
        value = self._fields.get(name)
        return value if isinstance(value, dict) else None

    def flag(self, name: str, *, default: bool) -> bool:
        value = self._fields.get(name)
        if value is None:
            return default
        if not isinstance(value, bool):
            raise UnreadableError(f"{name} is not true or false")
        return value

    def number(self, name: str, default: Decimal | None = None) -> Decimal:
        value = self._fields.get(name)
        if value is None and default is not None:
            return default
        if isinstance(value, bool) or not isinstance(value, int | Decimal):
            raise UnreadableError(f"{name} is not a number")
        return Decimal(value)

    def whole(self, name: str, default: int | None = None) -> int:
        number = self.number(name, None if default is None else Decimal(default))
        if number != number.to_integral_value():
            raise UnreadableError(f"{name} is not a whole number")
        return int(number)

    def price(self, name: str) -> Price:
        try:
            return Price(self.number(name))
        except DomainError as e:
            raise UnreadableError(f"{name}: {e}") from e

    def maybe_price(self, name: str) -> Price | None:
        """Return the price; absent and 0 both mean that there is none."""
        return self.price(name) if self.number(name, Decimal(0)) != 0 else None

    def lots(self, name: str) -> Lots:
        try:
            return Lots(self.number(name))
        except DomainError as e:
            raise UnreadableError(f"{name}: {e}") from e

    def time(self, name: str) -> datetime:
        value = self._fields.get(name)
        if not isinstance(value, str):
            raise UnreadableError(f"{name} is not a time")
        try:
            moment = datetime.fromisoformat(value.removeprefix("+"))
        except ValueError as e:
            raise UnreadableError(f"{name} is not a time") from e
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)

    def maybe_time(self, name: str) -> datetime | None:
        return self.time(name) if self.has(name) else None
