"""What a page says of a bot that does not run yet."""

from datetime import timedelta

import pytest

from kit.wall_clock import WallClock
from signalfleet.domain.accounts.bot_state import BotState
from signalfleet.ports.store import BotStatus
from signalfleet.web.present.board import bot_line
from signalfleet.web.present.formats import Times
from signalfleet.web.present.words import Words


@pytest.mark.parametrize(
    ("state", "reason", "said"),
    [
        (BotState.QUEUED, "in_line:3", "You are number 3 in the line."),
        (BotState.OFF, "moving", "moving to another server process"),
        (BotState.RETRYING, "session_taken", "Another process used your Telegram session."),
        (BotState.RETRYING, "KeyError", ""),
    ],
    ids=["in_line", "moving", "taken", "crash"],
)
def test_a_reason_is_said_in_words(state: BotState, reason: str, said: str) -> None:
    now = WallClock().now()
    status = BotStatus(
        wish_on=True,
        halted=False,
        state=state,
        reason=reason,
        since=now - timedelta(minutes=2),
        retry_at=None,
        crashes=0,
        wish_rev=1,
    )
    line = bot_line(status, Times("UTC", now), Words.english())
    assert said in line.detail
    assert "KeyError" not in line.detail
    assert line.age
