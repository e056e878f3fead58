"""Reads the language files and builds the parser from them."""

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any

from signalfleet.adapters.re2.client import Re2Compiler
from signalfleet.app.edit_profile import EditProfile
from signalfleet.domain.ids import ChannelId, MessageId
from signalfleet.domain.instruments.symbols import Symbols, build_symbols
from signalfleet.domain.signals.expiry import Phrases, build_phrases
from signalfleet.domain.signals.labels import LABEL_TIME
from signalfleet.domain.signals.lexicon import Lexicon, build_lexicon
from signalfleet.domain.signals.model import ChannelMessage
from signalfleet.domain.signals.parse import Parser


def _mappings() -> list[Mapping[str, Any]]:
    folder = resources.files("signalfleet").joinpath("data", "lexicon")
    files = sorted(
        (entry for entry in folder.iterdir() if entry.name.endswith(".toml")),
        key=lambda entry: (entry.name != "en.toml", entry.name),
    )
    return [tomllib.loads(entry.read_text(encoding="utf-8")) for entry in files]


def load_symbols() -> Symbols:
    """Read `data/symbols.toml`."""
    file = resources.files("signalfleet").joinpath("data", "symbols.toml")
    return build_symbols(tomllib.loads(file.read_text(encoding="utf-8")))


def load_lexicon() -> Lexicon:
    """Read all files of `data/lexicon`, English first."""
    return build_lexicon(_mappings())


def load_expiry() -> Phrases:
    """Read `data/expiry.toml`: how each language says until when a signal holds."""
    file = resources.files("signalfleet").joinpath("data", "expiry.toml")
    return build_phrases(tomllib.loads(file.read_text(encoding="utf-8")))


@cache
def load_parser() -> Parser:
    """Build the parser once; it holds no state of any message and may be shared."""
    return Parser(lexicon=load_lexicon(), symbols=load_symbols(), expiry=load_expiry())


@cache
def load_profile_editor() -> EditProfile:
    """Build what checks and tries channel profiles; it may be shared."""
    symbols = frozenset(load_symbols().facts)
    return EditProfile(load_parser(), Re2Compiler(), load_inert(), symbols)


@cache
def load_inert() -> tuple[ChannelMessage, ...]:
    """Read `data/inert.toml`: messages on which no rule of a user may open a trade."""
    file = resources.files("signalfleet").joinpath("data", "inert.toml")
    texts = tomllib.loads(file.read_text(encoding="utf-8"))["messages"]
    return tuple(
        ChannelMessage(
            channel=ChannelId(-1), message=MessageId(number), text=text, posted_at=LABEL_TIME
        )
        for number, text in enumerate(texts, start=1)
    )
