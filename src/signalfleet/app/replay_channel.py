"""What would have been done with the messages of a channel's export, without any price."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from signalfleet.app.complete_call import WINDOW as COMPLETION_WINDOW
from signalfleet.domain import ids
from signalfleet.domain.ids import MessageId, UserId
from signalfleet.domain.signals.correlate import completed_call, find_targets
from signalfleet.domain.signals.describe import describe, describe_action
from signalfleet.domain.signals.judge import Verdict, judge
from signalfleet.domain.signals.model import (
    Ambiguous,
    CancelPending,
    ChannelMessage,
    Close,
    Context,
    FollowUp,
    Issue,
    KnownSignal,
    NotASignal,
    OrderKind,
    Parsed,
    ParseResult,
    Report,
    Signal,
    SignalRef,
)
from signalfleet.domain.signals.parse import Parser
from signalfleet.domain.signals.profiles import NO_PROFILE, ChannelProfile

NOBODY = UserId("u_" + "0" * 26)
RECENT = 20
WRONG = (Issue.STOP_WRONG_SIDE, Issue.TARGET_WRONG_SIDE)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayLine:
    """One message's end. `outcome`: copied, followed, skipped, held, report or nothing."""

    message: ChannelMessage
    outcome: str
    understood: str
    reason: str | None = None


@dataclass(slots=True)
class _Call:
    """A call that waits for its levels, and what has come of them."""

    message: ChannelMessage
    signal: Signal
    follow_ups: list[FollowUp] = field(default_factory=list)


@dataclass(slots=True)
class _Channel:
    texts: dict[MessageId, ChannelMessage] = field(default_factory=dict)
    signals: list[KnownSignal] = field(default_factory=list)
    call: _Call | None = None

    def known_to(self, message: ChannelMessage) -> tuple[KnownSignal, ...]:
        """Return the newest signals, newest first, and those that the message answers."""
        newest = self.signals[-RECENT:][::-1]
        if message.reply_to is None:
            return tuple(newest)
        older = self.signals[:-RECENT]
        return (*newest, *(one for one in older if one.message == message.reply_to))


def replay(
    messages: Iterable[ChannelMessage], parser: Parser, profile: ChannelProfile = NO_PROFILE
) -> Iterator[ReplayLine]:
    """Go through the messages in order of time, as if each had come live.

    An export holds each text in its last form only, so an edited message is read as it ended.
    """
    channel = _Channel()
    for message in messages:
        context = Context(
            replied=channel.texts.get(message.reply_to) if message.reply_to else None,
            recent=channel.known_to(message),
        )
        channel.texts[message.message] = message
        completed = _completed(channel, message, parser, profile)
        if completed is not None:
            yield completed
            continue
        result = parser.parse(message, context, profile)
        match result:
            case NotASignal(reasons=reasons):
                yield ReplayLine(
                    message=message, outcome="nothing", understood="", reason=reasons[0].value
                )
            case Ambiguous(reasons=doubts, candidates=candidates):
                yield ReplayLine(
                    message=message,
                    outcome="held",
                    understood="; ".join(describe(reading) for reading in candidates),
                    reason=doubts[0].value,
                )
            case Parsed(readings=readings):
                part = 0
                for reading in readings:
                    yield _act(channel, message, reading, part, context, profile)
                    part += isinstance(reading, Signal)


def _act(
    channel: _Channel,
    message: ChannelMessage,
    reading: Signal | FollowUp | Report,
    part: int,
    context: Context,
    profile: ChannelProfile,
) -> ReplayLine:
    understood = describe(reading)
    line = ReplayLine(message=message, outcome="report", understood=understood)
    if isinstance(reading, Report):
        return line
    verdict = judge(reading, profile=profile)
    if verdict is not Verdict.ACCEPT:
        outcome = "held" if verdict is Verdict.HOLD else "skipped"
        return replace(line, outcome=outcome, reason="low_confidence")
    if isinstance(reading, Signal):
        channel.call = None
        if reading.stop is None and reading.stop_pips is None:
            channel.call = _Call(message, reading)
            return replace(line, outcome="held", reason="waits_for_levels")
        reason = _refusal(reading)
        if reason is not None:
            return replace(line, outcome="skipped", reason=reason)
        channel.signals.append(_known(message, reading, part))
        return replace(line, outcome="copied")
    return _follow(channel, message, reading, context, line)


def _refusal(signal: Signal) -> str | None:
    wrong = next((issue for issue in WRONG if issue in signal.issues), None)
    return None if wrong is None else wrong.value


def _completed(
    channel: _Channel, message: ChannelMessage, parser: Parser, profile: ChannelProfile
) -> ReplayLine | None:
    """Open the call that waits, if this message brings its levels in time."""
    call = channel.call
    if call is None:
        return None
    if message.posted_at - call.message.posted_at > COMPLETION_WINDOW:
        channel.call = None
        return None
    if message.reply_to not in (None, call.message.message):
        return None
    if message.reply_to is None and _opens(parser.parse(message, profile=profile)):
        return None
    result = parser.parse(message, Context(replied=call.message), profile)
    if not isinstance(result, Parsed):
        return None
    call.follow_ups += [
        reading
        for reading in result.readings
        if isinstance(reading, FollowUp) and reading.target.symbol in (None, call.signal.symbol)
    ]
    source = SignalRef(channel=message.channel, message=message.message)
    signal = completed_call(call.signal, call.follow_ups, source)
    if signal is None:
        return None
    channel.call = None
    line = ReplayLine(message=message, outcome="copied", understood=describe(signal))
    reason = _refusal(signal)
    if reason is not None:
        return replace(line, outcome="skipped", reason=reason)
    channel.signals.append(_known(call.message, signal, 0))
    return line


def _opens(result: ParseResult) -> bool:
    return isinstance(result, Parsed) and any(isinstance(r, Signal) for r in result.readings)


def _follow(
    channel: _Channel,
    message: ChannelMessage,
    follow_up: FollowUp,
    context: Context,
    line: ReplayLine,
) -> ReplayLine:
    found = find_targets(follow_up, message, context)
    if isinstance(found, str):
        return replace(line, outcome="skipped", reason=found)
    live = [signal for signal in found if signal.is_open]
    if not live:
        return replace(line, outcome="skipped", reason="no_open_trade")
    if isinstance(follow_up.action, Close | CancelPending):
        ended = {signal.signal for signal in live}
        channel.signals = [
            replace(signal, is_open=False) if signal.signal in ended else signal
            for signal in channel.signals
        ]
    whose = ", ".join(f"message {signal.message}" for signal in live)
    return replace(
        line, outcome="followed", understood=f"{describe_action(follow_up.action)} on {whose}"
    )


def _known(message: ChannelMessage, signal: Signal, part: int) -> KnownSignal:
    return KnownSignal(
        signal=ids.signal_id(NOBODY, message.channel, message.message, part),
        message=message.message,
        part=part,
        symbol=signal.symbol,
        side=signal.side,
        entry=signal.entry,
        stop=signal.stop,
        targets=signal.targets,
        opened_at=message.posted_at,
        is_pending=signal.order in (OrderKind.LIMIT, OrderKind.STOP),
    )
