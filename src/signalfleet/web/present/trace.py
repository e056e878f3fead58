"""The trace of one message: a row per step, with its distance from Telegram's own time."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from signalfleet.domain.signals.model import OrderKind
from signalfleet.domain.trading.intents import (
    Action,
    AmendLeg,
    Intent,
    IntentState,
    OpenLeg,
    ProtectLeg,
    ReduceLeg,
)
from signalfleet.domain.trading.records import Trade, TraceStep, TradeState
from signalfleet.web.present import formats
from signalfleet.web.present.formats import NOTHING, Moment, Times, plain
from signalfleet.web.present.outcomes import MessageFacts, reason_sentence
from signalfleet.web.present.words import Words

NUM: Final = "num"
MONO: Final = "mono"
FAILED: Final = frozenset({IntentState.REJECTED, IntentState.EXPIRED, IntentState.CANCELLED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    text: str
    look: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A small table inside a step; `looks` says per column how its cells are set."""

    head: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    looks: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StepRow:
    """One step. `tone`: done, fail, wait or quiet."""

    stage: str
    title: str
    tone: str
    since: str = ""
    at: Moment | None = None
    note: str = ""
    lines: tuple[str, ...] = ()
    table: Table | None = None


class TraceReader:
    """Turns stored steps, intents and trades of one message into rows."""

    def __init__(self, facts: MessageFacts, trades: Sequence[Trade], times: Times, words: Words):
        self._facts = facts
        self._trades = sorted(trades, key=lambda one: (one.account, one.leg))
        self._by_id = {trade.trade_id: trade for trade in trades}
        self._times = times
        self._words = words
        self._posted = facts.stored.message.edited_at or facts.stored.message.posted_at
        self._accounts = {trade.account for trade in trades} | {
            str(step.facts["account"]) for step in facts.trace if step.facts.get("account")
        }

    def rows(self) -> tuple[StepRow, ...]:
        rows = [self._stored(step) for step in self._facts.trace]
        if not any(row.stage == "received" for row in rows):
            rows.insert(0, self._arrival())
        entries = [one for one in self._facts.intents if one.action is Action.OPEN]
        rows += self._sent(entries)
        rows += self._answered(entries)
        rows += self._filled()
        rows += self._follow_ups()
        rows += self._closed()
        return tuple(rows)

    def _step(self, stage: str, at: datetime | None, **more: Any) -> StepRow:
        return StepRow(
            stage=stage,
            title=self._words.say("stage", stage),
            since=formats.since(at - self._posted) if at else "",
            at=self._times.at(at) if at else None,
            **{"tone": "done", **more},
        )

    def _arrival(self) -> StepRow:
        stored = self._facts.stored
        line = self._words.say("via", stored.via.value)
        return self._step("received", stored.received_at, lines=(line,))

    def _stored(self, step: TraceStep) -> StepRow:
        match step.stage:
            case "received":
                via = str(step.facts.get("via", ""))
                return self._step("received", step.at, lines=(self._words.say("via", via),))
            case "read":
                return self._read(step)
            case "checked":
                return self._checked(step)
            case "sized":
                return self._sized(step)
            case "decided":
                return self._decided(step)
            case "followed":
                return self._acted(step)
            case _:
                lines = tuple(f"{key}: {plain(value)}" for key, value in step.facts.items())
                return self._step(step.stage, step.at, lines=lines, tone="quiet")

    def _read(self, step: TraceStep) -> StepRow:
        lines = []
        for reading in dicts(step.facts.get("readings")):
            text = str(reading.get("text", ""))
            sure = reading.get("confidence")
            percent = f" ({sure} % sure)" if isinstance(sure, int) else ""
            lines.append(f"{text[:1].upper()}{text[1:]}{percent}")
            lines += [self._words.reason(str(one)) for one in items(reading.get("issues"))]
        lines += [self._words.reason(str(one)) for one in items(step.facts.get("reasons"))]
        result = step.facts.get("result")
        notes = {"not_a_signal": "no instruction", "ambiguous": "not sure"}
        tone = {"parsed": "done", "ambiguous": "fail"}.get(str(result), "quiet")
        return self._step(
            "read", step.at, lines=tuple(lines), note=notes.get(str(result), ""), tone=tone
        )

    def _checked(self, step: TraceStep) -> StepRow:
        checks = dicts(step.facts.get("checks"))
        failed = [check for check in checks if not check.get("passed")]
        rows = tuple(
            (
                Cell(text="passed" if check.get("passed") else "failed",
                     look="pass" if check.get("passed") else "fail"),
                Cell(text=capital(plain(check.get("name")))),
                Cell(text=plain(check.get("value"))),
                Cell(text=plain(check.get("limit"))),
                Cell(text=plain(check.get("source"))),
            )
            for check in checks
        )
        passed = len(checks) - len(failed)
        note = f"{passed} of {len(checks)} passed" if checks else ""
        head = ("Result", "Rule", "Value", "Limit", "Set by")
        table = Table(head=head, rows=rows, looks=("", "", NUM, NUM, "muted")) if rows else None
        return self._step(
            "checked",
            step.at,
            note=self._with_account(note, step),
            table=table,
            tone="fail" if failed else "done",
        )

    def _sized(self, step: TraceStep) -> StepRow:
        facts = step.facts
        money = plain(facts.get("currency"))
        lines = [
            f"Asked {plain(facts.get('asked_percent'))} % ({plain(facts.get('asked_money'))}"
            f" {money}), got {plain(facts.get('got_percent'))} %"
            f" ({plain(facts.get('got_money'))} {money}).",
            f"One lot loses {plain(facts.get('loss_per_lot'))} {money} at the stop:"
            f" {plain(facts.get('lots_exact'))} lot, rounded down to {plain(facts.get('lots'))}.",
        ]
        lines += [capital(self._words.say("cap", str(one))) for one in items(facts.get("caps"))]
        rows = tuple(
            (
                Cell(text=plain(leg.get("leg"))),
                Cell(text=plain(leg.get("lots"))),
                Cell(text=plain(leg.get("target") or "open")),
            )
            for leg in dicts(facts.get("legs"))
        )
        table = Table(head=("Leg", "Volume", "T / P"), rows=rows, looks=("", NUM, NUM))
        note = self._with_account(f"{plain(facts.get('lots'))} lot", step)
        return self._step(
            "sized", step.at, note=note, lines=tuple(lines), table=table if rows else None
        )

    def _decided(self, step: TraceStep) -> StepRow:
        outcome = str(step.facts.get("outcome", ""))
        reason = step.facts.get("reason")
        lines: tuple[str, ...] = ()
        if isinstance(reason, str) and reason:
            lines = (reason_sentence(reason, self._facts.trace, self._words),)
        tone = {"copied": "done", "held": "wait"}.get(outcome, "fail")
        note = self._with_account(self._words.say("outcome", outcome).lower(), step)
        return self._step("decided", step.at, note=note, lines=lines, tone=tone)

    def _acted(self, step: TraceStep) -> StepRow:
        lines = [capital(str(one.get("text", ""))) for one in dicts(step.facts.get("intents"))]
        lines += [capital(str(one)) for one in items(step.facts.get("notes"))]
        reason = step.facts.get("reason")
        if isinstance(reason, str) and reason:
            lines.append(self._words.reason(reason))
        action = self._words.say("reading", str(step.facts.get("action", ""))).lower()
        return self._step(
            "followed", step.at, note=self._with_account(action, step), lines=tuple(lines)
        )

    def _with_account(self, note: str, step: TraceStep) -> str:
        account = step.facts.get("account")
        if len(self._accounts) < 2 or not account:  # noqa: PLR2004
            return note
        return f"{note}, {account}" if note else str(account)

    def _sent(self, entries: Sequence[Intent]) -> list[StepRow]:
        sent = [one for one in entries if one.sending_at is not None]
        rows = tuple(self._sent_row(one) for one in sent)
        if not rows:
            return []
        at = min(one.sending_at for one in sent if one.sending_at)
        table = Table(
            head=("Leg", "Order", "Price", "S / L", "T / P", "Client id"),
            rows=rows,
            looks=("", "", NUM, NUM, NUM, MONO),
        )
        note = "1 order, once" if len(rows) == 1 else f"{len(rows)} orders, each once"
        return [self._step("sent", at, note=note, table=table)]

    def _sent_row(self, intent: Intent) -> tuple[Cell, ...]:
        leg = self._by_id.get(intent.trade)
        command = intent.command
        if not isinstance(command, OpenLeg):
            return (Cell(text=NOTHING),) * 6
        at_market = command.kind is OrderKind.MARKET
        kind = "" if at_market else f" {command.kind.value}"
        return (
            Cell(text=str(leg.leg) if leg else NOTHING),
            Cell(text=f"{command.side.value.upper()}{kind} {command.lots} {command.symbol}"),
            Cell(text="market" if at_market or not command.price else str(command.price)),
            Cell(text=plain(command.stop_loss)),
            Cell(text=plain(command.take_profit)),
            Cell(text=intent.client_id),
        )

    def _answered(self, entries: Sequence[Intent]) -> list[StepRow]:
        known = [one for one in entries if one.state is not IntentState.HELD]
        if not known:
            return []
        rows = tuple(self._answer_row(one) for one in known)
        settled = [one.settled_at for one in known if one.settled_at]
        states = {one.state for one in known}
        waiting = states & {IntentState.UNKNOWN, IntentState.SENDING}
        tone = "wait" if waiting else "fail" if states & FAILED else "done"
        table = Table(
            head=("Leg", "Answer", "In words", "Ticket", "After"),
            rows=rows,
            looks=("", "", "", MONO, NUM),
        )
        return [self._step("answered", max(settled, default=None), table=table, tone=tone)]

    def _answer_row(self, intent: Intent) -> tuple[Cell, ...]:
        leg = self._by_id.get(intent.trade)
        after = formats.since(intent.settled_at - self._posted) if intent.settled_at else NOTHING
        return (
            Cell(text=str(leg.leg) if leg else NOTHING),
            Cell(text=self._words.say("intent", intent.state.value)),
            Cell(text=self._settled_by(intent)),
            Cell(text=plain(intent.position_id or intent.order_id)),
            Cell(text=after),
        )

    def _settled_by(self, intent: Intent) -> str:
        if intent.reason:
            return self._words.reason(intent.reason)
        evidence = (intent.evidence or "").removeprefix("reply ")
        return self._words.say("broker", evidence) if evidence else NOTHING

    def _filled(self) -> list[StepRow]:
        filled = [one for one in self._trades if one.opened_at and one.open_price]
        if not filled:
            return []
        rows = tuple(
            (
                Cell(text=str(trade.leg)),
                Cell(text=f"{trade.volume} {trade.symbol}"),
                Cell(text=plain(trade.open_price)),
                Cell(text=self._slippage(trade)),
                Cell(text=formats.since(trade.opened_at - self._posted)),
            )
            for trade in filled
            if trade.opened_at
        )
        table = Table(
            head=("Leg", "Volume", "Price", "Against the entry", "After"),
            rows=rows,
            looks=("", NUM, NUM, NUM, NUM),
        )
        at = max(one.opened_at for one in filled if one.opened_at)
        return [self._step("filled", at, table=table)]

    def _slippage(self, trade: Trade) -> str:
        """Say how much worse (+) or better (-) the fill was than the signal's entry."""
        signal = next((one for one in self._facts.signals if one.signal_id == trade.signal), None)
        if signal is None or signal.reading.entry is None or trade.open_price is None:
            return NOTHING
        entry = signal.reading.entry
        near = entry.high if trade.side.sign > 0 else entry.low
        worse = (trade.open_price.value - near.value) * trade.side.sign
        words = "worse" if worse > 0 else "better" if worse < 0 else "exact"
        return words if not worse else f"{abs(worse):f} {words}"

    def _follow_ups(self) -> list[StepRow]:
        rows = []
        for intent in self._facts.intents:
            if intent.action is Action.OPEN:
                continue
            leg = self._by_id.get(intent.trade)
            state = self._words.say("intent", intent.state.value).lower()
            line = capital(command_line(intent))
            at_leg = f"Leg {leg.leg}: " if leg else ""
            why = f" ({self._settled_by(intent)})" if intent.state in FAILED else ""
            tone = "fail" if intent.state in FAILED else "done" if intent.settled_at else "wait"
            rows.append(
                self._step(
                    "followed",
                    intent.settled_at or intent.created_at,
                    lines=(f"{at_leg}{line}: {state}{why}.",),
                    tone=tone,
                )
            )
        return joined(rows)

    def _closed(self) -> list[StepRow]:
        closed = [one for one in self._trades if one.state is TradeState.CLOSED]
        if not closed:
            return []
        rows = tuple(
            (
                Cell(text=str(trade.leg)),
                Cell(text=plain(trade.close_price)),
                Cell(text=capital(self._words.say("close_reason", trade.close_reason or ""))),
                Cell(text=formats.signed(net(trade)), look=formats.tone(net(trade))),
                Cell(text=self._times.at(trade.closed_at).shown if trade.closed_at else NOTHING),
            )
            for trade in closed
        )
        table = Table(
            head=("Leg", "Price", "By", "Result", "At"), rows=rows, looks=("", NUM, "", NUM, NUM)
        )
        at = max((one.closed_at for one in closed if one.closed_at), default=None)
        everything = all(not one.state.is_live for one in self._trades)
        note = "all legs" if everything else f"{len(closed)} of {len(self._trades)} legs"
        return [self._step("closed", at, note=note, table=table)]


