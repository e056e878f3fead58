"""Shared by the tests of the parser: one parser, and a short way to ask it."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from signalfleet.bootstrap.language import load_parser
from signalfleet.domain.ids import ChannelId, MessageId
from signalfleet.domain.signals.model import ChannelMessage, Context, ParseResult
from signalfleet.domain.signals.parse import Parser

AT = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
Read = Callable[..., ParseResult]


def message(text: str, number: int = 2) -> ChannelMessage:
    return ChannelMessage(
        channel=ChannelId(-100), message=MessageId(number), text=text, posted_at=AT
    )


@pytest.fixture(scope="session")
def parser() -> Parser:
    return load_parser()


@pytest.fixture(scope="session")
def read(parser: Parser) -> Read:
    def ask(text: str, reply_to: str | None = None, edit_of: str | None = None) -> ParseResult:
        context = Context(
            replied=message(reply_to, 1) if reply_to is not None else None,
            before_edit=message(edit_of) if edit_of is not None else None,
        )
        return parser.parse(message(text), context)

    return ask
