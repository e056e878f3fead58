"""The nine states of a bot and the only moves between them."""

from enum import StrEnum
from typing import Final


class BotState(StrEnum):
    OFF = "OFF"
    QUEUED = "QUEUED"
    STARTING = "STARTING"
    RUNNING = "RUNNING"
    RETRYING = "RETRYING"
    SIGN_IN_NEEDED = "SIGN_IN_NEEDED"
    THROTTLED = "THROTTLED"
    STOPPING = "STOPPING"
    QUARANTINED = "QUARANTINED"


_S = BotState
_MOVES: Final[dict[BotState, frozenset[BotState]]] = {
    _S.OFF: frozenset({_S.QUEUED}),
    _S.QUEUED: frozenset({_S.STARTING, _S.OFF}),
    _S.STARTING: frozenset(
        {_S.RUNNING, _S.RETRYING, _S.SIGN_IN_NEEDED, _S.STOPPING, _S.QUARANTINED}
    ),
    _S.RUNNING: frozenset(
        {_S.STOPPING, _S.RETRYING, _S.SIGN_IN_NEEDED, _S.THROTTLED, _S.QUARANTINED}
    ),
    _S.RETRYING: frozenset({_S.STARTING, _S.STOPPING, _S.QUARANTINED, _S.OFF}),
    # Accounts are followed without Telegram too, and that may fail like any other running.
    _S.SIGN_IN_NEEDED: frozenset({_S.QUEUED, _S.RETRYING, _S.STOPPING, _S.QUARANTINED, _S.OFF}),
    _S.THROTTLED: frozenset(
        {_S.RUNNING, _S.STOPPING, _S.RETRYING, _S.SIGN_IN_NEEDED, _S.QUARANTINED}
    ),
    _S.STOPPING: frozenset({_S.OFF}),
    _S.QUARANTINED: frozenset({_S.QUEUED, _S.OFF}),
}


def may_move(before: BotState, after: BotState) -> bool:
    """Tell whether a bot may go from one state to the other in one step."""
    return after in _MOVES[before]
