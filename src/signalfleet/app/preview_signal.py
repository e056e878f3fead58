"""What would be sent for a text, and why, without storing or sending anything."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from signalfleet.app.channel_profiles import ChannelProfiles
from signalfleet.app.effective_settings import effective_settings
from signalfleet.app.execute_signal import ExecuteSignal, SignalOutcome
from signalfleet.app.user_desk import UserDesk
from signalfleet.domain.ids import AccountId, ChannelId, MessageId
from signalfleet.domain.settings.resolve import Effective
from signalfleet.domain.signals.model import ChannelMessage, Parsed, ParseResult, Signal
from signalfleet.ports.chat_source import Origin
from signalfleet.ports.errors import RefusedError
from signalfleet.ports.inbox import MessageState, StoredMessage
from signalfleet.ports.store import CopyMode

NO_CHANNEL: Final = ChannelId(0)
PREVIEWED: Final = MessageId(0)
"""Telegram numbers messages from 1, so the ids of a preview are never those of a real copy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """How the text was read, and an outcome for each signal in it."""

    at: datetime
    result: ParseResult
    effective: Effective
    outcomes: list[SignalOutcome] = field(default_factory=list)


async def preview(
    desk: UserDesk, text: str, *, account: AccountId, chat: ChannelId | None
) -> Preview:
    """Plan the text as if the channel had just posted it; the desk has that one account."""
    if account not in desk.accounts:
        raise RefusedError("there is no such account")
    if chat is not None and await desk.store.channels.get(chat) is None:
        raise RefusedError("there is no such channel")
    await _look_around(desk)
    now = desk.clock.now()
    message = ChannelMessage(
        channel=chat or NO_CHANNEL, message=PREVIEWED, text=text, posted_at=now
    )
    stored = StoredMessage(
        message=message, rev=0, via=Origin.LIVE, received_at=now, state=MessageState.NEW
    )
    profiles: ChannelProfiles = desk.profiles
    result = desk.parser.parse(message, profile=await profiles.of(message.channel))
    effective = await effective_settings(desk, chat, account)
    found = Preview(at=now, result=result, effective=effective)
    if not isinstance(result, Parsed):
        return found
    signals = ExecuteSignal(desk)
    for part, signal in enumerate(one for one in result.readings if isinstance(one, Signal)):
        outcome = await signals.plan(stored, signal, part, CopyMode.ON, found.outcomes)
        found.outcomes.append(outcome)
    return found


async def _look_around(desk: UserDesk) -> None:
    """Take for granted what only the running product knows: its clock, and that it has looked."""
    desk.halted = (await desk.store.bot.status()).halted
    desk.halt_seen_at = desk.clock.monotonic()
    desk.clock_offset = timedelta(0)
    for account in desk.accounts.values():
        account.reconciled = True
