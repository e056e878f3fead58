"""Put decisions into trace steps: plain values that a page can show."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from signalfleet.domain.accounts.asks import Ask
from signalfleet.domain.ids import AccountId, MessageId
from signalfleet.domain.money import Price
from signalfleet.domain.risk.refusal import Check
from signalfleet.domain.signals.describe import describe, kind_of
from signalfleet.domain.signals.model import (
    Ambiguous,
    FollowUp,
    NotASignal,
    Parsed,
    ParseResult,
    Reading,
    Signal,
)
from signalfleet.domain.trading.intents import Intent, OpenLeg
from signalfleet.domain.trading.legs import LEGS_A_LAYER
from signalfleet.domain.trading.plan import TradePlan
from signalfleet.domain.trading.records import TraceStep
from signalfleet.ports.inbox import StoredMessage


def received(stored: StoredMessage) -> TraceStep:
    posted = stored.message.edited_at or stored.message.posted_at
    return TraceStep(
        stage="received",
        at=stored.received_at,
        facts={
            "via": stored.via.value,
            "posted_at": posted.isoformat(),
            "received_at": stored.received_at.isoformat(),
            "delay_s": f"{(stored.received_at - posted).total_seconds():.3f}",
        },
    )


def read(
    result: ParseResult, at: datetime, *, versions: tuple[str, int] | None = None
) -> TraceStep:
    """Tell how a message was read; `versions` are the parser's and the channel profile's."""
    facts = _result(result)
    if versions is not None:
        facts |= {"parser": versions[0], "profile": versions[1]}
    return TraceStep(stage="read", at=at, facts=facts)


def awaited(message: MessageId, words: Sequence[str], at: datetime) -> TraceStep:
    """Tell which later message decided about a call without levels, and what it brought."""
    return TraceStep(stage="awaited", at=at, facts={"message": message, "levels": "; ".join(words)})


def answered(ask: Ask, at: datetime) -> TraceStep:
    """Tell what the user answered to the question about a signal, and after how long."""
    waited = (ask.answered_at or at) - ask.asked_at
    facts = {
        "answer": ask.answer.value if ask.answer is not None else "",
        "why": ask.why,
        "after_s": f"{waited.total_seconds():.1f}",
    }
    return TraceStep(stage="asked", at=at, facts=facts)


def _result(result: ParseResult) -> dict[str, object]:
    match result:
        case Parsed(readings=readings):
            shown = [_reading(reading) for reading in readings]
            return {"result": "parsed", "reasons": [], "readings": shown}
        case NotASignal(reasons=reasons):
            codes = [reason.value for reason in reasons]
            return {"result": "not_a_signal", "reasons": codes, "readings": []}
        case Ambiguous(reasons=doubts, candidates=candidates):
            codes = [doubt.value for doubt in doubts]
            shown = [_reading(reading) for reading in candidates]
            return {"result": "ambiguous", "reasons": codes, "readings": shown}


def _reading(reading: Reading) -> dict[str, object]:
    shown: dict[str, object] = {
        "kind": kind_of(reading),
        "text": describe(reading),
        "spans": [
            {"field": span.field, "start": span.start, "end": span.end} for span in reading.spans
        ],
        "confidence": None,
        "issues": [],
    }
    if isinstance(reading, Signal | FollowUp):
        shown["confidence"] = reading.confidence
        shown["issues"] = [issue.value for issue in reading.issues]
    return shown


def checked(
    account: AccountId | None, part: int, checks: Sequence[Check], at: datetime
) -> TraceStep:
    rows = [
        {
            "name": check.name,
            "value": check.value,
            "limit": check.limit,
            "source": check.source,
            "passed": check.passed,
            "code": check.code,
        }
        for check in checks
    ]
    facts = {"account": account, "part": part, "checks": rows}
    return TraceStep(stage="checked", at=at, facts=facts)


def sizing_facts(plan: TradePlan, currency: str) -> dict[str, object]:
    sizing, targets = plan.sizing, plan.levels.targets
    return {
        "currency": currency,
        "asked_percent": _figure(sizing.asked_percent),
        "asked_money": _figure(sizing.asked_money),
        "got_percent": _figure(sizing.got_percent),
        "got_money": _figure(sizing.got_money),
        "loss_per_lot": _figure(sizing.loss_per_lot),
        "lots_exact": f"{sizing.lots_exact:.4f}",
        "lots": str(sizing.lots),
        "legs": [
            {
                "leg": one.layer * LEGS_A_LAYER + targets[one.slot].number,
                "lots": str(one.lots),
                "target": _price(targets[one.slot].price),
            }
            for one in sizing.legs
        ],
        "caps": list(sizing.caps),
        "how": sizing.how,
        "rate": sizing.rate,
        "rounding": f"{sizing.rounding:.4f}",
        "stop": _price(plan.stop),
        "stop_from": plan.levels.stop_from,
        "targets_from": plan.levels.targets_from,
        "side": plan.trades[0].side.value,
        "settings": plan.settings,
        "shared_with": list(plan.shared_with),
    }


def sized(account: AccountId, part: int, plan: TradePlan, currency: str, at: datetime) -> TraceStep:
    """Tell the size, and every setting that is not the product's with the level that set it."""
    values = {
        key: {"value": value, "source": plan.effective.say_source(key)}
        for key, value in plan.effective.changed.items()
    }
    facts = {"account": account, "part": part, **sizing_facts(plan, currency), "values": values}
    return TraceStep(stage="sized", at=at, facts=facts)


def planned(account: AccountId, part: int, plan: TradePlan, at: datetime) -> TraceStep:
    return TraceStep(
        stage="decided",
        at=at,
        facts={
            "account": account,
            "part": part,
            "signal": plan.signal_id,
            "outcome": "copied",
            "reason": None,
            "legs": [
                _leg(draft.number, intent)
                for draft, intent in zip(plan.legs, plan.intents, strict=True)
            ],
        },
    )


def skipped(
    account: AccountId | None, part: int, reason: str, detail: str, at: datetime
) -> TraceStep:
    facts: dict[str, object] = {
        "account": account,
        "part": part,
        "signal": None,
        "outcome": "skipped",
        "reason": reason,
        "detail": detail,
        "legs": [],
    }
    return TraceStep(stage="decided", at=at, facts=facts)


def followed(
    account: AccountId | None,
    action: str,
    reason: str | None,
    intents: Sequence[tuple[Intent, str]],
    notes: Sequence[str],
    at: datetime,
) -> TraceStep:
    rows = [
        {
            "intent": intent.intent_id,
            "trade": intent.trade,
            "action": intent.action.value,
            "text": text,
        }
        for intent, text in intents
    ]
    facts = {
        "account": account,
        "action": action,
        "reason": reason,
        "intents": rows,
        "notes": list(notes),
    }
    return TraceStep(stage="followed", at=at, facts=facts)


def _leg(number: int, intent: Intent) -> dict[str, object]:
    command = intent.command
    if not isinstance(command, OpenLeg):
        return {"leg": number}
    return {
        "leg": number,
        "trade": intent.trade,
        "client_id": intent.client_id,
        "kind": command.kind.value,
        "symbol": command.symbol,
        "side": command.side.value,
        "lots": str(command.lots),
        "price": str(command.price) if command.price else None,
        "stop_loss": str(command.stop_loss) if command.stop_loss else None,
        "take_profit": str(command.take_profit) if command.take_profit else None,
    }


def _price(price: Price | None) -> str | None:
    return None if price is None else str(price)


def _figure(value: Decimal) -> str:
    return f"{value:.2f}"
