"""Keep questions to the user, and take the answers: one tap, one plan."""

from collections.abc import Callable
from datetime import datetime
from typing import Final, TypeVar

import structlog

from signalfleet.domain.accounts.asks import Answer, Answered, Ask, AskKey, Asks
from signalfleet.domain.errors import DomainError
from signalfleet.ports.errors import ConflictError
from signalfleet.ports.inbox import MessageState
from signalfleet.ports.store import SettingsDocs, UserStore

log = structlog.get_logger()

SCOPE: Final = "asks"
ATTEMPTS: Final = 5
T = TypeVar("T")


async def load_asks(settings: SettingsDocs) -> Asks:
    doc, _ = await settings.get(SCOPE)
    return Asks.of_document(doc)


async def put_ask(settings: SettingsDocs, ask: Ask) -> None:
    await _change(settings, lambda asks: (asks.added(ask, ask.asked_at), None))


async def answer_ask(store: UserStore, key: str, answer: Answer, now: datetime) -> Answered:
    """Take the first answer in time; every other tap does nothing."""
    try:
        wanted = AskKey.of_text(key)
    except DomainError:
        return Answered.UNKNOWN
    told = await _change(store.settings, lambda asks: asks.answered(wanted, answer, now))
    log.info("ask_answered", answer=answer.value, result=told.value)
    return told


async def open_asks(store: UserStore, now: datetime) -> list[Ask]:
    """Return the questions that may still be answered: their message waits for it."""
    found = []
    for ask in (await load_asks(store.settings)).asks:
        if ask.answer is not None or now >= ask.until or ask.key.is_follow_up:
            continue
        revisions = await store.inbox.revisions(ask.key.chat, ask.key.message)
        mine = [one for one in revisions if one.rev == ask.key.rev]
        if mine and mine[0].state is MessageState.NEW and mine[0].rev == revisions[-1].rev:
            found.append(ask)
    return found


async def open_follow_ups(store: UserStore, now: datetime) -> list[Ask]:
    """Return instructions that were not carried out and still have a trade to be carried out on."""
    found = []
    for ask in (await load_asks(store.settings)).asks:
        if not ask.key.is_follow_up or ask.answer is not None or now >= ask.until:
            continue
        trades = await store.journal.trades_of_signals(ask.signals)
        if any(trade.state.is_live for trade in trades):
            found.append(ask)
    return found


async def mark_done(settings: SettingsDocs, key: AskKey) -> None:
    await _change(settings, lambda asks: (asks.done(key), None))


async def _change(settings: SettingsDocs, change: Callable[[Asks], tuple[Asks, T]]) -> T:
    for _ in range(ATTEMPTS):
        doc, version = await settings.get(SCOPE)
        before = Asks.of_document(doc)
        after, told = change(before)
        if after == before:
            return told
        try:
            await settings.put(SCOPE, after.document(), version)
        except ConflictError:
            continue  # The other one's change counts; look again what is left to do.
        return told
    raise ConflictError("the questions were changed several times just now; try again")
