"""What becomes of trades whose signal the channel deleted, or turned round by an edit."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from signalfleet.app.execute_follow_up import ExecuteFollowUp, FollowUpOutcome
from signalfleet.domain.settings.catalogue import Rules
from signalfleet.domain.settings.choices import DeletePolicy, EditPolicy, OnFlip
from signalfleet.domain.signals.model import (
    Action,
    Ambiguous,
    BreakEven,
    CancelPending,
    Close,
    Doubt,
    ParseResult,
)
from signalfleet.ports.inbox import StoredMessage

DELETION: Final[Mapping[DeletePolicy, tuple[Action, ...]]] = MappingProxyType(
    {
        DeletePolicy.IGNORE: (),
        DeletePolicy.CANCEL_PENDING: (CancelPending(),),
        DeletePolicy.BREAK_EVEN: (CancelPending(), BreakEven()),
        DeletePolicy.CLOSE: (Close(),),
        DeletePolicy.ASK: (CancelPending(),),
    }
)


async def plan_deleted(
    follow_ups: ExecuteFollowUp, stored: StoredMessage, rules: Rules
) -> FollowUpOutcome:
    """Do what the user wishes for trades of a deleted message."""
    outcome = await follow_ups.plan_own(stored, *DELETION[rules.delete_policy])
    if rules.delete_policy is DeletePolicy.ASK and outcome.reason == "nothing_pending":
        outcome.reason = "delete_asks"  # There are open trades, and only the user may end them.
    return outcome


async def plan_turned(
    follow_ups: ExecuteFollowUp, stored: StoredMessage, result: ParseResult, rules: Rules
) -> FollowUpOutcome | None:
    """Close the trades of a signal that an edit turned round, if the user wishes it."""
    if not isinstance(result, Ambiguous) or Doubt.SIDE_FLIPPED not in result.reasons:
        return None
    if rules.on_flip is not OnFlip.CLOSE or rules.edit_policy is EditPolicy.IGNORE:
        return None
    return await follow_ups.plan_own(stored, Close())
