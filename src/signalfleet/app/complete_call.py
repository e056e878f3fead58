"""A call without levels waits for them: find the later messages that bring or withdraw them."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from signalfleet.app.user_desk import UserDesk
from signalfleet.domain.ids import MessageId
from signalfleet.domain.instruments.broker_names import broker_name
from signalfleet.domain.money import Price
from signalfleet.domain.settings.catalogue import Rules
from signalfleet.domain.settings.choices import LevelSource, NoStop
from signalfleet.domain.signals.correlate import completed_call, has_size_of
from signalfleet.domain.signals.describe import describe_action
from signalfleet.domain.signals.judge import Verdict, judge
from signalfleet.domain.signals.model import (
    CancelPending,
    ChannelMessage,
    Close,
    Context,
    FollowUp,
    OrderKind,
    Parsed,
    PriceRange,
    Signal,
    SignalRef,
)
from signalfleet.domain.signals.profiles import ChannelProfile
from signalfleet.ports.errors import PortError
from signalfleet.ports.inbox import StoredMessage

WINDOW: Final = timedelta(seconds=120)
"""How long a call waits for its levels, counted from its post."""
MAX_PRICES: Final = 100
LOOKED_AT: Final = 200
"""How many of the user's newest messages are looked at: far more than two minutes bring."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Completed:
    """The call with its levels; `at` is when they came, `words` what brought them."""

    signal: Signal
    at: datetime
    message: MessageId
    words: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Withdrawn:
    """The channel took the call back, or posted it again in full: `reason` says which."""

    reason: str
    message: MessageId


def is_naked(signal: Signal) -> bool:
    """Tell whether a signal lacks the stop without which no order goes out."""
    return signal.stop is None and signal.stop_pips is None


class CompleteCall:
    """Looks at what came after the call, decided or not: targets may come before the stop."""

    def __init__(self, desk: UserDesk) -> None:
        self._desk = desk
        self._prices: dict[tuple[int, int], Price] = {}

    def are_waited_for(self, rules: Rules) -> bool:
        """Tell whether the user lets a call without a stop wait for the message that brings it."""
        return rules.no_stop is NoStop.WAIT and rules.stop_source is LevelSource.PROVIDER

    def is_over(self, stored: StoredMessage) -> bool:
        """Tell whether a call has waited long enough."""
        return self._desk.telegram_now() - stored.message.posted_at > WINDOW

    async def look(
        self, stored: StoredMessage, call: Signal, profile: ChannelProfile
    ) -> Completed | Withdrawn | None:
        """Return what later messages made of the call; None if nothing has come yet."""
        gathered: list[FollowUp] = []
        is_next = True
        for message in await self._later(stored):
            is_reply = message.reply_to == stored.message.message
            if not is_reply and (message.reply_to is not None or not is_next):
                continue
            if not is_reply:
                alone = self._desk.parser.parse(message, profile=profile)
                opened = _signals(alone)
                if opened:
                    if any(_same(call, one) and not is_naked(one) for one in opened):
                        return Withdrawn(reason="posted_again", message=message.message)
                    is_next = False
                    continue
            found = self._follow_ups(stored, message, call, profile)
            if any(isinstance(one.action, Close | CancelPending) for one in found):
                return Withdrawn(reason="call_withdrawn", message=message.message)
            gathered += found
            source = SignalRef(channel=message.channel, message=message.message)
            signal = completed_call(call, gathered, source)
            if signal is not None:
                words = tuple(describe_action(one.action) for one in gathered)
                at = message.edited_at or message.posted_at
                return Completed(signal=signal, at=at, message=message.message, words=words)
        return None

    async def remember_price(self, stored: StoredMessage, call: Signal) -> None:
        """Note the price at the first look at a call: from there the price gap is measured."""
        key = (stored.message.channel, stored.message.message)
        if key in self._prices:
            return
        for account in self._desk.accounts.values():
            try:
                name = broker_name(call.symbol or "", await account.broker.symbols())
                if name is None:
                    continue
                quote = await account.quote(name)
            except PortError:
                continue
            if len(self._prices) >= MAX_PRICES:
                self._prices.pop(next(iter(self._prices)))
            self._prices[key] = quote.to_open(call.side)
            return

    def at_price(self, stored: StoredMessage, signal: Signal) -> Signal:
        """Return the signal as planning must see it: with the price of the moment of the call."""
        price = self._prices.get((stored.message.channel, stored.message.message))
        if price is None or signal.entry is not None or signal.order is not OrderKind.MARKET:
            return signal
        return replace(signal, entry=PriceRange.of(price))

    def forget(self, stored: StoredMessage) -> None:
        """Drop what was noted of a call that has been decided."""
        self._prices.pop((stored.message.channel, stored.message.message), None)

    async def _later(self, stored: StoredMessage) -> list[ChannelMessage]:
        """Return the chat's messages after the call, each in its newest text, oldest first."""
        call = stored.message
        newest: dict[MessageId, ChannelMessage] = {}
        for other in reversed(await self._desk.store.inbox.recent(LOOKED_AT)):
            message = other.message
            if message.channel != call.channel or message.message <= call.message:
                continue
            if other.deleted_at is not None:
                newest.pop(message.message, None)
            elif (message.edited_at or message.posted_at) - call.posted_at <= WINDOW:
                newest[message.message] = message
        return [newest[number] for number in sorted(newest)]

    def _follow_ups(
        self,
        stored: StoredMessage,
        message: ChannelMessage,
        call: Signal,
        profile: ChannelProfile,
    ) -> list[FollowUp]:
        """Read a message as an answer to the call; what speaks of another symbol is left out."""
        context = Context(replied=stored.message)
        result = self._desk.parser.parse(message, context, profile)
        price = self._prices.get((stored.message.channel, stored.message.message))
        if not isinstance(result, Parsed):
            return []
        return [
            reading
            for reading in result.readings
            if isinstance(reading, FollowUp)
            and reading.target.symbol in (None, call.symbol)
            and reading.target.side in (None, call.side)
            and (price is None or has_size_of(reading, price))
            and judge(reading, profile=profile) is Verdict.ACCEPT
        ]


def _signals(result: object) -> list[Signal]:
    if not isinstance(result, Parsed):
        return []
    return [reading for reading in result.readings if isinstance(reading, Signal)]


def _same(call: Signal, other: Signal) -> bool:
    return (call.symbol, call.side) == (other.symbol, other.side)
