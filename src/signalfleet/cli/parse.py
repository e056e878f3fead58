"""`signalfleet parse`: how one message, or a file of them, is understood."""

import json
from datetime import UTC, datetime
from typing import Any, Final, TextIO

from rich.console import Console
from rich.text import Text

from signalfleet.bootstrap.language import load_parser
from signalfleet.domain.ids import ChannelId, MessageId
from signalfleet.domain.signals.describe import describe
from signalfleet.domain.signals.labels import parse_line
from signalfleet.domain.signals.model import (
    Ambiguous,
    ChannelMessage,
    Context,
    FollowUp,
    NotASignal,
    Parsed,
    Reading,
    Signal,
)

COLOURS: Final = {
    "symbol": "bold cyan",
    "side": "bold magenta",
    "order": "magenta",
    "entry": "bold blue",
    "stop": "bold red",
    "sl": "bold red",
    "target": "bold green",
    "tp": "bold green",
}
EPOCH: Final = datetime(2026, 1, 1, tzinfo=UTC)


def show(text: str, reply_to: str | None) -> None:
    """Print the message with what was understood in colour, and the readings in words."""
    console = Console()
    replied = _message(reply_to, 1) if reply_to is not None else None
    result = load_parser().parse(_message(text, 2), Context(replied=replied))
    match result:
        case Parsed(readings=readings):
            console.print(_marked(text, readings))
            console.print()
            for reading in readings:
                console.print(Text("understood: " + describe(reading) + _confidence(reading)))
        case NotASignal(reasons=reasons):
            console.print(Text(text))
            console.print()
            console.print("nothing to do: " + ", ".join(reasons), highlight=False)
        case Ambiguous(reasons=doubts, candidates=candidates):
            console.print(_marked(text, candidates))
            console.print()
            console.print("held for you: " + ", ".join(doubts), highlight=False)
            for reading in candidates:
                console.print(Text("  could be: " + describe(reading)))


def parse_lines(source: TextIO, target: TextIO) -> int:
    """Read JSON lines and write one prediction each; return 1 if a line could not be read."""
    parser = load_parser()
    status = 0
    for number, line in enumerate(source, start=1):
        if not line.strip():
            continue
        try:
            given: Any = json.loads(line)
            found = parse_line(parser, given)
        except (ValueError, KeyError, TypeError) as error:
            status = 1
            found = {"id": None, "error": f"line {number}: {type(error).__name__}: {error}"}
        target.write(json.dumps(found, ensure_ascii=False) + "\n")
    return status


def _message(text: str, number: int) -> ChannelMessage:
    return ChannelMessage(
        channel=ChannelId(-100), message=MessageId(number), text=text, posted_at=EPOCH
    )


def _marked(text: str, readings: tuple[Reading, ...]) -> Text:
    shown = Text(text)
    for reading in readings:
        for span in reading.spans:
            name = span.field.rstrip("0123456789")
            shown.stylize(COLOURS.get(name, "bold yellow"), span.start, span.end)
    return shown


def _confidence(reading: Reading) -> str:
    if not isinstance(reading, Signal | FollowUp):
        return ""
    issues = f", {', '.join(reading.issues)}" if reading.issues else ""
    return f"  [confidence {reading.confidence}{issues}]"
