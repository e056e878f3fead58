"""What would have been done with a channel's export."""

from datetime import timedelta

import pytest

from kit.builders import CHAT
from kit.chat_script import a_message
from kit.clock import START
from signalfleet.app.replay_channel import ReplayLine, replay
from signalfleet.bootstrap.language import load_parser

Post = tuple[str, int | None]


def lines(*posts: Post) -> list[ReplayLine]:
    messages = [
        a_message(CHAT, number, text, START + timedelta(minutes=number), reply_to=reply)
        for number, (text, reply) in enumerate(posts, start=1)
    ]
    return list(replay(messages, load_parser()))


def outcomes(*posts: Post) -> list[tuple[str, str | None]]:
    return [(line.outcome, line.reason) for line in lines(*posts)]


def test_a_channel_is_replayed_from_signal_to_close() -> None:
    assert outcomes(
        ("BUY GOLD 2350 SL 2340 TP 2360", None),
        ("Move SL to BE", 1),
        ("Close now", 1),
        ("Close now", 1),
    ) == [
        ("copied", None),
        ("followed", None),
        ("followed", None),
        ("skipped", "no_open_trade"),
    ]


@pytest.mark.parametrize(
    ("text", "outcome", "reason"),
    [
        ("Good morning traders", "nothing", None),
        ("BUY GOLD 2350 SL 2360 TP 2370", "skipped", None),
        ("BUY GOLD NOW", "skipped", "no_stop"),
        ("Close now", "skipped", "no_open_trade"),
    ],
)
def test_every_message_has_one_end(text: str, outcome: str, reason: str | None) -> None:
    (line,) = lines((text, None))
    assert line.outcome == outcome
    assert reason is None or line.reason == reason


def test_the_same_messages_give_the_same_lines() -> None:
    posts: list[Post] = [("BUY GOLD 2350 SL 2340 TP 2360", None), ("Close half", 1)]
    assert lines(*posts) == lines(*posts)


def test_a_follow_up_names_the_message_that_it_is_about() -> None:
    last = lines(("BUY GOLD 2350 SL 2340 TP 2360", None), ("SL to BE", 1))[-1]
    assert last.understood.endswith("on message 1")
