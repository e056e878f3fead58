"""Messages and rules of a channel, as short as tests want them."""

from datetime import UTC, datetime

from signalfleet.adapters.re2.client import Re2Compiler
from signalfleet.domain.ids import ChannelId, MessageId
from signalfleet.domain.instruments.model import Side
from signalfleet.domain.signals.model import ChannelMessage
from signalfleet.domain.signals.rules import Rule, RuleAction

AT = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)


def message(text: str, number: int = 2) -> ChannelMessage:
    return ChannelMessage(
        channel=ChannelId(-100), message=MessageId(number), text=text, posted_at=AT
    )


def rule(
    name: str,
    pattern: str,
    *,
    action: RuleAction = RuleAction.OPEN,
    side: Side | None = None,
    symbol: str | None = None,
) -> Rule:
    compiled = Re2Compiler().compile(pattern)
    return Rule(name=name, pattern=compiled, action=action, side=side, symbol=symbol)
