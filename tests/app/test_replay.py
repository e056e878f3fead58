"""What would have been done with a channel's export."""

from datetime import timedelta

import pytest

from kit.builders import CHAT
from kit.chat_script import a_message
from kit.clock import START
from signalfleet.app.replay_channel import ReplayLine, replay
from signalfleet.bootstrap.language import load_parser
from signalfleet.domain.signals.profiles import NO_PROFILE, ChannelProfile

Post = tuple[str, int | None]


def lines(*posts: Post, profile: ChannelProfile = NO_PROFILE) -> list[ReplayLine]:
    messages = [
        a_message(CHAT, number, text, START + timedelta(minutes=number), reply_to=reply)
        for number, (text, reply) in enumerate(posts, start=1)
    ]
    return list(replay(messages, load_parser(), profile))


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


def test_an_old_signal_is_found_by_what_answers_it() -> None:
    since = [(f"SELL GOLD 2350 SL 2360.{n:02} TP 2340.{n:02}", None) for n in range(24)]
    *_, last = lines(("BUY SILVER 30 SL 29 TP 31", None), *since, ("Close now", 1))
    assert (last.outcome, last.understood) == ("followed", "close on message 1")


@pytest.mark.parametrize(
    ("text", "outcome", "reason"),
    [
        ("Good morning traders", "nothing", None),
        ("BUY GOLD 2350 SL 2360 TP 2370", "skipped", None),
        ("BUY GOLD NOW", "held", "waits_for_levels"),
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


def test_a_call_is_copied_when_its_levels_come() -> None:
    call, levels, after = lines(
        ("BUY GOLD NOW", None), ("SL 2340\nTP 2360", None), ("Close now", None)
    )
    assert (call.outcome, levels.outcome, after.outcome) == ("held", "copied", "followed")
    assert levels.understood == "buy XAUUSD market stop 2340 targets 2360"
    assert after.understood == "close on message 1"


def test_levels_that_come_too_late_complete_no_call() -> None:
    posts: list[Post] = [("BUY GOLD NOW", None), *[("Good morning", None)] * 3]
    assert lines(*posts, ("SL 2340\nTP 2360", None))[-1].outcome == "skipped"


def test_a_channels_profile_changes_how_it_is_read() -> None:
    profile = ChannelProfile(default_symbol="XAUUSD", ignore_phrases=("swing",))
    read = lines(("BUY 2350 SL 2340 TP 2360", None), ("Swing: BUY GOLD 2350 SL 2340", None))
    assert [line.outcome for line in read] == ["held", "copied"]
    with_profile = lines(
        ("BUY 2350 SL 2340 TP 2360", None), ("Swing: BUY GOLD 2350 SL 2340", None), profile=profile
    )
    assert [line.outcome for line in with_profile] == ["copied", "nothing"]
