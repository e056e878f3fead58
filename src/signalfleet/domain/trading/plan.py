"""From a signal to the orders of one copy, or the reason against it. Same input, same plan."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal

from signalfleet.domain import ids
from signalfleet.domain.ids import AccountId, ChannelId, InstallationId, MessageId, SignalId, UserId
from signalfleet.domain.instruments.model import Instrument, Quote
from signalfleet.domain.money import Price
from signalfleet.domain.risk import checks as guard
from signalfleet.domain.risk import exposure, ideas, moments, standing
from signalfleet.domain.risk.budget import Layer, SizingQuestion
from signalfleet.domain.risk.checks import Gatekeeping, OpenCopy
from signalfleet.domain.risk.refusal import Check, Refusal
from signalfleet.domain.risk.sizing import SizingReport, size_copy
from signalfleet.domain.settings.choices import Conflict, StopsTooClose
from signalfleet.domain.settings.resolve import Effective
from signalfleet.domain.signals.model import OrderKind, Signal
from signalfleet.domain.trading.before_prices import check_before_prices, first_failure
from signalfleet.domain.trading.care import Care, care_of_plan
from signalfleet.domain.trading.drafts import drafts_of, finished
from signalfleet.domain.trading.entry import EntryChoice, EntryQuestion
from signalfleet.domain.trading.intents import Action, Intent, IntentState, OpenLeg
from signalfleet.domain.trading.legs import (
    LegDraft,
    draft_legs,
    room_checks,
    too_many_lots,
    widened_stop,
)
from signalfleet.domain.trading.levels import (
    Levels,
    check_stop_distance,
    find_levels,
    reversed_signal,
    ruler_of,
)
from signalfleet.domain.trading.records import Trade, TradeState
from signalfleet.domain.trading.reports import AccountFacts
from signalfleet.domain.trading.zones import choose_orders


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Whose plan this is and for which message's which signal."""

    user: UserId
    installation: InstallationId
    account: AccountId
    chat: ChannelId
    message: MessageId
    part: int

    @property
    def signal_id(self) -> SignalId:
        return ids.signal_id(self.user, self.chat, self.message, self.part)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanInput:
    """`rates` are worths of one unit of a currency in the account's, where a setting needs one.

    `checked` is what `check_before_prices` said, if it was asked already.
    """

    place: Place
    signal: Signal
    effective: Effective
    gate: Gatekeeping
    account: AccountFacts
    instrument: Instrument
    quote: Quote
    copies: Sequence[OpenCopy]
    rates: Mapping[str, Decimal] = field(default_factory=dict)
    checked: tuple[Check, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TradePlan:
    """What to send. `choices` are the layers, `legs` the orders as they were sized and numbered.

    `settings` is the id of the effective settings that led to it, `shared_with` are messages of
    other channels whose copies share its risk.
    """

    signal_id: SignalId
    intents: tuple[Intent, ...]
    trades: tuple[Trade, ...]
    legs: tuple[LegDraft, ...]
    levels: Levels
    choices: tuple[EntryChoice, ...]
    sizing: SizingReport
    checks: tuple[Check, ...]
    fresh_until: datetime
    effective: Effective
    settings: str
    conflict: Conflict = Conflict.REFUSE_NEW
    shared_with: tuple[str, ...] = ()

    @property
    def stop(self) -> Price | None:
        return self.levels.stop


def plan_signal(question: PlanInput) -> TradePlan | Refusal:
    """Decide what to send for a signal; the caller does the sending."""
    checked = question.checked or check_before_prices(
        question.signal,
        question.place.chat,
        question.gate,
        question.copies,
        question.effective,
    )
    before = (
        *checked,
        guard.check_netting(
            question.signal.symbol or "",
            question.gate,
            question.copies,
            nets=question.account.nets,
        ),
        moments.check_sessions(question.instrument, question.quote, question.gate.now),
    )
    refusal = first_failure(before)
    if refusal is not None:
        return refusal
    rules = question.effective.rules
    levels = find_levels(question.signal, question.instrument, question.quote, question.effective)
    if isinstance(levels, Refusal):
        return levels.after(before, question.effective)
    if rules.reverse:
        question = replace(question, signal=reversed_signal(question.signal))
    choices = choose_orders(
        EntryQuestion(
            side=question.signal.side,
            order=question.signal.order,
            entry=question.signal.entry,
            stop=levels.stop,
            first_target=levels.first,
        ),
        question.quote,
        question.instrument,
        rules,
        layered=not question.account.nets,
    )
    if isinstance(choices, Refusal):
        return choices.after(before, question.effective)
    if rules.stops_too_close is StopsTooClose.WIDEN:
        levels = _widened(question, levels, choices)
    return _sized(question, levels, choices, before)


def _widened(question: PlanInput, levels: Levels, choices: tuple[EntryChoice, ...]) -> Levels:
    """Move a stop that is too close for the broker; the size is worked out only afterwards."""
    if levels.stop is None:
        return levels
    side = question.signal.side
    touching = [choice.price or question.quote.to_close(side) for choice in choices]
    nearest = min(touching, key=lambda price: price.value * side.sign)
    stop = widened_stop(levels.stop, nearest, side, question.instrument, question.quote)
    return replace(levels, stop=stop)


def _sized(
    question: PlanInput,
    levels: Levels,
    choices: tuple[EntryChoice, ...],
    before: tuple[Check, ...],
) -> TradePlan | Refusal:
    priced = (*before, *_priced_checks(question, levels, choices))
    refusal = first_failure(priced)
    if refusal is not None:
        return refusal
    signal, nets = question.signal, question.account.nets
    sizing = size_copy(
        SizingQuestion(
            balance=question.account.balance,
            equity=question.account.equity,
            currency=question.account.currency,
            instrument=question.instrument,
            quote=question.quote,
            side=signal.side,
            layers=tuple(Layer(entry=one.reference, share=one.share) for one in choices),
            stop=levels.stop,
            weights=tuple(target.weight for target in levels.targets),
            is_half=signal.size_word == "half",
            signal_risk=signal.risk_percent,
            signal_lots=signal.lots,
            rates=question.rates,
            shared=sum((copy.risk for copy in _sharing(question)), Decimal(0)),
        ),
        question.effective.rules,
    )
    if isinstance(sizing, Refusal):
        return sizing.after(priced, question.effective)
    if nets and len(sizing.legs) > 1:
        sizing = replace(sizing, caps=(*sizing.caps, "one_position"))
    most = question.instrument.max_lots
    if nets and sizing.lots > most:
        return too_many_lots(sizing.lots, most).after(priced, question.effective)
    balance = question.account.balance
    risk = guard.check_open_risk(sizing.got_money, balance, question.copies, question.effective)
    held = sum((copy.risk for copy in question.copies if copy.is_live), Decimal(0))
    facts, effective = question.gate.facts, question.effective
    worst = standing.check_worst_case(sizing.got_money, held, facts, effective)
    currency = exposure.check_currency_risk(
        signal.symbol or "", signal.side, sizing.got_money, balance, question.copies, effective
    )
    checks = (*priced, risk, currency, *worst)
    return first_failure(checks) or _plan(question, levels, choices, sizing, checks)


def _priced_checks(
    question: PlanInput, levels: Levels, choices: tuple[EntryChoice, ...]
) -> tuple[Check, ...]:
    effective, quote, side = question.effective, question.quote, question.signal.side
    market = quote.to_open(side)
    # A position's levels are triggered by the price that closes it.
    touching = [choice.price or quote.to_close(side) for choice in choices]
    entries = [choice.price or market for choice in choices]
    distances = [abs(level.value - one.value) for level in levels.prices for one in touching]
    distances += [
        abs(choice.price.value - market.value) for choice in choices if choice.price is not None
    ]
    ruler = ruler_of(question.signal, question.instrument, entries[0])
    measured = levels.stop or levels.first
    targets = [target.price for target in levels.targets]
    return (
        *guard.check_levels(side, (*entries, *touching), levels.stop, targets),
        *check_stop_distance(entries[0], levels.stop, ruler, effective),
        guard.check_quote(quote, question.gate.now),
        *([guard.check_spread(quote, measured, side, effective)] if measured else []),
        *(
            [guard.check_reward(entries[0], levels.stop, levels.first, effective)]
            if levels.stop
            else []
        ),
        *room_checks(question.instrument, distances),
    )


def _plan(
    question: PlanInput,
    levels: Levels,
    choices: tuple[EntryChoice, ...],
    sizing: SizingReport,
    checks: tuple[Check, ...],
) -> TradePlan:
    rules = question.effective.rules
    fresh_until = question.gate.posted_at + timedelta(seconds=float(rules.max_signal_age))
    expires_at = question.gate.posted_at + timedelta(minutes=float(rules.pending_expiry))
    if question.signal.expires_at is not None:
        expires_at = min(expires_at, question.signal.expires_at)
    tick = question.instrument.tick_size
    choices = tuple(
        one if one.price is None else replace(one, price=one.price.rounded(tick)) for one in choices
    )
    drafts = draft_legs(sizing.legs, levels.targets, nets=question.account.nets)
    maker = _LegMaker(question, levels, choices, fresh_until, expires_at)
    made = [maker.leg(draft) for draft in drafts]
    return TradePlan(
        signal_id=question.place.signal_id,
        intents=tuple(intent for intent, _ in made),
        trades=tuple(trade for _, trade in made),
        legs=drafts,
        levels=levels,
        choices=choices,
        sizing=sizing,
        checks=checks,
        fresh_until=fresh_until,
        effective=question.effective,
        settings=question.effective.snapshot,
        conflict=rules.conflict,
        shared_with=tuple(f"{one.channel}.{one.message}" for one in _sharing(question)),
    )


def _sharing(question: PlanInput) -> tuple[OpenCopy, ...]:
    place, now = question.place, question.gate.now
    return ideas.sharing(question.signal, place.chat, question.copies, now, question.effective)


_OpenLegDraft = drafts_of(OpenLeg)
_IntentDraft = drafts_of(Intent)
_TradeDraft = drafts_of(Trade)


class _LegMaker:
    """Makes the intent and the trade of each leg of one plan; what they share is made once."""

    def __init__(
        self,
        question: PlanInput,
        levels: Levels,
        choices: tuple[EntryChoice, ...],
        fresh_until: datetime,
        expires_at: datetime,
    ) -> None:
        place = question.place
        self._place, self._levels, self._fresh_until = place, levels, fresh_until
        self._choices = [
            (one, None if one.kind is OrderKind.MARKET else expires_at) for one in choices
        ]
        self._signal_id = place.signal_id
        self._names = ids.CopyNames(place.user, place.account, self._signal_id, Action.OPEN)
        self._magic = ids.magic(place.installation, place.chat)
        self._care = _care(question, levels)
        self._symbol, self._side = question.instrument.name, question.signal.side
        self._now = question.gate.now
        self._sending, self._opening = IntentState.SENDING, TradeState.OPENING

    def leg(self, draft: LegDraft) -> tuple[Intent, Trade]:
        place, names, levels = self._place, self._names, self._levels
        symbol, side, stop = self._symbol, self._side, levels.stop
        choice, expires_at = self._choices[draft.layer]
        trade_id = names.trade(draft.number)
        client_id = ids.client_id(place.installation, trade_id, "E0")
        command = _OpenLegDraft(
            symbol=symbol,
            side=side,
            kind=choice.kind,
            lots=draft.lots,
            price=choice.price,
            stop_loss=stop,
            take_profit=draft.target,
            magic=self._magic,
            expires_at=expires_at,
            worst=choice.worst,
            first_target=levels.first,
            steps=draft.steps,
            care=self._care,
        )
        intent = _IntentDraft(
            intent_id=names.entry(trade_id),
            account=place.account,
            trade=trade_id,
            cause="entry",
            client_id=client_id,
            command=finished(OpenLeg, command),
            state=self._sending,
            attempt=1,
            created_at=self._now,
            valid_until=self._fresh_until,
        )
        trade = _TradeDraft(
            trade_id=trade_id,
            account=place.account,
            signal=self._signal_id,
            leg=draft.number,
            client_id=client_id,
            magic=self._magic,
            symbol=symbol,
            side=side,
            state=self._opening,
            volume=draft.lots,
            stop_loss=stop,
            take_profit=draft.target,
        )
        return finished(Intent, intent), finished(Trade, trade)


def _care(question: PlanInput, levels: Levels) -> Care:
    ruler = ruler_of(question.signal, question.instrument, question.quote.ask)
    return care_of_plan(
        question.effective.rules,
        question.instrument,
        question.quote,
        pip=ruler.pip,
        stop=levels.stop,
        targets=[(target.number, target.price) for target in levels.targets],
    )
