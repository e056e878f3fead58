"""The only file that imports re2."""

from typing import Final

import re2

from signalfleet.domain.signals.rules import pattern_source
from signalfleet.ports.patterns import (
    MAX_PATTERN_CHARS,
    Pattern,
    PatternMatch,
    PatternRefusedError,
)

MAX_MEMORY: Final = 1 << 20
LONE_SURROGATES: Final = dict.fromkeys(range(0xD800, 0xE000), " ")


def _options() -> re2.Options:
    options = re2.Options()
    options.max_mem = MAX_MEMORY
    # Otherwise the library writes what it refuses, a user's text, to standard error.
    options.log_errors = False
    options.case_sensitive = False
    return options


class Re2Pattern:
    """One compiled pattern."""

    __slots__ = ("_compiled", "_groups")

    def __init__(self, source: str) -> None:
        self._compiled = re2.compile(source, _options())
        # The library's `span` knows numbers only; the names are resolved here, once.
        self._groups: dict[str, int] = dict(self._compiled.groupindex)

    @property
    def names(self) -> frozenset[str]:
        return frozenset(self._groups)

    def search(self, text: str, /) -> PatternMatch | None:
        found = self._compiled.search(text.translate(LONE_SURROGATES))
        if found is None:
            return None
        spans = {name: found.span(number) for name, number in self._groups.items()}
        start, end = found.span(0)
        taking_part = {name: span for name, span in spans.items() if span[0] >= 0}
        return PatternMatch(start=start, end=end, groups=taking_part)


class Re2Compiler:
    """Compiles users' patterns within the limits."""

    def compile(self, source: str) -> Pattern:
        """Compile a pattern for folded text, or raise `PatternRefusedError`."""
        if not source.strip():
            raise PatternRefusedError("The pattern is empty.")
        if len(source) > MAX_PATTERN_CHARS:
            raise PatternRefusedError(
                f"The pattern has {len(source)} characters; {MAX_PATTERN_CHARS} are the most."
            )
        try:
            return Re2Pattern(pattern_source(source))
        except re2.error as error:
            reason = error.args[0] if error.args else b""
            text = reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)
            raise PatternRefusedError(f"The pattern cannot be used: {text}.") from error
