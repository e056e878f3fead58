"""Where the stop of an open position belongs by the user's rules. A stop only ever tightens."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Final

from signalfleet.domain.errors import DomainError
from signalfleet.domain.instruments.model import Instrument, Quote, Side
from signalfleet.domain.money import Price
from signalfleet.domain.settings.choices import Trailing
from signalfleet.domain.settings.distances import Distance, Unit
from signalfleet.domain.settings.protection import BreakEvenMode
from signalfleet.domain.trading.care import Care
from signalfleet.domain.trading.legs import room
from signalfleet.domain.trading.orders import StopStep, TrailingStop

RUNGS: Final = 20
"""How many steps of a trailing stop the broker's side is given; we go on beyond them."""
HUNDRED: Final = Decimal(100)
TENTH: Final = Decimal(10)


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """An open position. `best` is the best closing price that was seen since the opening.

    `reached` is the highest target that the broker's facts prove to have been reached, `target`
    its own, where it ends.
    """

    side: Side
    open_price: Price
    stop: Price | None
    best: Price
    reached: int = 0
    target: Price | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StopMove:
    """A better stop; `rule` is the same each time that it is due, `text` says why."""

    rule: str
    stop: Price
    text: str


@dataclass(frozen=True, slots=True)
class _Wish:
    """A stop that a rule wants once the price has reached `level`."""

    rule: str
    level: Decimal
    stop: Decimal
    text: str
    is_reached: bool = False
    is_armed: bool = False


def protect(
    position: Held,
    quote: Quote,
    rules: Care,
    instrument: Instrument,
    *,
    done: frozenset[str] = frozenset(),
) -> StopMove | None:
    """Return the tightest stop that is due and that the broker would take now.

    A rule that is `done` does not act again.
    """
    return _Protection(position, rules, instrument).move(quote, done)


def broker_stops(position: Held, rules: Care, instrument: Instrument) -> TrailingStop | None:
    """Return the same rules as the broker's side can follow them while we are away.

    They do not depend on the price now: what was once sent need not be sent again.
    """
    return _Protection(position, rules, instrument).at_broker()


def even_price(side: Side, opened: Price, rules: Care, instrument: Instrument) -> Price:
    """Return the stop at break-even, on the tick that covers the costs in full."""
    value = opened.value + rules.beyond_entry * side.sign
    found = _on_tick(value, side.sign, instrument.tick_size)
    return found if found is not None else opened


def tighter(side: Side, one: Price | None, other: Price | None) -> Price | None:
    """Return the stop that loses less; any stop is tighter than none."""
    if one is None or other is None:
        return one or other
    return max(one, other) if side is Side.BUY else min(one, other)


