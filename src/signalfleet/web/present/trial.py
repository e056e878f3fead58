"""A channel's probation for its page: where it is, what it did there, and what it lacks."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from signalfleet.app.edit_settings import load_levels
from signalfleet.app.probation import PAPER_BROKER, load_probation, look_at
from signalfleet.domain.errors import DomainError
from signalfleet.domain.risk.probation import Progress, Stage
from signalfleet.domain.settings.resolve import resolve
from signalfleet.ports.store import Channel, CopyMode, UserStore
from signalfleet.web.present.formats import Moment, Times

STAGES: Final[Mapping[Stage, str]] = {
    Stage.PAPER: "On paper",
    Stage.REDUCED: "A part of the size",
    Stage.FULL: "In full",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class StageRow:
    """One change of stage. `at` is when it was."""

    at: Moment
    name: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialShown:
    """`steps` are all changes, the newest first. `can_skip` while the stage holds money back.

    `needs_paper`: the channel is on paper, and there is no paper account yet.
    """

    stage: str
    why: str
    taken: int
    closed: int
    mean: str
    fall: str
    missing: tuple[str, ...]
    steps: tuple[StageRow, ...]
    can_skip: bool
    needs_paper: bool
    share: str


async def trial_of(
    store: UserStore, channel: Channel, times: Times, now: datetime
) -> TrialShown | None:
    """Return what the page shows; None for a channel that was never on probation."""
    if channel.mode in (CopyMode.OFF, CopyMode.APPROVE):
        return None
    try:
        probation = await load_probation(store.settings, channel.chat)
        rules = resolve(await load_levels(store.settings, channel.chat, None)).rules
    except DomainError:
        return None
    if probation is None or not rules.probation:
        return None
    found = await look_at(store, channel.chat, probation, rules, now)
    mean = found.record.expectancy()
    accounts = await store.accounts.list()
    is_on_paper = probation.stage is Stage.PAPER
    return TrialShown(
        stage=STAGES[probation.stage],
        why=probation.why,
        taken=found.record.taken,
        closed=len(found.record.closed),
        mean="" if mean is None else f"{mean:+.2f} R",
        fall="" if mean is None else f"{found.record.drawdown:.2f} R",
        missing=_missing(found),
        steps=tuple(
            StageRow(at=times.at(one.at), name=STAGES[one.stage], why=one.why)
            for one in reversed(probation.steps)
        ),
        can_skip=probation.stage is not Stage.FULL,
        needs_paper=is_on_paper and all(one.broker != PAPER_BROKER for one in accounts),
        share=f"{rules.probation_share * 100:.0f} %",
    )


def _missing(found: Progress) -> tuple[str, ...]:
    return tuple(one[:1].upper() + one[1:] for one in found.missing)
