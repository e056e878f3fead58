"""Levels that a late order took back: it was given up, and landed after what replaced it. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, TypeAlias

from signalfleet.domain.money import Price
from signalfleet.domain.trading.intents import (
    AmendLeg,
    CancelLeg,
    CloseLeg,
    Intent,
    IntentState,
    OpenLeg,
    ProtectLeg,
)
from signalfleet.domain.trading.matching import TradeFacts
from signalfleet.domain.trading.progress import stop_to_send
from signalfleet.domain.trading.records import Trade
from signalfleet.domain.trading.settle import SettleRules

SEEN_LATER: Final = timedelta(seconds=60)
"""A change that lands when the settle window ends is seen by a routine look after it."""
CAUSE: Final = "rec:undone"

Change: TypeAlias = ProtectLeg | AmendLeg


@dataclass(frozen=True, slots=True, kw_only=True)
class Undone:
    """`command` is the newest instruction, to be sent again under `cause`."""

    trade: Trade
    older: Intent
    command: Change
    cause: str


@dataclass(frozen=True, slots=True)
class _Levels:
    price: Price | None
    stop: Price | None
    target: Price | None


def undone_levels(
    trade: Trade,
    facts: TradeFacts,
    intents: Sequence[Intent],
    rules: SettleRules,
    seen_at: datetime,
) -> Undone | None:
    """Tell whether the broker shows again what an older instruction asked for.

    `intents` are all of the trade. Only an order that was sent in doubt can land late; levels that
    equal no such order's were set by the user or the broker, and are left alone.
    """
    changes = _changes(intents)
    shown = _shown(facts)
    accepted = [n for n, (one, _) in enumerate(changes) if one.state is IntentState.ACCEPTED]
    if shown is None or not accepted or _is_changing(intents):
        return None
    newest = changes[accepted[-1]][1]
    if _is_so(trade, newest, shown):
        return None
    for place in reversed(range(accepted[-1])):
        older = changes[place][0]
        if not _may_land(older, rules, seen_at) or not _is_of(shown, changes[: place + 1], intents):
            continue
        again = sum(one.cause.startswith(f"{CAUSE}:{older.intent_id}:") for one in intents)
        # It can land as often as it was sent, and no more.
        if again < older.attempt:
            cause = f"{CAUSE}:{older.intent_id}:{again}"
            return Undone(trade=trade, older=older, command=_again(newest), cause=cause)
    return None


def _changes(intents: Sequence[Intent]) -> list[tuple[Intent, Change]]:
    in_order = sorted(intents, key=lambda one: one.created_at)
    return [(i, i.command) for i in in_order if isinstance(i.command, ProtectLeg | AmendLeg)]


def _shown(facts: TradeFacts) -> _Levels | None:
    if facts.positions:
        position = facts.positions[0]
        return _Levels(None, position.stop_loss, position.take_profit)
    if facts.orders:
        order = facts.orders[0]
        return _Levels(order.price, order.stop_loss, order.take_profit)
    return None


def _is_changing(intents: Sequence[Intent]) -> bool:
    changing = (ProtectLeg, AmendLeg, CloseLeg, CancelLeg)
    return any(isinstance(one.command, changing) and not one.state.is_final for one in intents)


def _is_so(trade: Trade, newest: Change, shown: _Levels) -> bool:
    """Tell whether what is shown is as the newest instruction wants it, or not its business."""
    match newest:
        case ProtectLeg(take_profit=target):
            stop = stop_to_send(trade.side, shown.stop, newest)
            return shown.price is not None or shown == _Levels(None, stop, target)
        case AmendLeg(price=price, stop_loss=stop, take_profit=target):
            return shown.price is None or shown == _Levels(price, stop, target)


def _may_land(older: Intent, rules: SettleRules, seen_at: datetime) -> bool:
    """Tell whether a sending of it had no answer and may have been carried out until then.

    A look that took it for done proves nothing: another change may have set the same levels.
    """
    was_sent = older.sending_at is not None or older.attempt > 1
    if older.settled_at is None or not was_sent:
        return False
    has_answer = (older.evidence or "").startswith("reply")
    if has_answer and older.attempt == 1:
        return False
    return seen_at - older.settled_at <= rules.window + SEEN_LATER


def _is_of(
    shown: _Levels, changes: Sequence[tuple[Intent, Change]], intents: Sequence[Intent]
) -> bool:
    """Tell whether the last of these changes set what is shown.

    Where the position had a tighter stop when it was sent, that one went with it.
    """
    match changes[-1][1]:
        case AmendLeg(price=price, stop_loss=stop, take_profit=target):
            return shown == _Levels(price, stop, target)
        case ProtectLeg(take_profit=target):
            entries = (one.command for one in intents if isinstance(one.command, OpenLeg))
            stops = {one.stop_loss for one in (*entries, *(change for _, change in changes))}
            return shown.target == target and shown.stop in stops


def _again(command: Change) -> Change:
    """Return the command without what it told of the trade's care: that holds already."""
    return replace(command, care=None, steps=None) if isinstance(command, ProtectLeg) else command
