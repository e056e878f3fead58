"""What a follow-up does to each leg of the signal that it speaks of."""

from dataclasses import replace
from decimal import Decimal
from typing import Final

from signalfleet.domain.money import Price
from signalfleet.domain.settings.choices import FollowUps, LateStop, Trailing
from signalfleet.domain.settings.distances import Distance, Unit
from signalfleet.domain.settings.protection import BreakEvenMode
from signalfleet.domain.signals.model import (
    BreakEven,
    CancelPending,
    Close,
    ClosePart,
    EntryOffset,
    MoveEntry,
    MoveStop,
    MoveTarget,
    PriceRange,
    SetTargets,
    StopPlace,
    TpRef,
    Trail,
)
from signalfleet.domain.trading.close_part import close_part
from signalfleet.domain.trading.intents import AmendLeg, CancelLeg, CloseLeg, ProtectLeg
from signalfleet.domain.trading.leg_commands import (
    FollowUpPlan,
    FollowUpQuestion,
    LegCommand,
    LegNote,
    amend_levels,
    collect,
    command,
    frozen,
    not_filled,
    wrong_side,
)
from signalfleet.domain.trading.legs import room
from signalfleet.domain.trading.move_targets import all_targets, move_targets, one_target
from signalfleet.domain.trading.protect import even_price
from signalfleet.domain.trading.records import Trade, TradeState

PROTECTIVE: Final = (BreakEven, MoveStop, Close, ClosePart, CancelPending)


def plan_follow_up(question: FollowUpQuestion) -> FollowUpPlan:
    """Decide for each live leg; nothing here raises risk unless the rules allow it."""
    refusal = _refusal(question)
    if refusal is not None:
        return FollowUpPlan(refusal=refusal)
    open_legs = [t for t in question.trades if t.state is TradeState.OPEN]
    pending = [t for t in question.trades if t.state is TradeState.PENDING]
    filled = [LegNote(trade=t, code="already_filled", text="in the market") for t in open_legs]
    match question.action:
        case BreakEven(price=price):
            waiting = [not_filled(leg) for leg in pending]
            return collect([*(_break_even(question, leg, price) for leg in open_legs), *waiting])
        case MoveStop(to=Trail(pips=pips)):
            waiting = [not_filled(leg) for leg in pending]
            return collect([*(_trail(question, leg, pips) for leg in open_legs), *waiting])
        case MoveStop(to=place):
            return collect(_move_stop(question, leg, place) for leg in [*open_legs, *pending])
        case MoveTarget(index=index, price=price):
            return move_targets(question, one_target(question, index, price))
        case SetTargets(prices=prices):
            return move_targets(question, all_targets(question, prices))
        case MoveEntry(entry=entry):
            return collect([*(_move_entry(question, leg, entry) for leg in pending), *filled])
        case Close():
            closes = [command(leg, CloseLeg(), "close") for leg in open_legs]
            cancels = [command(leg, CancelLeg(), "cancel order") for leg in pending]
            return FollowUpPlan(commands=(*closes, *cancels))
        case ClosePart(fraction=fraction, leg=number):
            return close_part(question, open_legs, fraction, number)
        case CancelPending():
            cancels = [command(leg, CancelLeg(), "cancel order") for leg in pending]
            return collect([*cancels, *filled])


def _refusal(question: FollowUpQuestion) -> str | None:
    """Return why nothing is done at all, whatever the legs are like."""
    rules, action = question.rules, question.action
    if rules.follow_ups is FollowUps.NONE:
        return "follow_ups_off"
    states = {trade.state for trade in question.trades}
    if not states & {TradeState.OPEN, TradeState.PENDING}:
        return "no_open_trade"
    if rules.follow_ups is FollowUps.PROTECTIVE_ONLY and not isinstance(action, PROTECTIVE):
        return "follow_ups_off"
    match action:
        case BreakEven() if rules.break_even.mode is BreakEvenMode.OFF:
            return "break_even_off"
        case CancelPending() if TradeState.PENDING not in states:
            return "nothing_pending"
        case _:
            return None


def _move_entry(
    question: FollowUpQuestion, trade: Trade, entry: PriceRange
) -> LegCommand | LegNote:
    """Move a pending order to its near edge; the volume stays, so the risk must not grow."""
    near = entry.high if trade.side.sign > 0 else entry.low
    wanted = near.rounded(question.instrument.tick_size)
    before = question.order_prices.get(trade.trade_id)
    if before == wanted:
        return LegNote(trade=trade, code="already_so", text=f"the order is at {wanted}")
    wrong = wrong_side(trade, wanted, trade.stop_loss, trade.take_profit)
    if wrong is not None:
        return wrong
    if trade.stop_loss is not None and not question.rules.allow_wider_stop:
        distance = abs(wanted.value - trade.stop_loss.value)
        if before is None or distance > abs(before.value - trade.stop_loss.value):
            return LegNote(trade=trade, code="wider_stop", text=f"order {before} to {wanted}")
    moved = AmendLeg(price=wanted, stop_loss=trade.stop_loss, take_profit=trade.take_profit)
    return command(trade, moved, f"move order: {before} to {wanted}")


