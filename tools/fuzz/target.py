"""One fuzzed input: any text is read, and what is read must stand in the text."""

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

from signalfleet.bootstrap.language import load_lexicon, load_parser, load_symbols
from signalfleet.domain.ids import ChannelId, MessageId
from signalfleet.domain.money import Price
from signalfleet.domain.signals.describe import describe
from signalfleet.domain.signals.labels import to_labels
from signalfleet.domain.signals.lexicon import Node
from signalfleet.domain.signals.model import (
    Ambiguous,
    BreakEven,
    ChannelMessage,
    Context,
    FollowUp,
    MoveEntry,
    MoveStop,
    MoveTarget,
    NotASignal,
    Parsed,
    ParseResult,
    Reading,
    SetTargets,
    Signal,
    TpRef,
)
from signalfleet.domain.signals.numbers import readings
from signalfleet.domain.signals.parse import Parser
from signalfleet.domain.signals.text import fold

SURE: Final = 100
AT: Final = datetime(2026, 1, 1, tzinfo=UTC)
REPLY: Final = b"\x1e"
EDIT: Final = b"\x1f"
NUMBER: Final = re.compile(r"\d[\d.,'\xa0]*")
APART: Final = re.compile(r"[ \u20e3]")
MARKS: Final = re.compile(r"[,'\xa0]")
WANTED_ROLES: Final = frozenset(
    "buy sell buy_now sell_now buy_limit sell_limit buy_stop sell_stop now stop target entry zone "
    "break_even close half part cancel hit all move limit pips risk lots first second add again "
    "same open_target negation question past future conditional symbol".split()
)


class Finding(Exception):  # noqa: N818 - what a fuzz run is for
    """A reading that breaks a law."""


def check(parser: Parser, data: bytes) -> None:
    """Read the bytes as a message, perhaps with a parent or an earlier version."""
    first, reply, parent = data.partition(REPLY)
    first, edit, earlier = first.partition(EDIT)
    text = _decoded(first)
    surroundings = [_decoded(part) for part in (parent, earlier)]
    context = Context(
        replied=_message(surroundings[0], 1) if reply else None,
        before_edit=_message(surroundings[1], 2) if edit else None,
    )
    result = parser.parse(_message(text, 2), context)
    if not isinstance(result, Parsed | NotASignal | Ambiguous):
        raise Finding(f"no result but {result!r}")
    to_labels(result)
    found = _readings(result)
    if found:
        _check_readings(found, text, [text, *surroundings])


def _check_readings(found: tuple[Reading, ...], text: str, texts: list[str]) -> None:
    written: set[Decimal] | None = None
    for reading in found:
        describe(reading)
        for span in reading.spans:
            if not 0 <= span.start < span.end <= len(text):
                raise Finding(f"a span outside the text: {span!r}")
        if isinstance(reading, Signal | FollowUp) and not 0 <= reading.confidence <= SURE:
            raise Finding(f"confidence {reading.confidence}")
        for price in prices(reading):
            if written is None:
                written = values(texts)
            if price.value not in written and not _is_shorthand(price.value, texts, written):
                raise Finding(f"{price} stands nowhere in the text or its context")


def _readings(result: ParseResult) -> tuple[Reading, ...]:
    if isinstance(result, Parsed):
        return result.readings
    return result.candidates if isinstance(result, Ambiguous) else ()


def prices(reading: Reading) -> list[Price]:
    """Give every price of a reading."""
    found: list[Price | None] = []
    if isinstance(reading, Signal):
        entry = [reading.entry.low, reading.entry.high] if reading.entry else []
        found = [*entry, reading.stop, *reading.targets]
    elif isinstance(reading, FollowUp):
        match reading.action:
            case BreakEven(price=price) | MoveTarget(price=price):
                found = [price]
            case MoveStop(to=Price() as price) | MoveStop(to=TpRef(price=price)):
                found = [price]
            case SetTargets(prices=several):
                found = list(several)
            case MoveEntry(entry=entry_range):
                found = [entry_range.low, entry_range.high]
            case _:
                found = []
    return [price for price in found if price is not None]


