"""Chatter, adverts, recaps, lessons and news in many languages: none of it may open a trade."""

import re
from pathlib import Path
from typing import Any

import pytest

from kit.signal_corpus import ACTIONS, upper_bound
from signalfleet.domain.signals.labels import parse_line
from signalfleet.domain.signals.parse import Parser

WRITTEN = [
    line.replace("|", "\n")
    for line in (Path(__file__).parent / "inert.txt").read_text(encoding="utf-8").splitlines()
    if line
]
NAMES = re.compile(r"\b(?:gold|xauusd|eurusd|gbpusd|gbpjpy)\b", re.IGNORECASE)
PRICES = re.compile(r"\b2[34]\d\d\b")
SYMBOLS = {
    "GOLD": (1.0, 0),
    "XAUUSD": (1.0, 0),
    "EURUSD": (1.09 / 2350, 4),
    "GBPJPY": (190 / 2350, 2),
    "USDJPY": (150 / 2350, 2),
    "US30": (39000 / 2350, 0),
    "NAS100": (18200 / 2350, 0),
    "DAX": (18300 / 2350, 0),
    "BTCUSD": (65000 / 2350, 0),
    "ETH/USDT": (3100 / 2350, 1),
    "Silver": (31 / 2350, 2),
    "WTI": (78 / 2350, 2),
    "Nasdaq": (18200 / 2350, 0),
    "#XAUUSD": (1.0, 1),
}


def varied(text: str) -> list[str]:
    """Say the same of other symbols at their own prices, and shout it."""
    made = {text, text.upper(), "🔥 " + text + " 🔥"}
    for name, (ratio, digits) in SYMBOLS.items():
        other = NAMES.sub(name, text)

        def scaled(found: re.Match[str], ratio: float = ratio, digits: int = digits) -> str:
            return f"{int(found[0]) * ratio:.{digits}f}"

        made.add(PRICES.sub(scaled, other))
    return sorted(made)


def test_nothing_of_the_inert_set_opens_a_trade(parser: Parser, show: Any) -> None:
    texts = [other for text in WRITTEN for other in varied(text)]
    opened = [text for text in texts if "open" in kinds(parser, text)]
    bound = 100 * upper_bound(len(opened), len(texts))
    show.line(
        "inert set",
        f"inert set: {len(opened)} of {len(texts)} opened (95 % bound {bound:.2f} %; "
        f"{len(WRITTEN)} written lines, the rest variants of them)",
    )
    assert opened == []


def test_hardly_anything_of_the_written_inert_set_acts(parser: Parser) -> None:
    acting = [text for text in WRITTEN if kinds(parser, text) & ACTIONS]
    assert acting == []


REPLIES = (Path(__file__).parent / "inert_replies.txt").read_text(encoding="utf-8").splitlines()
PARENT = "XAUUSD BUY 2345\nSL 2338\nTP1 2352\nTP2 2360"


@pytest.mark.parametrize("text", REPLIES)
def test_chatter_in_reply_to_a_signal_changes_nothing(parser: Parser, text: str) -> None:
    given = {"id": "", "text": text, "context": {"reply_to": PARENT}}
    labels = parse_line(parser, given)["predict"]
    assert not {label["kind"] for label in labels} & ACTIONS


def kinds(parser: Parser, text: str) -> set[str]:
    labels = parse_line(parser, {"id": "", "text": text, "context": None})["predict"]
    return {label["kind"] for label in labels}
