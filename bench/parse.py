"""How long the parser takes: the messages of the corpus, and texts made to be slow."""

import gc
import json
import os
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from bench.report import Figure, Result
from signalfleet.bootstrap.language import load_parser
from signalfleet.domain.ids import ChannelId, MessageId
from signalfleet.domain.signals.model import ChannelMessage, Context
from signalfleet.domain.signals.parse import Parser

P50_LIMIT_US: Final = 100
P99_LIMIT_US: Final = 1000
HOSTILE_LIMIT_MS: Final = 5
ROUNDS: Final = 7
LENGTH: Final = 4096
AT: Final = datetime(2026, 1, 1, tzinfo=UTC)
FOLDER: Final = Path(__file__).resolve().parents[2] / "shared" / "corpus"
HOSTILE: Final = {
    "ligature": "\ufdfa",
    "marks": "\u0301",
    "digits": "1",
    "dotted": "1.",
    "listed": "1,",
    "spaced": "1 ",
    "label": "sl ",
    "stops": "stop / ",
    "numbered": "tp 1 ",
    "side": "buy ",
    "symbol": "gold ",
    "signal": "buy gold 2350 sl 2340 tp 2360 ",
    "lines": "tp 2350 2360\n",
    "close": "close gold ",
    "even": "sl to be ",
    "word": "abcdefg ",
    "typo": "targxt ",
    "long": "a",
    "han": "\u591a",
    "emoji": "\U0001f525",
    "tick": "\u2705",
    "keycap": "1\u20e3",
    "override": "\u202e",
    "surrogate": "\ud800",
    "bracket": "(",
    "dash": "- ",
    "question": "?",
    "newline": "\n",
    "link": "t.me/a ",
    "handle": "@abcd ",
    "time": "12:30 ",
}


def run() -> Result:
    """Measure on this machine; each message counts with its best of several rounds."""
    parser = load_parser()
    corpus = _corpus()
    if not corpus:
        return Result(ok=False, figures={"error": f"no corpus in {_folder()}"})
    for message, context in corpus:
        parser.parse(message, context)
    times = sorted(_best_us(parser, message, context) for message, context in corpus)
    hostile = {name: _hostile_ms(parser, text) for name, text in HOSTILE.items()}
    slowest = max(hostile, key=lambda name: hostile[name])
    p50, p99 = times[len(times) // 2], times[len(times) * 99 // 100]
    figures: dict[str, Figure] = {
        "messages": len(times),
        "p50_us": round(p50, 1),
        "p99_us": round(p99, 1),
        "max_us": round(times[-1], 1),
        "messages_per_second": round(len(times) / sum(times) * 1_000_000),
        "hostile_max_ms": round(hostile[slowest], 2),
        "hostile_slowest": slowest,
    }
    ok = p50 <= P50_LIMIT_US and p99 <= P99_LIMIT_US and hostile[slowest] <= HOSTILE_LIMIT_MS
    return Result(ok=ok, figures=figures)


def _folder() -> Path:
    return Path(os.environ.get("SIGNALFLEET_CORPUS", FOLDER))


def _corpus() -> list[tuple[ChannelMessage, Context]]:
    file = _folder() / "dev.jsonl"
    if not file.is_file():
        return []
    lines = file.read_text(encoding="utf-8").splitlines()
    return [_with_context(json.loads(line)) for line in lines if line.strip()]


def _with_context(line: dict[str, Any]) -> tuple[ChannelMessage, Context]:
    around = line["context"] or {}
    replied, earlier = around.get("reply_to"), around.get("edit_of")
    context = Context(
        replied=_message(replied) if replied else None,
        before_edit=_message(earlier) if earlier else None,
    )
    return _message(line["text"]), context


def _message(text: str) -> ChannelMessage:
    return ChannelMessage(channel=ChannelId(-1), message=MessageId(1), text=text, posted_at=AT)


def _best_us(parser: Parser, message: ChannelMessage, context: Context) -> float:
    """Take the best of rounds; each has a text of its own, as the parser keeps the last few."""
    texts = [replace(message, text=message.text + " " * number) for number in range(ROUNDS)]
    return min(_once_us(parser, one, context) for one in texts)


def _hostile_ms(parser: Parser, piece: str) -> float:
    text = (piece * (LENGTH // len(piece) + 1))[:LENGTH]
    gc.collect()
    return _best_us(parser, _message(text), Context()) / 1000


def _once_us(parser: Parser, message: ChannelMessage, context: Context) -> float:
    start = time.perf_counter_ns()
    parser.parse(message, context)
    return (time.perf_counter_ns() - start) / 1000
