"""Guards about the signal among others: filters, other channels, trades of the day."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from typing import Final

from signalfleet.domain.ids import ChannelId
from signalfleet.domain.risk.checks import Gatekeeping, OpenCopy
from signalfleet.domain.risk.losses import day_start
from signalfleet.domain.risk.refusal import Check
from signalfleet.domain.settings.choices import CrossChannel
from signalfleet.domain.settings.resolve import Effective
from signalfleet.domain.signals.model import OrderKind, Signal

CROSS_WINDOW: Final = timedelta(minutes=15)
CROSS_SHARE: Final = Decimal("0.25")


def check_idea(
    signal: Signal,
    chat: ChannelId,
    gate: Gatekeeping,
    copies: Sequence[OpenCopy],
    effective: Effective,
) -> tuple[Check, ...]:
    return (
        *check_filters(signal, gate.text, effective),
        check_other_channels(signal, chat, copies, gate.now, effective),
        check_day_count(copies, gate, effective),
    )


def check_filters(signal: Signal, text: str, effective: Effective) -> tuple[Check, ...]:
    rules, symbol = effective.rules, signal.symbol or ""
    order = (signal.order or OrderKind.MARKET).value
    plain = " ".join(text.casefold().split())
    phrase = next((one for one in sorted(rules.ignore_phrases) if one in plain), None)
    allowed = rules.symbols_allowed
    return (
        Check(
            name="symbol allowed",
            value=symbol,
            limit=", ".join(sorted(allowed)) or "all",
            source=effective.source("symbols_allowed"),
            passed=not allowed or symbol in allowed,
            code="symbol_not_allowed",
        ),
        Check(
            name="side",
            value=signal.side.value,
            limit=", ".join(sorted(rules.sides_blocked)) or "none blocked",
            source=effective.source("sides_blocked"),
            passed=signal.side.value not in rules.sides_blocked,
            code="side_blocked",
        ),
        Check(
            name="kind of order",
            value=order,
            limit=", ".join(sorted(rules.orders_blocked)) or "none blocked",
            source=effective.source("orders_blocked"),
            passed=order not in rules.orders_blocked,
            code="order_kind_blocked",
        ),
        Check(
            name="phrases",
            value=phrase or "none",
            limit="none",
            source=effective.source("ignore_phrases"),
            passed=phrase is None,
            code="phrase_ignored",
        ),
    )


def check_other_channels(
    signal: Signal,
    chat: ChannelId,
    copies: Sequence[OpenCopy],
    now: datetime,
    effective: Effective,
) -> Check:
    """Find the same idea, taken from another channel a moment ago."""
    same = next(iter(_same_ideas(signal, chat, copies, now)), None)
    rule = effective.rules.cross_channel
    allows = rule is not CrossChannel.FIRST_WINS
    limit = "allowed" if rule is CrossChannel.ALLOW else "what it left of the risk"
    return Check(
        name="other channels",
        value="none" if same is None else f"message {same.message} of another channel",
        limit=limit if allows else f"none in {CROSS_WINDOW.seconds // 60} min",
        source=effective.source("cross_channel"),
        passed=allows or same is None,
        code="already_taken",
    )


def sharing(
    signal: Signal,
    chat: ChannelId,
    copies: Sequence[OpenCopy],
    now: datetime,
    effective: Effective,
) -> tuple[OpenCopy, ...]:
    """Return the copies that have a part of this idea's risk already, where channels share it."""
    if effective.rules.cross_channel is not CrossChannel.SPLIT_RISK:
        return ()
    return tuple(_same_ideas(signal, chat, copies, now))


def _same_ideas(
    signal: Signal, chat: ChannelId, copies: Sequence[OpenCopy], now: datetime
) -> Iterator[OpenCopy]:
    for copy in copies:
        is_lately = now - copy.decided_at <= CROSS_WINDOW
        if copy.channel != chat and is_lately and _overlaps(signal, copy):
            yield copy


def check_day_count(copies: Sequence[OpenCopy], gate: Gatekeeping, effective: Effective) -> Check:
    limit = effective.rules.max_trades_per_day
    start = day_start(gate.now, gate.facts.zone or UTC, time())
    count = sum(copy.decided_at >= start for copy in copies)
    return Check(
        name="trades of today",
        value=str(count),
        limit="none" if limit is None else f"{limit:f}",
        source=effective.source("max_trades_per_day"),
        passed=limit is None or count < limit,
        code="day_count",
    )


def _overlaps(signal: Signal, copy: OpenCopy) -> bool:
    if signal.symbol != copy.symbol or signal.side is not copy.side:
        return False
    if signal.entry is None or copy.entry is None:
        return True  # One of them goes in at the price of the moment.
    stops = [one.stop for one in (signal, copy) if one.stop is not None]
    middle = signal.entry.low.value
    reach = max((abs(middle - stop.value) for stop in stops), default=Decimal(0)) * CROSS_SHARE
    return (
        signal.entry.low.value - reach <= copy.entry.high.value
        and copy.entry.low.value - reach <= signal.entry.high.value
    )
