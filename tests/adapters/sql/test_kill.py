"""A process that is killed at any moment loses nothing that it was told is written."""

import os
import signal
import subprocess
import sys
from contextlib import aclosing
from pathlib import Path

import pytest

from kit.store_rows import CELL, CHAT, ME, Rows, key
from signalfleet.adapters.sql import SqlStore
from signalfleet.domain.ids import MessageId
from signalfleet.domain.trading.intents import IntentState
from signalfleet.domain.trading.records import CopyOutcome, TradeState
from signalfleet.ports.store import MessageState, UserStore

ROOT = Path(__file__).parents[3]
CHILD = Path(__file__).with_name("kill_child.py")
PER_LIFE = 100_000


def killed_after(path: Path, acknowledged: int, first: int) -> list[tuple[str, int]]:
    """Let a child write, kill it after so many answers; return all that it was told."""
    env = os.environ | {"PYTHONPATH": f"{ROOT / 'src'}:{ROOT / 'tests'}"}
    command = [sys.executable, str(CHILD), str(path), str(first)]
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        lines = [child.stdout.readline() for _ in range(acknowledged)]
        child.send_signal(signal.SIGKILL)
        lines += child.stdout.readlines()
    whole = [line.split() for line in lines if line.endswith("\n")]
    return [(word, int(message)) for word, message in whole]


async def how_far(mine: UserStore, message: int) -> str:
    """Tell how far a message has come; fails if any unit is there in part."""
    rows = Rows(user=ME)
    revisions = await mine.inbox.revisions(CHAT, MessageId(message))
    if not revisions:
        return "absent"
    decision = rows.decision(message)
    signal_id = rows.signal_id(message)
    record = await mine.journal.get_signal(signal_id)
    copies = await mine.journal.copies_of_signals([signal_id])
    trades = await mine.journal.trades_of_signals([signal_id])
    intents = await mine.journal.get_intents([one.intent_id for one in decision.intents])
    trace = await mine.journal.trace(key(message))
    found = (len(copies), len(trades), len(intents), len(trace))
    if revisions[0].state is MessageState.NEW:
        assert (record, found) == (None, (0, 0, 0, 0))
        return "added"
    assert record is not None
    assert found == (1, 2, 2, 2)
    states = (
        {record.outcome, copies[0].outcome},
        {one.state for one in trades},
        {one.state for one in intents},
    )
    if states == ({CopyOutcome.FILLED}, {TradeState.OPEN}, {IntentState.ACCEPTED}):
        return "settled"
    assert states == ({None}, {TradeState.OPENING}, {IntentState.SENDING})
    return "decided"


@pytest.mark.parametrize("lives", [(40, 150, 333)])
async def test_what_was_acknowledged_survives_a_kill(path: Path, lives: tuple[int, ...]) -> None:
    order = ["absent", "added", "decided", "settled"]
    told: dict[int, str] = {}
    for life, acknowledged in enumerate(lives):
        for word, message in killed_after(path, acknowledged, life * PER_LIFE + 1):
            told[message] = word
        async with aclosing(await SqlStore.open(str(path), cell=CELL)) as store:
            mine = store.user(ME)
            last = max(told)
            started = [one for one in range(life * PER_LIFE + 1, last + 20)]
            for message in {*told, *started}:
                reached = await how_far(mine, message)
                assert order.index(reached) >= order.index(told.get(message, "absent"))
    assert len(told) > sum(lives) / 6
