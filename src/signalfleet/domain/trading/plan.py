"""From a signal to the orders of one copy, or the reason against it. Same input, same plan."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from signalfleet.domain import ids
from signalfleet.domain.ids import AccountId, ChannelId, InstallationId, MessageId, SignalId, UserId
from signalfleet.domain.instruments.model import Instrument, Quote
from signalfleet.domain.instruments.pips import default_pip_size
from signalfleet.domain.money import Lots, Price
from signalfleet.domain.risk import checks as guard
from signalfleet.domain.risk.checks import Gatekeeping, OpenCopy
from signalfleet.domain.risk.refusal import Check, Refusal
from signalfleet.domain.risk.sizing import SizingQuestion, SizingReport, size_copy
from signalfleet.domain.settings.resolve import Effective
from signalfleet.domain.signals.model import OrderKind, Signal
from signalfleet.domain.trading.entry import EntryChoice, EntryQuestion, choose_order
from signalfleet.domain.trading.intents import Action, Intent, IntentState, OpenLeg
from signalfleet.domain.trading.records import Trade, TradeState
from signalfleet.domain.trading.reports import AccountFacts


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
    place: Place
    signal: Signal
    effective: Effective
    gate: Gatekeeping
    account: AccountFacts
    instrument: Instrument
    quote: Quote
    copies: Sequence[OpenCopy]


@dataclass(frozen=True, slots=True, kw_only=True)
class TradePlan:
    """What to send. `targets` has one entry per leg; None is a target left open."""

    signal_id: SignalId
    intents: tuple[Intent, ...]
    trades: tuple[Trade, ...]
    targets: tuple[Price | None, ...]
    stop: Price
    choice: EntryChoice
    sizing: SizingReport
    checks: tuple[Check, ...]
    fresh_until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class _Levels:
    stop: Price
    targets: tuple[Price | None, ...]

    @property
    def all(self) -> tuple[Price, ...]:
        return (self.stop, *(target for target in self.targets if target is not None))


def check_before_prices(
    signal: Signal,
    chat: ChannelId,
    gate: Gatekeeping,
    copies: Sequence[OpenCopy],
    effective: Effective,
) -> tuple[Check, ...]:
    """Run every check that needs no price, so that the user sees all reasons at once."""
    symbol = signal.symbol or ""
    return (
        *guard.check_account(gate),
        guard.check_symbol(symbol, effective),
        guard.check_repeat(signal, chat, copies, gate.now, effective),
        guard.check_age(gate, effective),
        guard.check_geometry(signal),
        guard.check_conflict(symbol, signal.side, copies, effective),
        *guard.check_counts(symbol, copies, effective),
    )


def first_failure(checks: Sequence[Check]) -> Refusal | None:
    failed = next((check for check in checks if not check.passed), None)
    if failed is None:
        return None
    detail = f"{failed.name} {failed.value}" + (f", limit {failed.limit}" if failed.limit else "")
    return Refusal(code=failed.code, detail=detail, checks=tuple(checks))


def plan_signal(question: PlanInput) -> TradePlan | Refusal:
    """Decide what to send for a signal; the caller does the sending."""
    before = (
        *check_before_prices(
            question.signal,
            question.place.chat,
            question.gate,
            question.copies,
            question.effective,
        ),
        guard.check_account_kind(question.account.margin_mode),
    )
    refusal = first_failure(before)
    if refusal is not None:
        return refusal
    levels = _levels(question)
    if isinstance(levels, Refusal):
        return _with_checks(levels, before)
    choice = choose_order(
        EntryQuestion(
            side=question.signal.side,
            order=question.signal.order,
            entry=question.signal.entry,
            stop=levels.stop,
            first_target=levels.targets[0] if levels.targets else None,
        ),
        question.quote,
        question.effective.rules,
    )
    if isinstance(choice, Refusal):
        return _with_checks(choice, before)
    return _sized(question, levels, choice, before)


def _sized(
    question: PlanInput, levels: _Levels, choice: EntryChoice, before: tuple[Check, ...]
) -> TradePlan | Refusal:
    priced = (*before, *_priced_checks(question, levels, choice))
    refusal = first_failure(priced)
    if refusal is not None:
        return refusal
    sizing = size_copy(
        SizingQuestion(
            balance=question.account.balance,
            equity=question.account.equity,
            instrument=question.instrument,
            quote=question.quote,
            side=question.signal.side,
            entry=choice.reference,
            stop=levels.stop,
            legs=len(levels.targets),
            is_half=question.signal.size_word == "half",
        ),
        question.effective.rules,
    )
    if isinstance(sizing, Refusal):
        return _with_checks(sizing, priced)
    balance = question.account.balance
    risk = guard.check_open_risk(sizing.got_money, balance, question.copies, question.effective)
    refusal = first_failure((*priced, risk))
    if refusal is not None:
        return refusal
    return _plan(question, levels, choice, sizing, (*priced, risk))


def _levels(question: PlanInput) -> _Levels | Refusal:
    """Turn stated prices and pips into prices on the instrument's ticks."""
    signal, instrument = question.signal, question.instrument
    tick = instrument.tick_size
    pip = instrument.pip_size or default_pip_size(signal.symbol or "")
    reference = _stated_entry(question)
    stop = signal.stop
    if stop is None and signal.stop_pips is not None:
        distance = signal.stop_pips * pip * signal.side.sign
        if distance * signal.side.sign >= reference.value:
            return Refusal(code="stop_distance", detail=f"{signal.stop_pips} pips")
        stop = Price(reference.value - distance)
    if stop is None:
        return Refusal(code="no_stop", detail="the signal names no stop")
    targets = tuple(price.rounded(tick) if price else None for price in signal.targets)
    if not targets and signal.target_pips:
        sign = signal.side.sign
        values = [reference.value + pips * pip * sign for pips in signal.target_pips]
        targets = tuple(Price(value).rounded(tick) for value in values if value > 0)
    if not targets and signal.target_r:
        # The stop lies on the losing side, so the same distance beyond the entry wins.
        risk = reference.value - stop.value
        values = [reference.value + risk * multiple for multiple in signal.target_r]
        targets = tuple(Price(value).rounded(tick) for value in values if value > 0)
    return _Levels(stop=stop.rounded(tick), targets=targets or (None,))


