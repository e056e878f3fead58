"""What was sent for a message's signals and what came of it: orders, answers, fills, ends."""

import re
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Final

from signalfleet.domain.signals.model import OrderKind
from signalfleet.domain.trading.intents import (
    Action,
    AmendLeg,
    CancelLeg,
    CloseLeg,
    Intent,
    IntentState,
    OpenLeg,
    ProtectLeg,
    ReduceLeg,
)
from signalfleet.domain.trading.records import Trade, TradeState
from signalfleet.domain.trading.undone import CAUSE as UNDONE
from signalfleet.web.present import formats
from signalfleet.web.present.formats import NOTHING, plain
from signalfleet.web.present.outcomes import FAILED, MessageFacts
from signalfleet.web.present.steps import MONO, NUM, Cell, StepMaker, StepRow, Table, capital

CAUSE: Final = re.compile(r"msg:(-?\d{1,19}):(\d{1,19}):")
AGAIN: Final = " once more, as an older order came late and took it back"


class OrderSteps:
    """Reads the intents and trades of one message."""

    def __init__(self, facts: MessageFacts, trades: Sequence[Trade], make: StepMaker) -> None:
        self._facts = facts
        own = {signal.signal_id for signal in facts.signals}
        mine = (trade for trade in trades if trade.signal in own)
        self._trades = sorted(mine, key=lambda one: (one.account, one.leg))
        self._by_id = {trade.trade_id: trade for trade in trades}
        self._make = make

    def rows(self) -> list[StepRow]:
        entries = self._facts.entries
        rows = [*self._sent(entries), *self._answered(entries), *self._filled()]
        own = {trade.trade_id for trade in self._trades}
        follow_ups = [one for one in self._facts.intents if one.action is not Action.OPEN]
        asked = [one for one in self._facts.asked if one.trade not in own]
        later = [
            *self._commands(follow_ups, "followed"),
            *self._commands(asked, "answered"),
            *self._closed(),
        ]
        return rows + sorted(later, key=lambda row: row.at.utc if row.at else "")

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
        return [self._make.step("sent", at, note=note, table=table)]

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
        return [self._make.step("answered", max(settled, default=None), table=table, tone=tone)]

    def _answer_row(self, intent: Intent) -> tuple[Cell, ...]:
        leg = self._by_id.get(intent.trade)
        after = self._make.after(intent.settled_at)
        return (
            Cell(text=str(leg.leg) if leg else NOTHING),
            Cell(text=self._make.words.say("intent", intent.state.value)),
            Cell(text=self._settled_by(intent)),
            Cell(text=plain(intent.position_id or intent.order_id)),
            Cell(text=after),
        )

    def _settled_by(self, intent: Intent) -> str:
        if intent.reason:
            return self._make.words.reason(intent.reason)
        evidence = (intent.evidence or "").removeprefix("reply ")
        return self._make.words.say("broker", evidence) if evidence else NOTHING

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
                Cell(text=self._make.after(trade.opened_at)),
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
        return [self._make.step("filled", at, table=table)]

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

    def _commands(self, intents: Sequence[Intent], stage: str) -> list[StepRow]:
        """Tell what became of commands on open trades, one line each."""
        rows = []
        for intent in intents:
            failed = intent.state in FAILED
            rows.append(
                self._make.step(
                    stage,
                    intent.settled_at or intent.created_at,
                    lines=(self._command(intent),),
                    tone="fail" if failed else "done" if intent.settled_at else "wait",
                    link=self._asked_by(intent),
                )
            )
        return joined(rows)

    def _command(self, intent: Intent) -> str:
        trade = self._by_id.get(intent.trade)
        is_own = trade is not None and trade in self._trades
        leg = f"Leg {trade.leg}" if trade else "A leg"
        which = leg if is_own or trade is None else f"{leg} of {trade.symbol}"
        state = self._make.words.say("intent", intent.state.value).lower()
        why = f" ({self._settled_by(intent)})" if intent.state in FAILED else ""
        return f"{which}, {command_line(intent)}: {state}{why}."

    def _asked_by(self, intent: Intent) -> str:
        """Return the address of the message that asked for it, unless it is this one."""
        found = CAUSE.match(intent.cause)
        own = self._facts.stored.message
        if found is None or (int(found[1]), int(found[2])) == (own.channel, own.message):
            return ""
        return f"/signals/{found[1]}/{found[2]}"

    def _closed(self) -> list[StepRow]:
        closed = [one for one in self._trades if one.state is TradeState.CLOSED]
        if not closed:
            return []
        rows = tuple(self._close_row(trade) for trade in closed)
        table = Table(
            head=("Leg", "Price", "By", "Result", "At"), rows=rows, looks=("", NUM, "", NUM, NUM)
        )
        at = max((one.closed_at for one in closed if one.closed_at), default=None)
        everything = all(not one.state.is_live for one in self._trades)
        note = "all legs" if everything else f"{len(closed)} of {len(self._trades)} legs"
        return [self._make.step("closed", at, note=note, table=table)]

    def _close_row(self, trade: Trade) -> tuple[Cell, ...]:
        why = self._make.words.say("close_reason", trade.close_reason or "")
        at = self._make.times.at(trade.closed_at).shown if trade.closed_at else NOTHING
        result = net(trade)
        return (
            Cell(text=str(trade.leg)),
            Cell(text=plain(trade.close_price)),
            Cell(text=capital(why)),
            Cell(text=formats.signed(result), look=formats.tone(result)),
            Cell(text=at),
        )


def net(trade: Trade) -> Decimal | None:
    """Return what a closed trade brought with its costs; None while the broker says nothing."""
    if trade.profit is None:
        return None
    return trade.profit + (trade.swap or Decimal(0)) + (trade.commission or Decimal(0))


def command_line(intent: Intent) -> str:
    """Say a later command in a few words."""
    again = AGAIN if intent.cause.startswith(UNDONE) else ""
    match intent.command:
        case ProtectLeg(stop_loss=stop, take_profit=target):
            return f"stop to {plain(stop)}, target {plain(target)}{again}"
        case ReduceLeg(remaining=remaining):
            return f"close all but {remaining} lot"
        case AmendLeg(price=price):
            return f"move the order to {price}{again}"
        case CloseLeg(position_id=str(extra)):
            return f"close the second position {extra}"
        case CancelLeg(order_id=str(extra)):
            return f"cancel the second order {extra}"
        case _:
            words = {Action.CLOSE: "close", Action.CANCEL: "cancel the order"}
            return words.get(intent.action, intent.action.value.lower())


def joined(rows: Iterable[StepRow]) -> list[StepRow]:
    """Put follow-ups of the same moment into one row."""
    found: list[StepRow] = []
    for row in sorted(rows, key=lambda one: one.at.utc if one.at else ""):
        last = found[-1] if found else None
        alike = last is not None and (last.tone, last.link) == (row.tone, row.link)
        if last is not None and alike and last.at == row.at:
            found[-1] = StepRow(
                stage=row.stage,
                title=row.title,
                tone=row.tone,
                since=last.since,
                at=last.at,
                lines=(*last.lines, *row.lines),
                link=last.link or row.link,
            )
        else:
            found.append(row)
    return found
