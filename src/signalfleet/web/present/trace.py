"""The trace of one message: a row per step, with its distance from Telegram's own time."""

import re
from collections.abc import Sequence
from typing import Final

from signalfleet.domain.trading.records import TraceStep, Trade
from signalfleet.web.present.formats import Times, plain
from signalfleet.web.present.orders import OrderSteps
from signalfleet.web.present.outcomes import MessageFacts, reason_sentence
from signalfleet.web.present.steps import NUM, Cell, StepMaker, StepRow, Table, capital
from signalfleet.web.present.stored import dicts, items
from signalfleet.web.present.words import Words

LEG_NOTE: Final = re.compile(r"leg (\d+): ([a-z_]+) \((.*)\)")
SIZING: Final = (
    "currency",
    "asked_percent",
    "asked_money",
    "got_percent",
    "got_money",
    "loss_per_lot",
    "lots_exact",
    "lots",
)
ASKED: Final = (
    "Asked {asked_percent} % ({asked_money} {currency}), got {got_percent} % "
    "({got_money} {currency})."
)
ROUNDED: Final = (
    "One lot loses {loss_per_lot} {currency} at the stop: {lots_exact} lot, rounded down to {lots}."
)


class TraceReader:
    """Turns stored steps, intents and trades of one message into rows."""

    def __init__(
        self, facts: MessageFacts, trades: Sequence[Trade], times: Times, words: Words
    ) -> None:
        self._facts = facts
        self._trades = trades
        self._words = words
        posted = facts.stored.message.edited_at or facts.stored.message.posted_at
        self._make = StepMaker(posted=posted, times=times, words=words)
        self._accounts = {trade.account for trade in trades} | {
            str(step.facts["account"]) for step in facts.trace if step.facts.get("account")
        }

    def rows(self) -> tuple[StepRow, ...]:
        # That it was decided to copy shows in what was sent.
        told = [step for step in self._facts.trace if not _is_copied(step)]
        rows = [self._stored(step) for step in told]
        if not any(row.stage == "received" for row in rows):
            rows.insert(0, self._arrival())
        return (*rows, *OrderSteps(self._facts, self._trades, self._make).rows())

    def _arrival(self) -> StepRow:
        stored = self._facts.stored
        line = self._words.say("via", stored.via.value)
        return self._make.step("received", stored.received_at, lines=(line,))

    def _stored(self, step: TraceStep) -> StepRow:
        match step.stage:
            case "received":
                via = str(step.facts.get("via", ""))
                return self._make.step("received", step.at, lines=(self._words.say("via", via),))
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
                return self._make.step(step.stage, step.at, lines=lines, tone="quiet")

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
        return self._make.step(
            "read", step.at, lines=tuple(lines), note=notes.get(str(result), ""), tone=tone
        )

    def _checked(self, step: TraceStep) -> StepRow:
        checks = dicts(step.facts.get("checks"))
        failed = [check for check in checks if not check.get("passed")]
        rows = tuple(
            (
                Cell(
                    text="passed" if check.get("passed") else "failed",
                    look="pass" if check.get("passed") else "fail",
                ),
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
        return self._make.step(
            "checked",
            step.at,
            note=self._with_account(note, step),
            table=table,
            tone="fail" if failed else "done",
        )

    def _sized(self, step: TraceStep) -> StepRow:
        facts = step.facts
        shown = {name: plain(facts.get(name)) for name in SIZING}
        lines = [ASKED.format_map(shown), ROUNDED.format_map(shown)]
        if facts.get("how"):
            rate = f" ({plain(facts['rate'])})" if facts.get("rate") else ""
            lines.insert(0, f"Size: {plain(facts['how'])}{rate}.")
        lines += [capital(self._words.say("cap", str(one))) for one in items(facts.get("caps"))]
        lines += _settings(facts.get("values"))
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
        return self._make.step(
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
        return self._make.step("decided", step.at, note=note, lines=lines, tone=tone)

    def _acted(self, step: TraceStep) -> StepRow:
        lines = [capital(str(one.get("text", ""))) for one in dicts(step.facts.get("intents"))]
        lines += [note_line(str(one), self._words) for one in items(step.facts.get("notes"))]
        reason = step.facts.get("reason")
        if isinstance(reason, str) and reason:
            lines.append(self._words.reason(reason))
        action = self._words.say("reading", str(step.facts.get("action", ""))).lower()
        return self._make.step(
            "decided", step.at, note=self._with_account(action, step), lines=tuple(lines)
        )

    def _with_account(self, note: str, step: TraceStep) -> str:
        account = step.facts.get("account")
        if len(self._accounts) < 2 or not account:  # noqa: PLR2004
            return note
        return f"{note}, {account}" if note else str(account)


def _settings(values: object) -> list[str]:
    """Tell the settings that are not the product's, and who set them."""
    if not isinstance(values, dict):
        return []
    return [
        f"{name} = {plain(one.get('value'))}, from {plain(one.get('source'))}."
        for name, one in values.items()
        if isinstance(one, dict)
    ]


def note_line(note: str, words: Words) -> str:
    """Put a leg's note, `leg 2: late_stop (price 5, stop 6)`, into words."""
    found = LEG_NOTE.fullmatch(note)
    if found is None:
        return capital(note)
    leg, code, detail = found.groups()
    return f"Leg {leg}: {words.reason(code).rstrip('.')} ({detail})."


def _is_copied(step: TraceStep) -> bool:
    return step.stage == "decided" and step.facts.get("outcome") == "copied"
