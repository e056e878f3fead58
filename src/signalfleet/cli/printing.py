"""What a terminal may be given: foreign text shows, and never commands it."""

import io
import sys
from typing import Final

_OBEYED: Final = (
    *(code for code in range(0x20) if chr(code) not in "\n\t"),
    *range(0x7F, 0xA0),
    # Marks that turn the direction of what follows, also of our own words.
    *range(0x202A, 0x202F),
    *range(0x2066, 0x206A),
)
_SHOWN: Final = dict.fromkeys(_OBEYED, "\N{REPLACEMENT CHARACTER}")


def printable(text: str) -> str:
    """Replace each character that a terminal would obey; the length stays."""
    return text.translate(_SHOWN)


def use_unicode() -> None:
    """Read and write UTF-8 wherever we are; what is none is replaced, not a crash."""
    if isinstance(sys.stdin, io.TextIOWrapper):
        sys.stdin.reconfigure(encoding="utf-8", errors="replace")
    if isinstance(sys.stdout, io.TextIOWrapper):
        # Written like this, half a character is still an escape that JSON knows.
        sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace")
