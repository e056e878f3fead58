"""Which stop and which targets a copy has: the channel's, the user's own, or none."""

from dataclasses import dataclass, replace
from decimal import Decimal

from signalfleet.domain.errors import DomainError
from signalfleet.domain.instruments.model import Instrument, Quote, Side
from signalfleet.domain.instruments.pips import default_pip_size
from signalfleet.domain.money import Price
from signalfleet.domain.risk.refusal import Check, Refusal, refused
from signalfleet.domain.settings.catalogue import Rules
from signalfleet.domain.settings.choices import LevelSource, NoStop, OpenTarget
from signalfleet.domain.settings.distances import Distance, Ruler
from signalfleet.domain.settings.resolve import Effective
from signalfleet.domain.signals.model import OrderKind, Signal

SIGNAL = "the signal"


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One target; `number` is the channel's, from 1, and no price leaves it open."""

    number: int
    price: Price | None
    weight: Decimal = Decimal(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Levels:
    """The levels of a copy, on the instrument's ticks; `*_from` says whose they are."""

    stop: Price | None
    targets: tuple[Target, ...]
    stop_from: str = SIGNAL
    targets_from: str = SIGNAL

    @property
    def first(self) -> Price | None:
        return self.targets[0].price

    @property
    def prices(self) -> tuple[Price, ...]:
        """Return every price among them, the stop first."""
        targets = [target.price for target in self.targets if target.price is not None]
        return (*targets,) if self.stop is None else (self.stop, *targets)


def traded_side(signal: Signal, rules: Rules) -> Side:
    """Return the side that is traded: the channel's, or its opposite if the user wants that."""
    return signal.side.opposite if rules.reverse else signal.side


def reversed_signal(signal: Signal) -> Signal:
    """Return the opposite of a signal; its levels are swapped by `find_levels`."""
    swapped = {OrderKind.LIMIT: OrderKind.STOP, OrderKind.STOP: OrderKind.LIMIT}
    order = signal.order if signal.order is None else swapped.get(signal.order, signal.order)
    return replace(signal, side=signal.side.opposite, order=order)


def ruler_of(signal: Signal, instrument: Instrument, price: Price) -> Ruler:
    """Return what distances in the settings are measured with."""
    return Ruler(
        pip=instrument.pip_size or default_pip_size(signal.symbol or ""),
        point=instrument.point,
        price=price.value,
    )


def find_levels(
    signal: Signal, instrument: Instrument, quote: Quote, effective: Effective
) -> Levels | Refusal:
    """Turn what was stated, and what the user wants instead, into prices."""
    return _Finder(signal, instrument, quote, effective).find()


class _Finder:
    def __init__(
        self, signal: Signal, instrument: Instrument, quote: Quote, effective: Effective
    ) -> None:
        self._signal, self._effective = signal, effective
        self._rules = effective.rules
        self._tick = instrument.tick_size
        self._sign = signal.side.sign
        self._entry = stated_entry(signal, quote)
        self._ruler = ruler_of(signal, instrument, self._entry)

    def find(self) -> Levels | Refusal:
        stop = self._stop()
        if isinstance(stop, Refusal):
            return stop
        stop_price, stop_from = stop
        if stop_price is not None:
            risk = abs(self._entry.value - stop_price.value)
            self._ruler = replace(self._ruler, risk=risk)
        targets = self._targets()
        if isinstance(targets, Refusal):
            return targets
        found, targets_from = targets
        levels = Levels(
            stop=stop_price, targets=found, stop_from=stop_from, targets_from=targets_from
        )
        return _swapped(levels) if self._rules.reverse else levels

    def _stop(self) -> tuple[Price | None, str] | Refusal:
        rules = self._rules
        stated = None
        if rules.stop_source is not LevelSource.CUSTOM:
            stated = self._stated_stop()
        if stated is not None:
            return stated if isinstance(stated, Refusal) else (stated, SIGNAL)
        if rules.stop_source is LevelSource.PROVIDER:
            match rules.no_stop:
                case NoStop.ALLOW:
                    return None, self._effective.source("no_stop")
                case NoStop.REFUSE | NoStop.WAIT:
                    return self._no_stop("no_stop", "the signal names no stop")
                case NoStop.CUSTOM:
                    pass
        if rules.custom_stop is None:
            return self._no_stop("custom_stop", "custom_stop is not set")
        price = self._price_at(rules.custom_stop, -self._sign)
        if price is None:
            return refused(
                "stop_distance",
                "custom_stop",
                str(rules.custom_stop),
                f"less than {self._entry}",
                source=self._effective.source("custom_stop"),
                detail=str(rules.custom_stop),
            )
        return price, f"custom_stop from {self._effective.source('custom_stop')}"

    def _no_stop(self, key: str, detail: str) -> Refusal:
        limit = f"no_stop is {self._rules.no_stop.value}"
        source = self._effective.source(key)
        return refused("no_stop", "stop", "none", limit, source=source, detail=detail)

    def _stated_stop(self) -> Price | Refusal | None:
        signal, padding = self._signal, self._rules.stop_padding * self._ruler.pip
        value = None if signal.stop is None else signal.stop.value
        if value is None and signal.stop_pips is not None:
            value = self._entry.value - signal.stop_pips * self._ruler.pip * self._sign
        if value is None:
            return None
        value -= padding * self._sign
        if value <= 0:
            return refused(
                "stop_distance",
                "stop",
                f"{value:f}",
                "above 0",
                source=SIGNAL,
                detail=f"the stop would be at {value}",
            )
        return _rounded(value, self._tick)

    def _targets(self) -> tuple[tuple[Target, ...], str] | Refusal:
        rules = self._rules
        stated: list[Price | None] = []
        if rules.target_source is not LevelSource.CUSTOM:
            stated = self._stated_targets()
        source = SIGNAL
        if not stated and rules.target_source is not LevelSource.PROVIDER:
            source = f"custom_targets from {self._effective.source('custom_targets')}"
            try:
                own = [self._price_at(one, self._sign) for one in rules.custom_targets]
            except DomainError as error:
                return self._no_stop("custom_targets", f"custom_targets: {error}")
            stated = [price for price in own if price is not None]
        if not stated:
            return (Target(number=1, price=None),), source
        chosen = self._chosen(stated)
        if not chosen:
            used = ", ".join(str(number) for number in sorted(rules.targets_used)) or "open ones"
            return refused(
                "no_target",
                "targets",
                f"{len(stated)} stated",
                used,
                source=self._effective.source("targets_used"),
                detail=f"{len(stated)} stated, none of them is used",
            )
        return chosen, source

    def _stated_targets(self) -> list[Price | None]:
        signal = self._signal
        if signal.targets:
            return [price.rounded(self._tick) if price else None for price in signal.targets]
        values: list[Decimal] = []
        if signal.target_pips:
            values = [pips * self._ruler.pip for pips in signal.target_pips]
        elif signal.target_r and self._ruler.risk is not None:
            values = [self._ruler.risk * multiple for multiple in signal.target_r]
        prices = [self._entry.value + value * self._sign for value in values]
        return [_rounded(price, self._tick) for price in prices if price > 0]

    def _chosen(self, stated: list[Price | None]) -> tuple[Target, ...]:
        """Keep the targets that the user uses, each with its share of the size."""
        rules = self._rules
        found = []
        for number, price in enumerate(stated, start=1):
            if rules.targets_used and number not in rules.targets_used:
                continue
            target = Target(number=number, price=price, weight=_weight(rules, number))
            if price is None:
                opened = self._opened(target, is_only=len(stated) == 1)
                if opened is None:
                    continue
                target = opened
            found.append(target)
        weighted = tuple(target for target in found if target.weight > 0)
        return weighted or tuple(replace(target, weight=Decimal(1)) for target in found)

    def _opened(self, target: Target, *, is_only: bool) -> Target | None:
        match self._rules.open_target:
            case OpenTarget.DROP:
                return target if is_only else None
            case Distance() as multiple if self._ruler.risk is not None:
                return replace(target, price=self._price_at(multiple, self._sign))
            case _:
                return target

    def _price_at(self, distance: Distance, sign: int) -> Price | None:
        value = self._entry.value + self._ruler.length(distance) * sign
        return _rounded(value, self._tick) if value > 0 else None


def stated_entry(signal: Signal, quote: Quote) -> Price:
    """Return the near edge of what the signal says, or the price now where it says nothing."""
    if signal.entry is None:
        return quote.to_open(signal.side)
    return signal.entry.high if signal.side.sign > 0 else signal.entry.low


def check_stop_distance(
    entry: Price, stop: Price | None, ruler: Ruler, effective: Effective
) -> tuple[Check, ...]:
    """Compare the distance of the stop with the user's limits; all of them hold."""
    if stop is None:
        return ()
    rules, distance = effective.rules, abs(entry.value - stop.value)
    found = []
    for key, sign in (("min_stop_distance", 1), ("max_stop_distance", -1)):
        bounds = getattr(rules, key)
        if not bounds:
            continue
        bound = max(bounds, key=lambda one: ruler.length(one) * sign)
        length = ruler.length(bound)
        word = "at least" if sign > 0 else "at most"
        found.append(
            Check(
                name="stop distance",
                value=f"{distance:f}",
                limit=f"{word} {bound} ({length.normalize():f})",
                source=effective.source(key),
                passed=(distance - length) * sign >= 0,
                code="stop_distance",
            )
        )
    return tuple(found)


def _swapped(levels: Levels) -> Levels | Refusal:
    if levels.first is None:
        return refused(
            "no_target",
            "first target",
            "none",
            "one, to be the stop",
            setting="reverse",
            detail="reverse takes the first target for the stop",
        )
    return replace(
        levels,
        stop=levels.first,
        targets=(Target(number=1, price=levels.stop),),
        stop_from=f"the first target of {levels.targets_from}",
        targets_from=f"the stop of {levels.stop_from}",
    )


def _weight(rules: Rules, number: int) -> Decimal:
    weights = rules.target_weights
    if not weights:
        return Decimal(1)
    return weights[number - 1] if number <= len(weights) else Decimal(0)


def _rounded(value: Decimal, tick: Decimal) -> Price:
    """Return the nearest tick that is a price."""
    return Price(value).rounded(tick) if value > tick / 2 else Price(tick)
