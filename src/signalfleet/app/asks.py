"""Keep questions to the user, and take the answers: one tap, one plan."""

from collections.abc import Callable
from datetime import datetime
from typing import Final, TypeVar

import structlog

from signalfleet.domain.accounts.asks import Answer, Answered, Ask, AskKey, Asks
from signalfleet.domain.errors import DomainError
from signalfleet.ports.errors import ConflictError
from signalfleet.ports.store import MessageState, SettingsDocs, UserStore

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
        if ask.answer is not None or now >= ask.until:
            continue
        revisions = await store.inbox.revisions(ask.key.chat, ask.key.message)
        mine = [one for one in revisions if one.rev == ask.key.rev]
        if mine and mine[0].state is MessageState.NEW and mine[0].rev == revisions[-1].rev:
            found.append(ask)
    return found


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
