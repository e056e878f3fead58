"""What codes mean in plain words, from messages/en.toml."""

import string
import tomllib
from collections.abc import Mapping
from importlib.resources import files
from typing import Any, Final

_FORMATTER: Final = string.Formatter()


class Words:
    """Sentences by table and code. A code without one is shown readable rather than hidden."""

    def __init__(self, tables: Mapping[str, Mapping[str, Any]]) -> None:
        self._tables = tables

    @classmethod
    def english(cls) -> "Words":
        text = (files("signalfleet.web") / "messages" / "en.toml").read_text(encoding="utf-8")
        return cls(tomllib.loads(text))

    def has(self, table: str, code: str) -> bool:
        return code in self._tables.get(table, {})

    def say(self, table: str, code: str, values: Mapping[str, str] | None = None) -> str:
        """Return the first wording whose values are all given, else the code made readable."""
        entry = self._tables.get(table, {}).get(code)
        wordings = [entry] if isinstance(entry, str) else list(entry or ())
        given = {name: value for name, value in (values or {}).items() if value}
        for wording in wordings:
            if _fields(wording) <= given.keys():
                return str(wording.format_map(given))
        return readable(code)

    def reason(self, code: str, values: Mapping[str, str] | None = None) -> str:
        """Say why something was not done, by a code of ours or of the broker."""
        return self.say("reason" if self.has("reason", code) else "broker", code, values)

    def __getitem__(self, table: str) -> Mapping[str, Any]:
        return self._tables[table]


def _fields(wording: str) -> set[str]:
    return {name for _, name, _, _ in _FORMATTER.parse(wording) if name}


def readable(code: str) -> str:
    """Make words of a code that nobody has explained yet."""
    words = code.replace("_", " ").replace("-", " ").strip()
    return words[:1].upper() + words[1:] if words else "No reason was given"
