"""What the end of a bot means."""

from datetime import timedelta

import pytest

from kit.builders import after
from kit.clock import MiddleChance
from signalfleet.bots.supervision import Supervision
from signalfleet.domain.accounts.bot_state import BotState
from signalfleet.ports.errors import (
    FencedError,
    PortError,
    SignInRequiredError,
    StoreUnavailableError,
    TemporaryError,
)

SIGN_IN = SignInRequiredError("gone", reason="session_revoked")


def group(*errors: Exception) -> ExceptionGroup[Exception]:
    return ExceptionGroup("tasks", [ExceptionGroup("inner", list(errors))])


@pytest.mark.parametrize(
    ("error", "state", "reason"),
    [
        (FencedError("moved"), BotState.STOPPING, "moved"),
        (SIGN_IN, BotState.SIGN_IN_NEEDED, "session_revoked"),
        (TemporaryError("later"), BotState.RETRYING, "temporary_trouble"),
        (StoreUnavailableError("down"), BotState.RETRYING, "StoreUnavailableError"),
        (PortError("odd"), BotState.RETRYING, "PortError"),
        (KeyError("bug"), BotState.RETRYING, "KeyError"),
        (group(TemporaryError("later"), SIGN_IN), BotState.SIGN_IN_NEEDED, "session_revoked"),
        (group(SIGN_IN, FencedError("moved")), BotState.STOPPING, "moved"),
        (group(TemporaryError("later"), KeyError("bug")), BotState.RETRYING, "KeyError"),
    ],
)
def test_the_gravest_error_decides(error: Exception, state: BotState, reason: str) -> None:
    verdict = Supervision(MiddleChance()).judge(error, after(0))
    assert (verdict.state, verdict.reason) == (state, reason)
    assert verdict.is_fenced is isinstance(error, FencedError) or reason == "moved"
    assert (verdict.delay is not None) is (state is BotState.RETRYING)


def test_trouble_outside_is_tried_again_ever_more_slowly_and_for_ever() -> None:
    supervision = Supervision(MiddleChance())
    delays = [supervision.judge(TemporaryError("x"), after(at)).delay for at in range(50)]
    seconds = [delay.total_seconds() for delay in delays if delay is not None]
    assert seconds[:4] == [5, 10, 20, 40]
    assert seconds[-1] == 600
    assert len(seconds) == 50


def test_what_the_other_side_asks_for_is_waited_for() -> None:
    verdict = Supervision(MiddleChance()).judge(TemporaryError("x", retry_after=300), after(0))
    assert verdict.delay == timedelta(seconds=300)


def test_only_an_error_of_ours_counts_as_a_crash() -> None:
    supervision = Supervision(MiddleChance())
    outside = (TemporaryError("x"), StoreUnavailableError("x"), PortError("x"), SIGN_IN)
    assert not any(supervision.judge(group(error), after(0)).is_crash for error in outside)
    assert supervision.judge(group(StoreUnavailableError("x"), KeyError()), after(0)).is_crash


def test_a_healthy_run_forgets_earlier_trouble() -> None:
    supervision = Supervision(MiddleChance())
    for at in range(5):
        supervision.judge(TemporaryError("x"), after(at))
    supervision.ran(timedelta(seconds=59))
    assert supervision.judge(TemporaryError("x"), after(9)).delay == timedelta(seconds=160)
    supervision.ran(timedelta(minutes=1))
    assert supervision.judge(TemporaryError("x"), after(9)).delay == timedelta(seconds=5)


def test_five_crashes_within_ten_minutes_are_enough() -> None:
    supervision = Supervision(MiddleChance())
    states = [supervision.judge(KeyError(), after(at)).state for at in (0, 60, 120, 180, 240)]
    assert states == [BotState.RETRYING] * 4 + [BotState.QUARANTINED]


def test_crashes_long_apart_are_not_added_up() -> None:
    supervision = Supervision(MiddleChance())
    states = {supervision.judge(KeyError(), after(at * 200)).state for at in range(20)}
    assert states == {BotState.RETRYING}
    assert supervision.crashes <= 4
