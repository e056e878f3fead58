"""A test of the test: classic bugs are planted into the product, and the seeds must find them."""

from dataclasses import replace
from typing import Any

import pytest

from drills.sim.run import run_seed
from signalfleet.adapters.memory import journal as memory_journal
from signalfleet.app import handle_message, known_signals
from signalfleet.app.execute_intent import ExecuteIntent
from signalfleet.app.handle_message import HandleMessage
from signalfleet.domain import ids
from signalfleet.domain.trading import reconcile
from signalfleet.domain.trading.lifecycle import Replied
from signalfleet.domain.trading.outcomes import Unknown

SEEDS = range(1, 121)


def first_found(law: str) -> int | None:
    """Return how many seeds it takes until the law is seen broken."""
    for count, seed in enumerate(SEEDS, start=1):
        if any(fault.startswith(law) for fault in run_seed(seed).broken):
            return count
    return None


@pytest.mark.timeout(120)
def test_sending_again_after_a_time_out_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    send = ExecuteIntent._send

    async def twice(self: ExecuteIntent, intent: Any, order: Any, broker: Any) -> Any:
        sent, event = await send(self, intent, order, broker)
        if isinstance(event, Replied) and isinstance(event.outcome, Unknown):
            return await send(self, intent, order, broker)
        return sent, event

    monkeypatch.setattr(ExecuteIntent, "_send", twice)
    assert first_found("I1") is not None


@pytest.mark.timeout(120)
def test_a_revision_in_the_signal_id_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    run, signal_id = HandleMessage.run, ids.signal_id
    revision = 0

    async def remember(self: HandleMessage, stored: Any) -> Any:
        nonlocal revision
        revision = stored.rev
        return await run(self, stored)

    def with_revision(user: Any, chat: Any, message: Any, part: int) -> Any:
        return signal_id(user, chat, message, part * 100 + revision)

    context_of = known_signals.context_of

    async def without_history(desk: Any, stored: Any, versions: Any) -> Any:
        return replace(await context_of(desk, stored, versions), before_edit=None)

    monkeypatch.setattr(HandleMessage, "run", remember)
    monkeypatch.setattr(ids, "signal_id", with_revision)
    # Reading, deciding and storing each know that a message enters once; none may, for the bug.
    monkeypatch.setattr(handle_message, "context_of", without_history)
    monkeypatch.setattr(memory_journal, "_is_decided_otherwise", lambda *_: False)
    monkeypatch.setattr(memory_journal, "_has_known_ids", lambda *_: False)
    monkeypatch.setattr(memory_journal, "_signals_of", lambda *_: [])
    assert first_found("I1") is not None


@pytest.mark.timeout(120)
def test_believing_one_look_without_the_order_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def after_one_look(intent: Any, look: Any, absent: Any) -> bool:
        return bool(look.snapshot.complete)

    monkeypatch.setattr(reconcile, "_absence_is_proved", after_one_look)
    assert first_found("I1") is not None
