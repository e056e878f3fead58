"""What a copy may lose or trade by the user's settings, before anything is rounded."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

from signalfleet.domain.instruments.model import Instrument, Quote, Side
from signalfleet.domain.money import Lots, Price
from signalfleet.domain.risk.refusal import Refusal, refused
from signalfleet.domain.settings.catalogue import Rules
from signalfleet.domain.settings.choices import RiskBase, SizeMode, UseSignalSize

HUNDRED: Final = Decimal(100)
HALF: Final = Decimal("0.5")
RATIO_LOTS: Final = Decimal("0.01")


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """One price at which a part of the copy enters; `entry` is the worst that it may fill at."""

    entry: Price
    share: Decimal = Decimal(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class SizingQuestion:
    """`layers` are the entries wanted, `weights` the shares of each layer's targets.

    Without a stop the size cannot follow from a risk. `rates` are worths of one unit of a currency
    in the account's. `is_half`: the channel asks for half of the usual size. `shared` is what other
    channels' copies of the same idea may lose already.
    """

    balance: Decimal
    equity: Decimal
    currency: str = ""
    instrument: Instrument
    quote: Quote
    side: Side
    layers: tuple[Layer, ...]
    stop: Price | None
    weights: tuple[Decimal, ...] = (Decimal(1),)
    is_half: bool = False
    signal_risk: Decimal | None = None
    signal_lots: Lots | None = None
    rates: Mapping[str, Decimal] = field(default_factory=dict)
    shared: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the settings ask for. `money` is what the loss at the stop may be, caps applied.

    `lots` are exact; `max_lots` are never passed. `asked_money` is before the caps.
    """

    base: Decimal
    asked_money: Decimal
    money: Decimal
    max_money: Decimal
    lots: Decimal
    max_lots: Decimal
    how: str
    rate: str
    caps: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Wish:
    """Money at risk or lots, whichever the size starts from."""

    money: Decimal | None
    lots: Decimal | None
    how: str
    rate: str = ""


def ask_for(question: SizingQuestion, mean_loss: Decimal, rules: Rules) -> Asked | Refusal:
    """Return what is asked for; `mean_loss` is what one lot over all layers loses at the stop."""
    base = _risk_base(question, rules)
    if base <= 0:
        return refused("no_balance", "balance", f"{base:.2f}", "above 0", source="your account")
    wish = _wish(question, base, rules)
    if isinstance(wish, Refusal):
        return wish
    if wish.lots is None and question.stop is None:
        detail = "without a stop the size cannot follow from a risk: use fixed_lots"
        sizes = f"a stop for {rules.size_mode}"
        return refused("no_stop", "stop", "none", sizes, setting="size_mode", detail=detail)
    factor = rules.size_factor * (HALF if question.is_half else 1)
    caps = ["half_size"] if question.is_half else []
    max_money = base * rules.max_risk_percent / HUNDRED
    if wish.lots is None:
        asked = (wish.money or Decimal(0)) * factor
        lots = asked / mean_loss
    else:
        lots = wish.lots * factor
        asked = lots * mean_loss
    money = max_money if wish.lots is not None else min(asked, max_money)
    most = rules.max_lots if wish.lots is None else min(lots, rules.max_lots)
    if asked > max_money:
        lots = max_money / mean_loss
        caps.append("max_risk_percent")
    if lots > rules.max_lots:
        lots = rules.max_lots
        caps.append("max_lots")
    if question.shared > 0:
        left = min(asked, max_money) - question.shared
        if left <= 0:
            detail = f"other channels' trades of this idea risk {question.shared:.2f} already"
            value, limit = f"{question.shared:.2f}", f"{min(asked, max_money):.2f}"
            return refused(
                "risk_shared",
                "risk on this idea",
                value,
                limit,
                setting="cross_channel",
                detail=detail,
            )
        money, lots, most = (
            min(money, left),
            min(lots, left / mean_loss),
            min(most, left / mean_loss),
        )
        caps.append("shared_risk")
    return Asked(
        base=base,
        asked_money=asked,
        money=money,
        max_money=max_money,
        lots=lots,
        max_lots=most,
        how=wish.how + (f", times {factor.normalize():f}" if factor != 1 else ""),
        rate=wish.rate,
        caps=tuple(caps),
    )


def _wish(question: SizingQuestion, base: Decimal, rules: Rules) -> _Wish | Refusal:
    said = rules.use_signal_size
    if said is UseSignalSize.RISK_AND_LOTS and question.signal_lots is not None:
        lots = question.signal_lots
        return _Wish(None, lots.value, f"{lots} lots, said by the signal")
    if said is not UseSignalSize.NEVER and question.signal_risk is not None:
        percent = question.signal_risk
        money = base * percent / HUNDRED
        return _Wish(money, None, f"{percent:f} % of {base:.2f}, said by the signal")
    match rules.size_mode:
        case SizeMode.RISK_PERCENT:
            percent = rules.risk_percent
            how = f"{percent:f} % of {base:.2f} ({rules.risk_base})"
            return _Wish(base * percent / HUNDRED, None, how)
        case SizeMode.RISK_MONEY:
            return _risk_money(question, rules)
        case SizeMode.FIXED_LOTS:
            return _Wish(None, rules.fixed_lots, f"{rules.fixed_lots:f} lots, fixed")
        case SizeMode.BALANCE_RATIO:
            ratio = rules.balance_ratio
            if ratio is None:
                return _not_set("balance_ratio")
            how = f"0.01 lots for each {ratio:f} of {question.balance:.2f}"
            return _Wish(None, max(question.balance, Decimal(0)) / ratio * RATIO_LOTS, how)


def _risk_money(question: SizingQuestion, rules: Rules) -> _Wish | Refusal:
    amount = rules.risk_money
    if amount is None:
        return _not_set("risk_money")
    currency = question.currency
    if amount.currency in ("", currency):
        return _Wish(amount.amount, None, f"{amount.amount:f} {currency} at risk")
    rate = question.rates.get(amount.currency)
    if rate is None:
        pair = f"{amount.currency} to {currency}"
        detail = f"{pair} is not known"
        return refused("no_rate", "rate", pair, "a price", source="your broker", detail=detail)
    shown = f"1 {amount.currency} = {rate:.6f} {currency}"
    return _Wish(amount.amount * rate, None, f"{amount} at risk", shown)


def _not_set(key: str) -> Refusal:
    return refused(
        "size_not_set", key, "none", "a number", setting="size_mode", detail=f"{key} is not set"
    )


def _risk_base(question: SizingQuestion, rules: Rules) -> Decimal:
    match rules.risk_base:
        case RiskBase.BALANCE:
            return question.balance
        case RiskBase.EQUITY:
            return question.equity
        case RiskBase.LOWER:
            return min(question.balance, question.equity)
