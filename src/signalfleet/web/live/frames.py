"""Server-sent events as bytes. A foreign text inside a frame can never start a field of its own."""

import re
from typing import Final

from signalfleet.web.live.hub import Frame

# The three line ends of the event-stream format; any other "line separator" is plain text there.
_LINE_END: Final = re.compile(r"\r\n|\n|\r")


def encode(frame: Frame) -> bytes:
    """Write one event, each line of its text with a `data:` of its own."""
    lines = "".join(f"data: {line}\n" for line in _LINE_END.split(frame.text))
    return f"event: {frame.event}\n{lines}\n".encode()


def retry(milliseconds: int) -> bytes:
    """Ask the browser to wait that long before it connects again."""
    return f"retry: {milliseconds}\n\n".encode()
