"""`signalfleet parse`: how one message, or a file of them, is understood."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, TextIO

from rich.console import Console
from rich.text import Text

from signalfleet.bootstrap.language import load_parser
from signalfleet.cli.printing import printable
from signalfleet.cli.profile_file import load_profile
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
    ParseResult,
    Reading,
    Signal,
)
from signalfleet.domain.signals.profiles import NO_PROFILE

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


class _LineError(Exception):
    """A line that cannot be read; the text says what is wrong with it."""


def show(text: str, reply_to: str | None, profile: Path | None = None) -> None:
    """Print the message with what was understood in colour, and the readings in words."""
    known = NO_PROFILE if profile is None else load_profile(profile).profile
    replied = _message(reply_to, 1) if reply_to is not None else None
    result = load_parser().parse(_message(text, 2), Context(replied=replied), known)
    show_result(text, result)


def show_result(text: str, result: ParseResult) -> None:
    console = Console()
    match result:
        case Parsed(readings=readings):
            console.print(_marked(text, readings), soft_wrap=True)
            console.print()
            for reading in readings:
                _say(console, "understood: " + describe(reading) + _confidence(reading))
        case NotASignal(reasons=reasons):
            console.print(Text(printable(text)), soft_wrap=True)
            console.print()
            _say(console, "nothing to do: " + ", ".join(reasons))
        case Ambiguous(reasons=doubts, candidates=candidates):
            console.print(_marked(text, candidates), soft_wrap=True)
            console.print()
            _say(console, "held for you: " + ", ".join(doubts))
            for reading in candidates:
                _say(console, "  could be: " + describe(reading))


def parse_lines(source: TextIO, target: TextIO) -> int:
    """Read JSON lines and write one prediction each; return 1 if a line could not be read."""
    parser = load_parser()
    status = 0
    for number, line in enumerate(source, start=1):
        if not line.strip():
            continue
        name: object = None
        try:
            given = _loaded(line)
            name = given.get("id")
            found = parse_line(parser, _checked(given))
        except _LineError as error:
            status = 1
            found = {"id": name, "error": f"line {number}: {error}"}
        target.write(json.dumps(found, ensure_ascii=False) + "\n")
    return status


def _loaded(line: str) -> dict[str, Any]:
    try:
        given = json.loads(line)
    except json.JSONDecodeError as error:
        raise _LineError(f"this is no JSON: {error.msg}, at character {error.colno}") from None
    except (ValueError, RecursionError):
        raise _LineError(
            "this is no JSON that can be read: too deep, or too long a number"
        ) from None
    if not isinstance(given, dict):
        raise _LineError('this is no object; a line is {"id": ..., "text": ...}')
    return given


def _checked(given: dict[str, Any]) -> dict[str, Any]:
    for name in ("id", "text"):
        if name not in given:
            raise _LineError(f'"{name}" is missing')
    if not isinstance(given["text"], str):
        raise _LineError('"text" must be a text')
    context = given.get("context") or {}
    if not isinstance(context, dict):
        raise _LineError('"context" must be an object')
    for name in ("reply_to", "edit_of"):
        if not isinstance(context.get(name, ""), str | None):
            raise _LineError(f'"{name}" of the context must be a text')
    return given


def _say(console: Console, text: str) -> None:
    console.print(Text(printable(text)), soft_wrap=True)


def _message(text: str, number: int) -> ChannelMessage:
    return ChannelMessage(
        channel=ChannelId(-100), message=MessageId(number), text=text, posted_at=EPOCH
    )


def _marked(text: str, readings: tuple[Reading, ...]) -> Text:
    shown = Text(printable(text))
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
