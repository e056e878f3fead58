"""The shape of a trace's rows, and what every row needs: the words and the user's times."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from signalfleet.web.present import formats
from signalfleet.web.present.formats import Moment, Times
from signalfleet.web.present.words import Words

NUM: Final = "num"
MONO: Final = "mono"


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
    link: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepMaker:
    """Makes rows whose distance is counted from `posted`, the message's own time."""

    posted: datetime
    times: Times
    words: Words

    def step(
        self,
        stage: str,
        at: datetime | None,
        *,
        tone: str = "done",
        note: str = "",
        lines: tuple[str, ...] = (),
        table: Table | None = None,
        link: str = "",
    ) -> StepRow:
        return StepRow(
            stage=stage,
            title=self.words.say("stage", stage),
            tone=tone,
            since=formats.since(at - self.posted) if at else "",
            at=self.times.at(at) if at else None,
            note=note,
            lines=lines,
            table=table,
            link=link,
        )

    def after(self, moment: datetime | None) -> str:
        return formats.since(moment - self.posted) if moment else formats.NOTHING


def capital(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}"