def net(trade: Trade) -> Any:
    """Return what a closed trade brought with its costs; None while the broker says nothing."""
    if trade.profit is None:
        return None
    return trade.profit + (trade.swap or 0) + (trade.commission or 0)


def command_line(intent: Intent) -> str:
    """Say a later command in a few words."""
    match intent.command:
        case ProtectLeg(stop_loss=stop, take_profit=target):
            return f"stop to {plain(stop)}, target {plain(target)}"
        case ReduceLeg(remaining=remaining):
            return f"close all but {remaining} lot"
        case AmendLeg(price=price):
            return f"move the order to {price}"
        case _:
            words = {Action.CLOSE: "close", Action.CANCEL: "cancel the order"}
            return words.get(intent.action, intent.action.value.lower())


def joined(rows: Iterable[StepRow]) -> list[StepRow]:
    """Put follow-ups of the same moment into one row."""
    found: list[StepRow] = []
    for row in sorted(rows, key=lambda one: one.at.utc if one.at else ""):
        last = found[-1] if found else None
        if last is not None and (last.at, last.tone) == (row.at, row.tone):
            found[-1] = StepRow(
                stage=row.stage,
                title=row.title,
                tone=row.tone,
                since=last.since,
                at=last.at,
                lines=(*last.lines, *row.lines),
            )
        else:
            found.append(row)
    return found


def capital(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}"


def dicts(value: object) -> list[Mapping[str, Any]]:
    """Return the mappings of a stored list; a trace written by another version may differ."""
    return [one for one in items(value) if isinstance(one, Mapping)]


def items(value: object) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else []
