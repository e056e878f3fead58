"""What a follow-up does to each leg of the signal that it speaks of."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

from signalfleet.domain.ids import TradeId
from signalfleet.domain.instruments.model import Instrument, Quote
from signalfleet.domain.instruments.pips import default_pip_size
from signalfleet.domain.money import Lots, Price
from signalfleet.domain.settings.catalogue import Rules
from signalfleet.domain.settings.choices import FollowUps
from signalfleet.domain.signals.model import (
    Action,
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
from signalfleet.domain.trading.care import Care, care_of_plan
from signalfleet.domain.trading.intents import (
    AmendLeg,
    CancelLeg,
    CloseLeg,
    Command,
    ProtectLeg,
    ReduceLeg,
)
from signalfleet.domain.trading.legs import room, target_of
from signalfleet.domain.trading.protect import even_price
from signalfleet.domain.trading.records import Trade, TradeState

PROTECTIVE: Final = (BreakEven, MoveStop, Close, ClosePart, CancelPending)


@dataclass(frozen=True, slots=True, kw_only=True)
class LegCommand:
    """What to send for one trade; `text` says it for the trace."""

    trade: Trade
    command: Command
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LegNote:
    """Why a trade is left as it is; `code` as in refusals."""

    trade: Trade
    code: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowUpQuestion:
    """`trades` are the live legs of one signal on one account; `canonical` is its symbol.

    `order_prices` has the price of each leg's pending order, where it is known.
    """

    action: Action
    trades: Sequence[Trade]
    targets: Sequence[Price | None]
    canonical: str
    instrument: Instrument
    quote: Quote
    rules: Rules
    order_prices: Mapping[TradeId, Price] = field(default_factory=dict)
    care: Mapping[TradeId, Care] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowUpPlan:
    commands: tuple[LegCommand, ...] = ()
    notes: tuple[LegNote, ...] = ()
    refusal: str | None = None


def plan_follow_up(question: FollowUpQuestion) -> FollowUpPlan:
    """Decide for each live leg; nothing here raises risk unless the rules allow it."""
    if question.rules.follow_ups is FollowUps.NONE:
        return FollowUpPlan(refusal="follow_ups_off")
    open_legs = [t for t in question.trades if t.state is TradeState.OPEN]
    pending = [t for t in question.trades if t.state is TradeState.PENDING]
    if not open_legs and not pending:
        return FollowUpPlan(refusal="no_open_trade")
    is_protective = isinstance(question.action, PROTECTIVE)
    if question.rules.follow_ups is FollowUps.PROTECTIVE_ONLY and not is_protective:
        return FollowUpPlan(refusal="follow_ups_off")
    match question.action:
        case BreakEven(price=price):
            waiting = [_not_filled(leg) for leg in pending]
            return _collect([*(_break_even(question, leg, price) for leg in open_legs), *waiting])
        case MoveStop(to=place):
            return _collect(_move_stop(question, leg, place) for leg in [*open_legs, *pending])
        case MoveTarget(index=index, price=price):
            return _move_targets(question, _one_target(question, index, price))
        case SetTargets(prices=prices):
            return _move_targets(question, dict(enumerate(prices, start=1)))
        case MoveEntry(entry=entry):
            filled = [
                LegNote(trade=t, code="already_filled", text="in the market") for t in open_legs
            ]
            moved = [_move_entry(question, leg, entry) for leg in pending]
            return _collect([*moved, *filled])
        case Close():
            closes = [_command(leg, CloseLeg(), "close") for leg in open_legs]
            cancels = [_command(leg, CancelLeg(), "cancel order") for leg in pending]
            return FollowUpPlan(commands=(*closes, *cancels))
        case ClosePart(fraction=fraction, leg=number):
            return _close_part(question, open_legs, fraction, number)
        case CancelPending():
            if not pending:
                return FollowUpPlan(refusal="nothing_pending")
            return _collect(_command(leg, CancelLeg(), "cancel order") for leg in pending)


def _command(trade: Trade, command: Command, text: str) -> LegCommand:
    return LegCommand(trade=trade, command=command, text=text)


def _collect(items: Iterable[LegCommand | LegNote]) -> FollowUpPlan:
    found = list(items)
    return FollowUpPlan(
        commands=tuple(item for item in found if isinstance(item, LegCommand)),
        notes=tuple(item for item in found if isinstance(item, LegNote)),
    )


def _not_filled(trade: Trade) -> LegNote:
    return LegNote(trade=trade, code="order_not_filled", text="the order is still pending")


def _move_entry(
    question: FollowUpQuestion, trade: Trade, entry: PriceRange
) -> LegCommand | LegNote:
    """Move a pending order to its near edge; the volume stays, so the risk must not grow."""
    near = entry.high if trade.side.sign > 0 else entry.low
    wanted = near.rounded(question.instrument.tick_size)
    before = question.order_prices.get(trade.trade_id)
    if before == wanted:
        return LegNote(trade=trade, code="already_so", text=f"the order is at {wanted}")
    wrong = _wrong_side(trade, wanted, trade.stop_loss, trade.take_profit)
    if wrong is not None:
        return wrong
    if trade.stop_loss is not None and not question.rules.allow_wider_stop:
        distance = abs(wanted.value - trade.stop_loss.value)
        if before is None or distance > abs(before.value - trade.stop_loss.value):
            return LegNote(trade=trade, code="wider_stop", text=f"order {before} to {wanted}")
    command = AmendLeg(price=wanted, stop_loss=trade.stop_loss, take_profit=trade.take_profit)
    return _command(trade, command, f"move order: {before} to {wanted}")


def _amend_levels(
    question: FollowUpQuestion, trade: Trade, stop: Price | None, target: Price | None, text: str
) -> LegCommand | LegNote:
    """Set the levels of an order that is still pending."""
    price = question.order_prices.get(trade.trade_id)
    if price is None:
        return _not_filled(trade)
    wrong = _wrong_side(trade, price, stop, target)
    if wrong is not None:
        return wrong
    return _command(trade, AmendLeg(price=price, stop_loss=stop, take_profit=target), text)


def _wrong_side(
    trade: Trade, price: Price, stop: Price | None, target: Price | None
) -> LegNote | None:
    sign = trade.side.sign
    if stop is not None and (price.value - stop.value) * sign <= 0:
        return LegNote(trade=trade, code="stop_wrong_side", text=f"order {price}, stop {stop}")
    if target is not None and (target.value - price.value) * sign <= 0:
        text = f"order {price}, target {target}"
        return LegNote(trade=trade, code="target_wrong_side", text=text)
    return None


def _break_even(
    question: FollowUpQuestion, trade: Trade, price: Price | None
) -> LegCommand | LegNote:
    if trade.open_price is None:
        return LegNote(trade=trade, code="open_price_unknown", text="the fill is not known yet")
    if price is None:
        care = question.care.get(trade.trade_id) or _care_of_old(question)
        price = even_price(trade.side, trade.open_price, care, question.instrument)
    return _set_stop(question, trade, price.rounded(question.instrument.tick_size), "break-even")


def _care_of_old(question: FollowUpQuestion) -> Care:
    """Return the care of a leg whose entry was stored without any, by the rules of now."""
    pip = question.instrument.pip_size or default_pip_size(question.canonical)
    return care_of_plan(
        question.rules, question.instrument, question.quote, pip=pip, stop=None, targets=()
    )


def _move_stop(question: FollowUpQuestion, trade: Trade, place: StopPlace) -> LegCommand | LegNote:
    wanted = _stop_price(question, trade, place)
    if isinstance(wanted, LegNote):
        return wanted
    return _set_stop(question, trade, wanted.rounded(question.instrument.tick_size), "move stop")


def _stop_price(question: FollowUpQuestion, trade: Trade, place: StopPlace) -> Price | LegNote:
    match place:
        case Price():
            return place
        case TpRef(index=index, price=price):
            known = question.targets[index - 1] if 0 < index <= len(question.targets) else None
            return price or known or LegNote(trade=trade, code="target_unknown", text=f"TP{index}")
        case EntryOffset(pips=pips):
            if trade.open_price is None:
                return LegNote(trade=trade, code="open_price_unknown", text="not filled yet")
            pip = question.instrument.pip_size or default_pip_size(question.canonical)
            return Price(trade.open_price.value + pips * pip * trade.side.sign)
        case Trail():
            return LegNote(trade=trade, code="trailing_not_offered", text="trailing stop")


def _set_stop(
    question: FollowUpQuestion, trade: Trade, wanted: Price, text: str
) -> LegCommand | LegNote:
    sign = trade.side.sign
    if trade.stop_loss == wanted:
        return LegNote(trade=trade, code="already_so", text=f"the stop is at {wanted}")
    is_wider = trade.stop_loss is not None and (wanted.value - trade.stop_loss.value) * sign < 0
    if is_wider:
        if text == "break-even":
            return LegNote(trade=trade, code="already_so", text=f"the stop is past {wanted}")
        only_protective = question.rules.follow_ups is FollowUps.PROTECTIVE_ONLY
        if only_protective or not question.rules.allow_wider_stop:
            return LegNote(trade=trade, code="wider_stop", text=f"{trade.stop_loss} to {wanted}")
    change = f"{text}: {trade.stop_loss} to {wanted}"
    if trade.state is TradeState.PENDING:
        return _amend_levels(question, trade, wanted, trade.take_profit, change)
    now = question.quote.to_close(trade.side)
    frozen = _frozen(question, trade, now)
    if frozen is not None:
        return frozen
    distance = (now.value - wanted.value) * sign
    if distance <= 0 or distance < room(question.instrument):
        return LegNote(trade=trade, code="late_stop", text=f"price {now}, stop {wanted}")
    command = ProtectLeg(stop_loss=wanted, take_profit=trade.take_profit)
    return _command(trade, command, change)


def _frozen(question: FollowUpQuestion, trade: Trade, now: Price) -> LegNote | None:
    """Where a level is about to be touched, the broker lets nobody change it any more."""
    reach = question.instrument.freeze_level * question.instrument.point
    for level in (trade.stop_loss, trade.take_profit):
        if reach and level is not None and abs(level.value - now.value) <= reach:
            return LegNote(trade=trade, code="frozen", text=f"price {now}, level {level}")
    return None


def _one_target(
    question: FollowUpQuestion, index: int | None, price: Price | None
) -> dict[int, Price | None]:
    last = max((target_of(trade.leg) for trade in question.trades), default=1)
    return {index if index is not None else last: price}


def _move_targets(question: FollowUpQuestion, wanted: dict[int, Price | None]) -> FollowUpPlan:
    """Set targets by leg; a leg beyond the list keeps its own."""
    found: list[LegCommand | LegNote] = []
    for trade in question.trades:
        if target_of(trade.leg) not in wanted or not trade.state.is_live:
            continue
        price = wanted[target_of(trade.leg)]
        target = price.rounded(question.instrument.tick_size) if price else None
        found.append(_set_target(question, trade, target))
    if not found:
        return FollowUpPlan(refusal="no_such_target")
    return _collect(found)


def _set_target(
    question: FollowUpQuestion, trade: Trade, target: Price | None
) -> LegCommand | LegNote:
    if trade.take_profit == target:
        return LegNote(trade=trade, code="already_so", text=f"the target is {target}")
    change = f"move target: {trade.take_profit} to {target}"
    if trade.state is TradeState.PENDING:
        return _amend_levels(question, trade, trade.stop_loss, target, change)
    now = question.quote.to_close(trade.side)
    if target is not None and (target.value - now.value) * trade.side.sign <= 0:
        return _command(trade, CloseLeg(), f"target {target} is passed at {now}: close")
    frozen = _frozen(question, trade, now)
    if frozen is not None:
        return frozen
    command = ProtectLeg(stop_loss=trade.stop_loss, take_profit=target)
    return _command(trade, command, change)


def _close_part(
    question: FollowUpQuestion,
    legs: Sequence[Trade],
    fraction: Decimal | None,
    number: int | None,
) -> FollowUpPlan:
    """Close whole legs nearest to their target first, then a part of the next one.

    What shall remain is rounded down to whole steps, but something stays open below 100 %.
    """
    if not legs:
        return FollowUpPlan(refusal="no_open_trade")
    if number is not None:
        chosen = [leg for leg in legs if target_of(leg.leg) == number]
        if not chosen:
            return FollowUpPlan(refusal="no_such_leg")
        return FollowUpPlan(commands=tuple(_command(t, CloseLeg(), "close leg") for t in chosen))
    share = fraction if fraction is not None else question.rules.partial_default
    if share >= 1:
        return FollowUpPlan(commands=tuple(_command(t, CloseLeg(), "close") for t in legs))
    total = sum((leg.volume_open.value for leg in legs), Decimal(0))
    to_close = total - _keep(total * (1 - share), question.instrument)
    commands: list[LegCommand] = []
    for leg in sorted(legs, key=lambda item: item.leg):
        if to_close <= 0:
            break
        volume = leg.volume_open.value
        if volume <= to_close:
            commands.append(_command(leg, CloseLeg(), f"close {volume} lots"))
            to_close -= volume
            continue
        # A broker refuses a part that is below its smallest order.
        part = max(to_close, question.instrument.min_lots.value)
        remaining = _keep(volume - part, question.instrument)
        if volume - remaining >= part:
            text = f"close {volume - remaining} of {volume} lots"
            commands.append(_command(leg, ReduceLeg(remaining=Lots(remaining)), text))
        to_close = Decimal(0)
    if not commands:
        return FollowUpPlan(refusal="below_one_step")
    return FollowUpPlan(commands=tuple(commands))


def _keep(remaining: Decimal, instrument: Instrument) -> Decimal:
    """Return what stays open of a leg: whole steps, never less than the smallest order."""
    if remaining <= 0:
        return instrument.min_lots.value
    return max(Lots(remaining).floor_to(instrument.lot_step), instrument.min_lots).value
