"""A process that is killed at any moment loses nothing that it was told is written."""

import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Final

from kit.store_rows import CELL
from signalfleet.adapters.sql import SqlStore

ROOT = Path(__file__).parents[3]
CHILD = Path(__file__).with_name("kill_child.py")
PER_LIFE = 100_000
ORDER: Final = ("absent", "added", "decided", "settled")

UNITS: Final = """
    SELECT m.msg_id, m.state, s.outcome,
        (SELECT group_concat(coalesce(c.outcome, '-')) FROM copies c
            WHERE c.signal_id = s.signal_id),
        (SELECT group_concat(t.state) FROM trades t WHERE t.signal_id = s.signal_id),
        (SELECT group_concat(i.state) FROM intents i JOIN trades t USING (user_id, trade_id)
            WHERE t.signal_id = s.signal_id),
        (SELECT count(*) FROM traces x WHERE x.msg_id = m.msg_id)
    FROM messages m LEFT JOIN signals s USING (user_id, msg_id)
"""
ORPHANS: Final = """
    SELECT (SELECT count(*) FROM intents WHERE trade_id NOT IN (SELECT trade_id FROM trades))
        + (SELECT count(*) FROM trades WHERE signal_id NOT IN (SELECT signal_id FROM signals))
        + (SELECT count(*) FROM copies WHERE signal_id NOT IN (SELECT signal_id FROM signals))
        + (SELECT count(*) FROM signals WHERE msg_id NOT IN (SELECT msg_id FROM messages))
        + (SELECT count(*) FROM traces WHERE msg_id NOT IN (SELECT msg_id FROM messages))
"""
PATTERNS: Final = {
    ("NEW", None, None, None, None, 0): "added",
    ("DONE", None, "-", "OPENING,OPENING", "SENDING,SENDING", 1): "decided",
    ("DONE", "FILLED", "FILLED", "OPEN,OPEN", "ACCEPTED,ACCEPTED", 1): "settled",
}
"""All that may be found of one message; anything else is a unit that was torn."""


def killed_after(path: Path, acknowledged: int, first: int) -> list[tuple[int, str]]:
    """Let a child write, kill it after so many answers; return all that it was told."""
    env = os.environ | {"PYTHONPATH": f"{ROOT / 'src'}:{ROOT / 'tests'}"}
    command = [sys.executable, str(CHILD), str(path), str(first)]
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        lines = [child.stdout.readline() for _ in range(acknowledged)]
        child.send_signal(signal.SIGKILL)
        lines += child.stdout.readlines()
    whole = [line.split() for line in lines if line.endswith("\n")]
    return [(int(message), word) for word, message in whole]


def how_far_all(path: Path) -> dict[int, str]:
    """Tell how far each message has come; fails if any unit is there in part."""
    connection = sqlite3.connect(path)
    connection.row_factory = sqlite3.Row
    try:
        found = connection.execute(UNITS).fetchall()
        lost = connection.execute(ORPHANS).fetchone()[0]
    finally:
        connection.close()
    assert lost == 0
    return {row["msg_id"]: PATTERNS[tuple(row)[1:]] for row in found}


async def test_what_was_acknowledged_survives_a_kill(path: Path) -> None:
    told: dict[int, str] = {}
    for life, acknowledged in enumerate((40, 150, 333)):
        told |= dict(killed_after(path, acknowledged, life * PER_LIFE + 1))
        # Opening recovers the log that the killed process left behind.
        await (await SqlStore.open(str(path), cell=CELL)).aclose()
        reached = how_far_all(path)
        for message, word in told.items():
            assert ORDER.index(reached.get(message, "absent")) >= ORDER.index(word)
    assert len(told) > 150