class _Protection:
    def __init__(self, position: Held, rules: Care, instrument: Instrument) -> None:
        self._held, self._rules, self._instrument = position, rules, instrument
        self._sign = position.side.sign
        self._opened = position.open_price.value
        self._ruler = rules.ruler(position.open_price)

    def move(self, quote: Quote, done: frozenset[str]) -> StopMove | None:
        closing = quote.to_close(self._held.side)
        now = closing.value
        if self._is_frozen(now):
            return None
        best = tighter(self._held.side, self._held.best, closing) or closing
        self._held = replace(self._held, best=best)
        moves = []
        for wish in (*self._wishes(), *self._following()):
            is_due = wish.is_reached or self._gain(self._held.best.value, wish.level) >= 0
            stop = _on_tick(wish.stop, self._sign, self._instrument.tick_size)
            if wish.rule in done or not is_due or stop is None:
                continue
            if self._is_better(stop) and self._fits(stop, now):
                moves.append(StopMove(rule=wish.rule, stop=stop, text=wish.text))
        return max(moves, key=lambda move: move.stop.value * self._sign, default=None)

    def at_broker(self) -> TrailingStop | None:
        rules = self._rules
        steps = [self._step_of(wish) for wish in self._wishes() if not wish.is_armed]
        distance = None
        if rules.trailing is Trailing.DISTANCE:
            behind = self._length(rules.distance)
            start = self._length(rules.start)
            if behind is not None and start is None:
                distance = behind
            elif behind is not None and start is not None:
                apart = max(self._least_step(), behind / 2)
                for number in range(RUNGS):
                    level = self._opened + (start + apart * number) * self._sign
                    stop = level - behind * self._sign
                    steps.append(self._step_of(_Wish("", level, stop, "")))
        made = sorted(
            {step for step in steps if step is not None},
            key=lambda step: step.reached.value * self._sign,
        )
        if distance is None and not made:
            return None
        return TrailingStop(distance=distance, steps=tuple(made))

    def _step_of(self, wish: _Wish) -> StopStep | None:
        stop = _on_tick(wish.stop, self._sign, self._instrument.tick_size)
        reached = _on_tick(wish.level, self._sign, self._instrument.tick_size)
        if stop is None or reached is None or self._gain(reached.value, stop.value) <= 0:
            return None
        target = self._held.target
        if target is not None and self._gain(reached.value, target.value) >= 0:
            return None  # The position has ended by then.
        return StopStep(reached=reached, stop_loss=stop)

    def _wishes(self) -> Iterator[_Wish]:
        """Yield the stops that depend on the position alone, each with its level."""
        rules = self._rules
        even = self._opened + rules.beyond_entry * self._sign
        if rules.armed is not None:
            stop = rules.armed.value
            yield _Wish(
                f"armed_{stop.normalize():f}",
                stop,
                stop,
                "the price allows the stop now",
                is_reached=True,
                is_armed=True,
            )
        yield from self._break_even(even)
        match rules.trailing:
            case Trailing.STEPS:
                yield from self._table()
            case Trailing.MOVING_TARGET:
                yield from self._behind_targets(even, 1)
            case Trailing.MOVING_2_TARGET:
                yield from self._behind_targets(even, 2)
            case _:
                pass

    def _break_even(self, even: Decimal) -> Iterator[_Wish]:
        when = self._rules.break_even
        match when.mode:
            case BreakEvenMode.AT_TARGET:
                number = int(when.amount)
                target = self._rules.target(number)
                if target is not None:
                    yield _Wish(
                        f"be_after_tp{number}",
                        target.value,
                        even,
                        f"target {number} is reached: stop to break-even",
                        is_reached=self._held.reached >= number,
                    )
            case BreakEvenMode.AT_R if self._ruler.risk is not None:
                level = self._opened + self._ruler.risk * when.amount * self._sign
                text = f"{when.amount:f} R is reached: stop to break-even"
                yield _Wish(f"be_at_{when.amount:f}r", level, even, text)
            case BreakEvenMode.AT_PIPS:
                level = self._opened + when.amount * self._rules.pip * self._sign
                text = f"{when.amount:f} pips are reached: stop to break-even"
                yield _Wish(f"be_at_{when.amount:f}pips", level, even, text)
            case _:
                pass

    def _table(self) -> Iterator[_Wish]:
        for number, rung in enumerate(self._rules.table, start=1):
            at = self._length(rung.at)
            locked = Decimal(0) if rung.stop is None else self._length(rung.stop)
            if at is None or locked is None or locked >= at:
                continue
            yield _Wish(
                f"step_{number}",
                self._opened + at * self._sign,
                self._opened + locked * self._sign,
                f"{rung.at} is reached: stop to {rung.stop or 'the entry'}",
            )

    def _behind_targets(self, even: Decimal, behind: int) -> Iterator[_Wish]:
        targets = self._rules.targets
        for number in range(behind, len(targets) + 1):
            reached = targets[number - 1]
            stop = even
            if number > behind:
                before = targets[number - behind - 1]
                if before is None:
                    continue
                stop = before.value
            if reached is not None:
                where = "the entry" if number == behind else f"target {number - behind}"
                yield _Wish(
                    f"moved_at_tp{number}",
                    reached.value,
                    stop,
                    f"target {number} is reached: stop to {where}",
                    is_reached=self._held.reached >= number,
                )

    def _following(self) -> Iterator[_Wish]:
        """Yield the stop that follows the best price, if it has moved by a step."""
        rules, best = self._rules, self._held.best.value
        gain = self._gain(best, self._opened)
        start = self._length(rules.start) or Decimal(0)
        if gain < start:
            return
        match rules.trailing:
            case Trailing.DISTANCE:
                behind = self._length(rules.distance)
                if behind is None:
                    return
                stop, text = best - behind * self._sign, f"stop {rules.distance} behind {best:f}"
            case Trailing.SHARE_OF_PEAK if gain > 0:
                given_back = rules.distance
                if given_back is None or given_back.unit is not Unit.PERCENT:
                    return
                kept = gain * (HUNDRED - min(given_back.amount, HUNDRED)) / HUNDRED
                stop = self._opened + kept * self._sign
                text = f"at most {given_back} of the best profit is given back"
            case _:
                return
        ticks = Decimal(0)
        if stop > 0:
            on_tick = _on_tick(stop, -self._sign, self._instrument.tick_size)
            ticks = on_tick.value if on_tick is not None else ticks
        is_step = self._held.stop is None or (
            self._gain(ticks, self._held.stop.value) >= self._least_step()
        )
        if ticks > 0 and is_step:
            yield _Wish(f"trail_{ticks.normalize():f}", ticks, ticks, text, is_reached=True)

    def _least_step(self) -> Decimal:
        step = self._length(self._rules.step)
        if step is None:
            behind = None
            if self._rules.trailing is Trailing.DISTANCE:
                behind = self._length(self._rules.distance)
            risk = behind or self._ruler.risk or Decimal(0)
            step = risk / TENTH
        return max(step, self._instrument.tick_size)

    def _length(self, distance: Distance | None) -> Decimal | None:
        if distance is None:
            return None
        try:
            return self._ruler.length(distance)
        except DomainError:  # R of a trade without a stop
            return None

    def _gain(self, price: Decimal, since: Decimal) -> Decimal:
        return (price - since) * self._sign

    def _is_better(self, stop: Price) -> bool:
        return self._held.stop is None or self._gain(stop.value, self._held.stop.value) > 0

    def _fits(self, stop: Price, now: Decimal) -> bool:
        distance = self._gain(now, stop.value)
        return distance > 0 and distance >= room(self._instrument)

    def _is_frozen(self, now: Decimal) -> bool:
        reach = self._instrument.freeze_level * self._instrument.point
        stop = self._held.stop
        return bool(reach) and stop is not None and abs(stop.value - now) <= reach


def _on_tick(value: Decimal, sign: int, tick: Decimal) -> Price | None:
    """Return the next tick on the side of the profit; None where there is no such price."""
    ticks = (value / tick).to_integral_value(ROUND_CEILING if sign > 0 else ROUND_FLOOR)
    return Price(ticks * tick) if ticks > 0 else None
