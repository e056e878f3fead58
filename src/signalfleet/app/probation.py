"""Keep each channel's probation: where it is, what it has done since, and moves between stages."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final

import structlog

from signalfleet.domain.errors import DomainError
from signalfleet.domain.ids import AccountId, ChannelId, SignalId
from signalfleet.domain.risk.probation import (
    SKIPPED,
    SWITCHED_OFF,
    UNREADABLE,
    ChannelRecord,
    Probation,
    Progress,
    Stage,
    closed_of,
    progress_of,
)
from signalfleet.domain.settings.catalogue import Rules
from signalfleet.domain.trading.records import Copy, CopyOutcome, Trade, TradeState
from signalfleet.ports.errors import ConflictError, RefusedError
from signalfleet.ports.store import SettingsDocs, UserStore

log = structlog.get_logger()

ATTEMPTS: Final = 5
LOOKED_AT: Final = 400
"""How many of a channel's newest signals are counted; more than any stage needs."""
PAPER_BROKER: Final = "paper"
NOT_TAKEN: Final = frozenset({CopyOutcome.SKIPPED, CopyOutcome.EXPIRED, CopyOutcome.REJECTED})


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelStage:
    """`probation` None: the channel was chosen before there was one, or it was never begun."""

    stage: Stage
    probation: Probation | None = None
    why: str = ""


def scope_of(chat: ChannelId) -> str:
    return f"probation:{chat}"


async def stage_of(settings: SettingsDocs, chat: ChannelId, rules: Rules) -> ChannelStage:
    """Return the stage that counts now. What cannot be read keeps the channel on paper."""
    if not rules.probation:
        return ChannelStage(stage=Stage.FULL, why=SWITCHED_OFF)
    try:
        probation = await load_probation(settings, chat)
    except DomainError:
        log.exception("probation_unreadable", chat=chat)
        return ChannelStage(stage=Stage.PAPER, why=UNREADABLE)
    if probation is None:
        return ChannelStage(stage=Stage.FULL)
    return ChannelStage(stage=probation.stage, probation=probation, why=probation.why)


async def load_probation(settings: SettingsDocs, chat: ChannelId) -> Probation | None:
    """Return what is stored; DomainError if it cannot be read."""
    doc, version = await settings.get(scope_of(chat))
    return Probation.of_document(doc) if version else None


async def begin_probation(settings: SettingsDocs, chat: ChannelId, now: datetime) -> None:
    """Put a channel that is chosen for the first time on paper; one that was known stays."""
    _, version = await settings.get(scope_of(chat))
    if not version:
        await settings.put(scope_of(chat), Probation.begun(now).document(), 0)


async def skip_probation(store: UserStore, chat: ChannelId, now: datetime) -> None:
    """Let a channel trade in full, as its user asked."""
    await _require(store, chat)
    await _change(store.settings, chat, lambda one: _moved(one, Stage.FULL, SKIPPED, now))


async def restart_probation(store: UserStore, chat: ChannelId, now: datetime) -> None:
    """Put a channel back on paper; what it did before counts no more."""
    await _require(store, chat)
    why = "you put it back on paper"
    await _change(store.settings, chat, lambda one: _moved(one, Stage.PAPER, why, now))


async def step_back(
    settings: SettingsDocs, chat: ChannelId, why: str, now: datetime
) -> Probation | None:
    """Take a channel one stage back; None if it is on paper already, or was never on probation."""

    def back(one: Probation | None) -> Probation | None:
        if one is None or one.stage is Stage.PAPER:
            return None
        return one.moved(one.stage.before, why, now)

    return await _change(settings, chat, back)


async def look_at(
    store: UserStore, chat: ChannelId, probation: Probation, rules: Rules, now: datetime
) -> Progress:
    """Count what the channel did in its stage, and say what follows from it."""
    record = await _record(store, chat, probation)
    return progress_of(probation, record, rules, now)


async def go_on(store: UserStore, chat: ChannelId, rules: Rules, now: datetime) -> Probation | None:
    """Move the channel up or back if it is time; return its new place, None if it stays."""
    probation = await load_probation(store.settings, chat)
    if probation is None or not rules.probation:
        return None
    found = await look_at(store, chat, probation, rules, now)
    if found.next is None:
        return None
    stage, why = found.next, found.why

    def move(one: Probation | None) -> Probation | None:
        is_same = one is not None and (one.stage, one.since) == (probation.stage, probation.since)
        return one.moved(stage, why, now) if one is not None and is_same else None

    moved = await _change(store.settings, chat, move)
    if moved is not None:
        log.info("probation_moved", chat=chat, stage=stage.value)
    return moved


async def _record(store: UserStore, chat: ChannelId, probation: Probation) -> ChannelRecord:
    accounts = {one.account_id: one.broker for one in await store.accounts.list()}
    on_paper = probation.stage is Stage.PAPER
    recent = await store.journal.recent_signals(chat, LOOKED_AT)
    signals = [one.signal_id for one in recent if one.decided_at >= probation.since]
    copies = [
        copy
        for copy in await store.journal.copies_of_signals(signals)
        if copy.outcome not in NOT_TAKEN
        and (accounts.get(copy.account) == PAPER_BROKER) is on_paper
    ]
    taken = {copy.signal for copy in copies}
    trades: dict[tuple[SignalId, AccountId], list[Trade]] = defaultdict(list)
    for trade in await store.journal.trades_of_signals(sorted(taken)):
        trades[trade.signal, trade.account].append(trade)
    results: dict[SignalId, list[tuple[datetime, Decimal] | None]] = defaultdict(list)
    for copy in copies:
        results[copy.signal].append(_result(copy, trades[copy.signal, copy.account]))
    closed = []
    for found in results.values():
        ended = [one for one in found if one is not None]
        if ended and len(ended) == len(found):
            mean = sum((r for _, r in ended), Decimal(0)) / len(ended)
            closed.append((max(at for at, _ in ended), mean))
    return ChannelRecord(taken=len(taken), closed=closed_of(closed))


def _result(copy: Copy, legs: Sequence[Trade]) -> tuple[datetime, Decimal] | None:
    """Return a copy's end and its result by its budget; without a budget only won or lost."""
    ended = [leg for leg in legs if leg.state is TradeState.CLOSED and leg.closed_at is not None]
    if not ended or any(leg.state.is_live for leg in legs):
        return None
    total = sum(
        (part for leg in ended for part in (leg.profit, leg.swap, leg.commission) if part),
        Decimal(0),
    )
    sign = Decimal((total > 0) - (total < 0))
    return max(leg.closed_at for leg in ended if leg.closed_at), (
        total / copy.budget if copy.budget > 0 else sign
    )


def _moved(one: Probation | None, stage: Stage, why: str, now: datetime) -> Probation | None:
    start = one or Probation.begun(now)
    return None if one is not None and one.stage is stage else start.moved(stage, why, now)


async def _change(
    settings: SettingsDocs,
    chat: ChannelId,
    change: Callable[[Probation | None], Probation | None],
) -> Probation | None:
    for _ in range(ATTEMPTS):
        doc, version = await settings.get(scope_of(chat))
        try:
            before = Probation.of_document(doc) if version else None
        except DomainError:
            before = None  # What cannot be read counted as on paper; it begins anew.
        after = change(before)
        if after is None:
            return None
        try:
            await settings.put(scope_of(chat), after.document(), version)
        except ConflictError:
            continue
        return after
    raise ConflictError("the channel's stage was changed several times just now; look again")


async def _require(store: UserStore, chat: ChannelId) -> None:
    if await store.channels.get(chat) is None:
        raise RefusedError("there is no such channel of yours")
