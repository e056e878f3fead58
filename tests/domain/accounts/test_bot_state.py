"""Which moves a bot may make, all pairs."""

import pytest

from signalfleet.domain.accounts.bot_state import BotState, may_move

S = BotState
MOVES: dict[BotState, set[BotState]] = {
    S.OFF: {S.QUEUED},
    S.QUEUED: {S.STARTING, S.OFF},
    S.STARTING: {S.RUNNING, S.RETRYING, S.SIGN_IN_NEEDED, S.STOPPING, S.QUARANTINED},
    S.RUNNING: {S.STOPPING, S.RETRYING, S.SIGN_IN_NEEDED, S.THROTTLED, S.QUARANTINED},
    S.RETRYING: {S.STARTING, S.STOPPING, S.QUARANTINED, S.OFF},
    # The accounts are followed without Telegram, which may fail too.
    S.SIGN_IN_NEEDED: {S.QUEUED, S.RETRYING, S.STOPPING, S.QUARANTINED, S.OFF},
    S.THROTTLED: {S.RUNNING, S.STOPPING, S.RETRYING, S.SIGN_IN_NEEDED, S.QUARANTINED},
    S.STOPPING: {S.OFF},
    S.QUARANTINED: {S.QUEUED, S.OFF},
}


@pytest.mark.parametrize("before", BotState)
@pytest.mark.parametrize("after", BotState)
def test_a_bot_moves_only_as_the_table_says(before: BotState, after: BotState) -> None:
    assert may_move(before, after) is (after in MOVES[before])


@pytest.mark.parametrize("state", BotState)
def test_every_state_leads_to_off(state: BotState) -> None:
    reached, edge = {state}, [state]
    while edge:
        here = edge.pop()
        new = {after for after in BotState if may_move(here, after)} - reached
        reached |= new
        edge.extend(new)
    assert BotState.OFF in reached