def _stated_entry(question: PlanInput) -> Price:
    entry = question.signal.entry
    if entry is None:
        return question.quote.to_open(question.signal.side)
    return entry.high if question.signal.side.sign > 0 else entry.low


def _priced_checks(question: PlanInput, levels: _Levels, choice: EntryChoice) -> tuple[Check, ...]:
    effective, quote, side = question.effective, question.quote, question.signal.side
    market = quote.to_open(side)
    entry = choice.price or market
    # A position's levels are triggered by the price that closes it.
    touching = choice.price or quote.to_close(side)
    distances = [abs(price.value - touching.value) for price in levels.all]
    if choice.price is not None:
        distances.append(abs(choice.price.value - market.value))
    nearest = min(distances)
    limit = question.instrument.stops_level * question.instrument.point
    return (
        *guard.check_levels(side, (entry, touching), levels.stop, levels.targets),
        guard.check_quote(quote, question.gate.now),
        guard.check_spread(quote, levels.stop, side, effective),
        guard.check_reward(entry, levels.stop, levels.targets[0], effective),
        Check(
            name="distance to the nearest level",
            value=f"{nearest:f}",
            limit=f"{limit:f}",
            source="your broker",
            passed=nearest >= limit,
            code="stops_level",
        ),
    )


def _plan(
    question: PlanInput,
    levels: _Levels,
    choice: EntryChoice,
    sizing: SizingReport,
    checks: tuple[Check, ...],
) -> TradePlan:
    rules = question.effective.rules
    fresh_until = question.gate.posted_at + timedelta(seconds=float(rules.max_signal_age))
    expires_at = None
    if choice.kind is not OrderKind.MARKET:
        expires_at = question.gate.posted_at + timedelta(minutes=float(rules.pending_expiry))
        if question.signal.expires_at is not None:
            expires_at = min(expires_at, question.signal.expires_at)
    legs = [
        _leg(question, levels, choice, number, lots, fresh_until, expires_at)
        for number, lots in enumerate(sizing.legs, start=1)
    ]
    return TradePlan(
        signal_id=question.place.signal_id,
        intents=tuple(intent for intent, _ in legs),
        trades=tuple(trade for _, trade in legs),
        targets=levels.targets[: len(legs)],
        stop=levels.stop,
        choice=choice,
        sizing=sizing,
        checks=checks,
        fresh_until=fresh_until,
    )


def _leg(
    question: PlanInput,
    levels: _Levels,
    choice: EntryChoice,
    number: int,
    lots: Lots,
    fresh_until: datetime,
    expires_at: datetime | None,
) -> tuple[Intent, Trade]:
    place, side = question.place, question.signal.side
    trade_id = ids.trade_id(place.user, place.account, place.signal_id, number)
    client_id = ids.client_id(place.installation, trade_id, "E0")
    magic = ids.magic(place.installation, place.chat)
    target = levels.targets[number - 1]
    price = choice.price.rounded(question.instrument.tick_size) if choice.price else None
    command = OpenLeg(
        symbol=question.instrument.name,
        side=side,
        kind=choice.kind,
        lots=lots,
        price=price,
        stop_loss=levels.stop,
        take_profit=target,
        magic=magic,
        expires_at=expires_at,
    )
    intent = Intent(
        intent_id=ids.intent_id(place.user, place.account, trade_id, Action.OPEN, "entry"),
        account=place.account,
        trade=trade_id,
        cause="entry",
        client_id=client_id,
        command=command,
        state=IntentState.SENDING,
        attempt=1,
        created_at=question.gate.now,
        sending_at=question.gate.now,
        valid_until=fresh_until,
    )
    trade = Trade(
        trade_id=trade_id,
        account=place.account,
        signal=place.signal_id,
        leg=number,
        client_id=client_id,
        magic=magic,
        symbol=question.instrument.name,
        side=side,
        state=TradeState.OPENING,
        volume=lots,
        stop_loss=levels.stop,
        take_profit=target,
    )
    return intent, trade


def _with_checks(refusal: Refusal, checks: tuple[Check, ...]) -> Refusal:
    return Refusal(code=refusal.code, detail=refusal.detail, checks=checks)
