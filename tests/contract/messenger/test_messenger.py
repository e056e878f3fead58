"""What every messenger promises, on the wire of its protocol."""

from datetime import timedelta

import pytest

from kit.messengers import Post
from signalfleet.domain.accounts.notices import NoticeLevel
from signalfleet.ports.errors import RefusedError
from signalfleet.ports.messenger import Delivered, Message, RetryLater, TargetGone
from signalfleet.ports.secrets import Secret

pytestmark = pytest.mark.loopback

NEWS = Message(
    key="7-8",
    level=NoticeLevel.MONEY,
    title="A trade was opened and 1 more",
    lines=("Opened: buy 0.10 XAUUSD at 2350.", "<b>Ä\N{SNOWMAN}</b> [x](http://evil)"),
    link="https://fleet.example/notices",
    unsubscribe="https://fleet.example/notifications/unsubscribe/u_a/word",
)
LONG = Message(key="1-10", level=NoticeLevel.INFO, title="Long", lines=("\N{SNOWMAN}" * 900,) * 10)


async def test_a_message_arrives_with_its_lines_unchanged(post: Post) -> None:
    assert await post.messenger.deliver(post.target, NEWS) == Delivered()
    (text,) = post.house.texts
    assert all(line in text for line in NEWS.lines)


async def test_a_message_that_is_too_long_is_cut_and_arrives(post: Post) -> None:
    assert await post.messenger.deliver(post.target, LONG) == Delivered()
    assert len(post.house.texts) == 1


async def test_a_busy_other_side_is_asked_again_later(post: Post) -> None:
    post.answer_with("busy")
    outcome = await post.messenger.deliver(post.target, NEWS)
    assert isinstance(outcome, RetryLater)
    assert not outcome.is_unsure
    assert outcome.after in (None, timedelta(seconds=7))
    assert await post.messenger.deliver(post.target, NEWS) == Delivered()
    assert len(post.house.texts) == 1


async def test_a_broken_other_side_is_its_own_trouble(post: Post) -> None:
    post.answer_with("broken")
    outcome = await post.messenger.deliver(post.target, NEWS)
    assert isinstance(outcome, RetryLater)
    assert (outcome.is_theirs, outcome.is_unsure) == (True, False)
    assert post.house.texts == []


async def test_a_target_that_is_gone_is_told_as_such(post: Post) -> None:
    post.answer_with("gone")
    assert isinstance(await post.messenger.deliver(post.target, NEWS), TargetGone)


async def test_one_message_that_is_refused_does_not_end_the_target(post: Post) -> None:
    post.answer_with("odd")
    outcome = await post.messenger.deliver(post.target, NEWS)
    assert isinstance(outcome, RetryLater)
    assert not outcome.is_unsure


@pytest.mark.parametrize("reply", ["silent", "taken_then_silent"])
async def test_a_missing_answer_is_not_taken_for_a_no(post: Post, reply: str) -> None:
    post.answer_with(reply)
    outcome = await post.messenger.deliver(post.target, NEWS)
    assert isinstance(outcome, RetryLater)
    assert outcome.is_unsure


async def test_a_target_is_shown_masked(post: Post) -> None:
    shown = post.messenger.describe(post.target)
    assert shown
    assert not [one for one in post.secrets if one in shown + repr(post.messenger)]


@pytest.mark.parametrize(
    "typed",
    ["", "-100123", "nobody", "a@b\r\nBcc: x@y.example", "a@[127.0.0.1]", '"a b"@x.example', "{}"],
    ids=["empty", "group", "word", "header", "literal", "quoted", "object"],
)
async def test_what_can_be_no_target_is_refused(post: Post, typed: str) -> None:
    with pytest.raises(RefusedError):
        post.messenger.describe(Secret(typed))
