"""After a gap several messages may set the same level: only the newest is carried out."""

from typing import Final

from signalfleet.app.known_signals import context_of
from signalfleet.app.user_desk import UserDesk
from signalfleet.domain.signals.correlate import find_targets
from signalfleet.domain.signals.model import (
    Action,
    BreakEven,
    Context,
    FollowUp,
    MoveEntry,
    MoveStop,
    MoveTarget,
    Parsed,
    SetTargets,
)
from signalfleet.domain.signals.profiles import ChannelProfile
from signalfleet.ports.chat_source import Origin
from signalfleet.ports.inbox import StoredMessage

MOST: Final = 50


async def is_outdated(
    desk: UserDesk,
    stored: StoredMessage,
    follow_up: FollowUp,
    context: Context,
    profile: ChannelProfile,
) -> bool:
    """Tell whether a later message that was found with this one sets the same levels anew."""
    if stored.via is Origin.LIVE or not isinstance(
        follow_up.action, MoveStop | MoveTarget | SetTargets | MoveEntry
    ):
        return False
    meant = find_targets(follow_up, stored.message, context)
    if isinstance(meant, str):
        return False
    wanted = {known.signal for known in meant}
    for later in await _later(desk, stored):
        around = await context_of(desk, later)
        result = desk.parser.parse(later.message, around, profile)
        for reading in result.readings if isinstance(result, Parsed) else ():
            if not isinstance(reading, FollowUp) or not replaces(reading.action, follow_up.action):
                continue
            found = find_targets(reading, later.message, around)
            if not isinstance(found, str) and wanted <= {known.signal for known in found}:
                return True
    return False


def replaces(newer: Action, older: Action) -> bool:
    """Tell whether a later instruction leaves nothing of an earlier one."""
    match newer, older:
        case (MoveStop() | BreakEven(), MoveStop()) | (MoveEntry(), MoveEntry()):
            return True
        case MoveTarget(index=one), MoveTarget(index=other):
            return one == other
        case SetTargets(prices=prices), MoveTarget(index=index):
            return index is None or index <= len(prices)
        case SetTargets(prices=prices), SetTargets(prices=before):
            return len(prices) >= len(before)
        case _:
            return False


async def _later(desk: UserDesk, stored: StoredMessage) -> list[StoredMessage]:
    """Return what the channel posted after the message and nobody has read yet."""
    mine = (stored.message.posted_at, stored.message.message)
    found = [
        other
        for other in await desk.store.inbox.unread()
        if other.message.channel == stored.message.channel
        and other.deleted_at is None
        and other.message.edited_at is None
        and (other.message.posted_at, other.message.message) > mine
    ]
    return found[:MOST]
