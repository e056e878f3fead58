"""What a follow-up is asked about and what comes of it, leg by leg."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from signalfleet.domain.ids import TradeId
from signalfleet.domain.instruments.model import Instrument, Quote
from signalfleet.domain.instruments.pips import default_pip_size
from signalfleet.domain.money import Price
from signalfleet.domain.settings.catalogue import Rules
from signalfleet.domain.signals.model import Action
from signalfleet.domain.trading.care import Care, care_of_plan
from signalfleet.domain.trading.intents import AmendLeg, Command, TargetStep
from signalfleet.domain.trading.records import Trade


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

    `order_prices` has the price of each leg's pending order, where it is known; `care` and `steps`
    what their entries and later messages said. Not `is_live`: found after a gap, so the price may
    have gone on since. `is_edit`: told by an edit of the signal itself.
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
    steps: Mapping[TradeId, tuple[TargetStep, ...]] = field(default_factory=dict)
    is_live: bool = True
    is_edit: bool = False

    def care_of(self, trade: Trade) -> Care:
        """Return a leg's care; for one whose entry was stored without, by the rules of now."""
        known = self.care.get(trade.trade_id)
        if known is not None:
            return known
        pip = self.instrument.pip_size or default_pip_size(self.canonical)
        return care_of_plan(self.rules, self.instrument, self.quote, pip=pip, stop=None, targets=())


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowUpPlan:
    commands: tuple[LegCommand, ...] = ()
    notes: tuple[LegNote, ...] = ()
    refusal: str | None = None


def command(trade: Trade, command: Command, text: str) -> LegCommand:
    return LegCommand(trade=trade, command=command, text=text)


def collect(items: Iterable[LegCommand | LegNote]) -> FollowUpPlan:
    found = list(items)
    return FollowUpPlan(
        commands=tuple(item for item in found if isinstance(item, LegCommand)),
        notes=tuple(item for item in found if isinstance(item, LegNote)),
    )


def not_filled(trade: Trade) -> LegNote:
    return LegNote(trade=trade, code="order_not_filled", text="the order is still pending")


def amend_levels(
    question: FollowUpQuestion, trade: Trade, stop: Price | None, target: Price | None, text: str
) -> LegCommand | LegNote:
    """Set the levels of an order that is still pending."""
    price = question.order_prices.get(trade.trade_id)
    if price is None:
        return not_filled(trade)
    wrong = wrong_side(trade, price, stop, target)
    if wrong is not None:
        return wrong
    return command(trade, AmendLeg(price=price, stop_loss=stop, take_profit=target), text)


def wrong_side(
    trade: Trade, price: Price, stop: Price | None, target: Price | None
) -> LegNote | None:
    sign = trade.side.sign
    if stop is not None and (price.value - stop.value) * sign <= 0:
        return LegNote(trade=trade, code="stop_wrong_side", text=f"order {price}, stop {stop}")
    if target is not None and (target.value - price.value) * sign <= 0:
        text = f"order {price}, target {target}"
        return LegNote(trade=trade, code="target_wrong_side", text=text)
    return None


def frozen(question: FollowUpQuestion, trade: Trade, now: Price) -> LegNote | None:
    """Where a level is about to be touched, the broker lets nobody change it any more."""
    reach = question.instrument.freeze_level * question.instrument.point
    for level in (trade.stop_loss, trade.take_profit):
        if reach and level is not None and abs(level.value - now.value) <= reach:
            return LegNote(trade=trade, code="frozen", text=f"price {now}, level {level}")
    return None