def values(texts: Iterable[str]) -> set[Decimal]:
    """Give every value that the numbers of the texts can have by their digits alone."""
    found: set[Decimal] = set()
    for text in texts:
        for piece in _numbers(text):
            for value in readings(piece):
                found |= {value, value * 1000}
    return found


def _numbers(text: str) -> Iterator[str]:
    folded = fold(text)
    for source in (folded, APART.sub("", folded)):
        for raw in NUMBER.findall(source):
            yield from _pieces(raw)


def _pieces(raw: str) -> Iterator[str]:
    """Cut "2455,2460" or "TP1.4120" as a reader might."""
    parts = [part.strip(".'\xa0") for part in MARKS.split(raw)]
    for piece in (raw.strip(".,'\xa0"), MARKS.sub("", raw).strip("."), *parts):
        if piece:
            yield piece
            pieces = [part for part in piece.split(".") if part]
            yield from pieces
            # ".85" may be 0.85.
            yield from (f"0.{part}" for part in pieces)


def _is_shorthand(price: Decimal, texts: Iterable[str], written: set[Decimal]) -> bool:
    """Tell whether written last digits were completed from another price, completed or not."""
    tails = {_digits(piece) for text in texts for piece in _numbers(text)}
    # 78 and 78.00 are one value, yet they end differently.
    anchors = {_whole(form) for value in written for form in (value, value.normalize())}
    wanted = _whole(price)
    if _completes(wanted, tails, anchors):
        return True
    return _completes(wanted, tails, {made for made in _completed(tails, anchors) if made})


def _completes(wanted: str, tails: set[str], anchors: set[str]) -> bool:
    for tail in tails:
        if tail and wanted.endswith(tail) and len(tail) < len(wanted):
            lead = wanted[: -len(tail)]
            near = tuple({str(int(lead) + move) for move in (-1, 0, 1)})
            if any(anchor.startswith(near) for anchor in anchors):
                return True
    return False


def _completed(tails: set[str], anchors: set[str]) -> Iterator[str]:
    for anchor in anchors:
        for tail in tails:
            if 0 < len(tail) < len(anchor):
                lead = int(anchor[: -len(tail)])
                yield from (f"{lead + move}{tail}" for move in (-1, 0, 1))


def _digits(piece: str) -> str:
    return "".join(filter(str.isdigit, piece))


def _whole(value: Decimal) -> str:
    return f"{value:f}".replace(".", "").lstrip("0")


def dictionary() -> list[bytes]:
    """Give the words that the grammar turns on, in every language of the files."""
    found: dict[str, None] = dict.fromkeys(
        ["2350", "1,0850", "1.0850", "50%", "30 pips", "✅", "❌"]
    )
    found |= dict.fromkeys(load_symbols().facts)
    stack: list[tuple[Node, str]] = [(load_lexicon().root, "")]
    while stack:
        node, phrase = stack.pop()
        for key, child in node.items():
            if key:
                stack.append((child, f"{phrase} {key}".strip()))
            elif child.role in WANTED_ROLES:
                found[phrase] = None
    separators = [REPLY, EDIT, b"\n", b" / ", b" - ", b"\xe2\x80\x8b"]
    return [*(word.encode() for word in found), *separators]


def seed(text: str, reply_to: str | None, edit_of: str | None) -> bytes:
    """Write a message of the corpus as an input."""
    data = text.encode(errors="surrogatepass")
    if edit_of is not None:
        data += EDIT + edit_of.encode(errors="surrogatepass")
    if reply_to is not None:
        data += REPLY + reply_to.encode(errors="surrogatepass")
    return data


def parser() -> Parser:
    return load_parser()


def _decoded(data: bytes) -> str:
    return data.decode("utf-8", "replace")


def _message(text: str, number: int) -> ChannelMessage:
    return ChannelMessage(channel=ChannelId(-1), message=MessageId(number), text=text, posted_at=AT)
