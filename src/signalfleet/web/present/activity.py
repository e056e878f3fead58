"""The audit trail in words."""

from collections.abc import Iterable
from dataclasses import dataclass

from signalfleet.domain.accounts.audit import AuditRow
from signalfleet.web.present.formats import Moment, Times, one_line
from signalfleet.web.present.words import Words


@dataclass(frozen=True, slots=True, kw_only=True)
class ActivityRow:
    number: int
    at: Moment
    who: str
    what: str
    about: str


def activity_rows(rows: Iterable[AuditRow], times: Times, words: Words) -> tuple[ActivityRow, ...]:
    """Return the entries as they came; a word that nobody has explained is shown readable."""
    return tuple(
        ActivityRow(
            number=row.seq,
            at=times.at(row.entry.at),
            who=words.say("actor", row.entry.actor),
            what=words.say("activity", row.entry.action),
            about=_about(row),
        )
        for row in rows
    )


def _about(row: AuditRow) -> str:
    hidden = ("request", "session")
    facts = [f"{name} {value}" for name, value in row.entry.facts.items() if name not in hidden]
    return one_line(", ".join([one for one in (row.entry.about, *facts) if one]))