def _break_even(
    question: FollowUpQuestion, trade: Trade, price: Price | None
) -> LegCommand | LegNote:
    """Set the stop at the entry, or as soon as the price allows it."""
    if trade.open_price is None:
        return LegNote(trade=trade, code="open_price_unknown", text="the fill is not known yet")
    care = question.care_of(trade)
    if price is None:
        price = even_price(trade.side, trade.open_price, care, question.instrument)
    wanted = price.rounded(question.instrument.tick_size)
    if _gain(trade, wanted, trade.stop_loss) < 0:
        return LegNote(trade=trade, code="already_so", text=f"the stop is past {wanted}")
    return _set_stop(question, trade, wanted, "break-even", arms=True)


def _trail(question: FollowUpQuestion, trade: Trade, pips: Decimal | None) -> LegCommand | LegNote:
    """Let the stop follow from now on, at the channel's distance or at the user's."""
    care = question.care_of(trade)
    distance = care.distance or question.rules.trailing_distance
    if pips is not None and pips > 0:
        distance = Distance(amount=pips, unit=Unit.PIPS)
    if distance is None:
        return LegNote(trade=trade, code="trailing_unknown", text="trailing stop")
    follows = replace(care, trailing=Trailing.DISTANCE, distance=distance, start=None)
    levels = ProtectLeg(stop_loss=trade.stop_loss, take_profit=trade.take_profit, care=follows)
    return command(trade, levels, f"the stop follows {distance} behind the price")


def _move_stop(question: FollowUpQuestion, trade: Trade, place: StopPlace) -> LegCommand | LegNote:
    wanted = _stop_price(question, trade, place)
    if isinstance(wanted, LegNote):
        return wanted
    rounded = wanted.rounded(question.instrument.tick_size)
    return _set_stop(question, trade, rounded, "move stop", arms=False)


def _stop_price(question: FollowUpQuestion, trade: Trade, place: StopPlace) -> Price | LegNote:
    match place:
        case Price():
            return place
        case TpRef(index=index, price=price):
            known = question.targets[index - 1] if 0 < index <= len(question.targets) else None
            known = price or known or question.care_of(trade).target(index)
            return known or LegNote(trade=trade, code="target_unknown", text=f"TP{index}")
        case EntryOffset(pips=pips):
            if trade.open_price is None:
                return LegNote(trade=trade, code="open_price_unknown", text="not filled yet")
            offset = pips * question.care_of(trade).pip * trade.side.sign
            return Price(trade.open_price.value + offset)
        case Trail():
            return LegNote(trade=trade, code="trailing_unknown", text="trailing stop")


def _set_stop(
    question: FollowUpQuestion, trade: Trade, wanted: Price, text: str, *, arms: bool
) -> LegCommand | LegNote:
    if trade.stop_loss == wanted:
        return LegNote(trade=trade, code="already_so", text=f"the stop is at {wanted}")
    is_wider = _gain(trade, wanted, trade.stop_loss) < 0
    only_protective = question.rules.follow_ups is FollowUps.PROTECTIVE_ONLY
    if is_wider and (only_protective or not question.rules.allow_wider_stop):
        return LegNote(trade=trade, code="wider_stop", text=f"{trade.stop_loss} to {wanted}")
    change = f"{text}: {trade.stop_loss} to {wanted}"
    if trade.state is TradeState.PENDING:
        return amend_levels(question, trade, wanted, trade.take_profit, change)
    now = question.quote.to_close(trade.side)
    inside = frozen(question, trade, now)
    if inside is not None and not arms:
        return inside
    distance = _gain(trade, now, wanted)
    if inside is None and distance > 0 and distance >= room(question.instrument):
        levels = ProtectLeg(stop_loss=wanted, take_profit=trade.take_profit, widens=is_wider)
        return command(trade, levels, change)
    if arms:
        care = replace(question.care_of(trade), armed=wanted)
        levels = ProtectLeg(stop_loss=trade.stop_loss, take_profit=trade.take_profit, care=care)
        why = f"price {now}: the stop goes to {wanted} as soon as the price allows it"
        return command(trade, levels, f"{text} armed, {why}")
    return _late(question, trade, wanted, now)


def _late(
    question: FollowUpQuestion, trade: Trade, wanted: Price, now: Price
) -> LegCommand | LegNote:
    """The price has passed the stop: where it would have been hit just now, the user may close.

    A level that is far away was probably misread.
    """
    text = f"price {now}, stop {wanted}"
    first = question.care_of(trade).first_stop or trade.stop_loss
    missed = -_gain(trade, now, wanted)
    reach = Decimal(0)
    if first is not None and trade.open_price is not None:
        reach = abs(trade.open_price.value - first.value)
    closes = question.rules.late_stop is LateStop.CLOSE and question.is_live
    if closes and 0 <= missed <= reach:
        return command(trade, CloseLeg(), f"the stop is passed ({text}): close")
    return LegNote(trade=trade, code="late_stop", text=text)


def _gain(trade: Trade, price: Price, since: Price | None) -> Decimal:
    """Return how much better a price is for the trade than another; zero where there is none."""
    return Decimal(0) if since is None else (price.value - since.value) * trade.side.sign
