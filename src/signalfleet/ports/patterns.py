"""Patterns that users write: compiled where time and memory are bounded, matched by the parser."""

from typing import Final, Protocol

from signalfleet.domain.signals.rules import Pattern, PatternMatch

MAX_PATTERN_CHARS: Final = 500


class PatternRefusedError(Exception):
    """A pattern cannot be used; the message says why in words for its author."""


class PatternCompiler(Protocol):
    def compile(self, source: str) -> Pattern:
        """Compile a pattern for folded text, or raise `PatternRefusedError`.

        Case never matters, and letters are written as folding leaves them.
        """
        ...


__all__ = ["MAX_PATTERN_CHARS", "Pattern", "PatternCompiler", "PatternMatch", "PatternRefusedError"]
