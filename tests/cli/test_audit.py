"""The operator reads who changed what, and finds what was altered behind our back."""

import asyncio
import sqlite3
from datetime import UTC, datetime
from pathlib import Path

from typer.testing import CliRunner

from kit.store_rows import CELL, ME, a_profile
from signalfleet.bootstrap.settings import Settings
from signalfleet.bootstrap.store import open_store
from signalfleet.cli.main import app
from signalfleet.domain.accounts.audit import AuditEntry

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


def run(folder: Path, *words: str) -> tuple[int, str]:
    environment = {"DATA_DIR": str(folder), "CELL": CELL}
    result = CliRunner().invoke(app, list(words), env=environment)
    return result.exit_code, result.output


async def test_entries_are_shown_and_an_altered_one_is_found(tmp_path: Path) -> None:
    settings = Settings(_env_file=None, data_dir=tmp_path, cell=CELL)
    async with open_store(settings) as store:
        await store.fleet.add_user(a_profile(ME))
        for action in ("copying_stopped", "copying_resumed", "signed_out\x1b[2J"):
            await store.user(ME).events.add(AuditEntry(at=NOW, actor="user", action=action))
    status, said = await asyncio.to_thread(run, tmp_path, "audit", "--user", ME)
    assert status == 0
    assert "copying_stopped" in said
    assert "\x1b" not in said
    assert (await asyncio.to_thread(run, tmp_path, "audit"))[1] == "1 of 1 records hold.\n"
    database = sqlite3.connect(tmp_path / "signalfleet.db")
    with database:
        database.execute("UPDATE events SET action = 'nothing' WHERE seq = 2")
    database.close()
    status, said = await asyncio.to_thread(run, tmp_path, "audit")
    assert status == 1
    assert f"{ME}: entry 2 was changed" in said
    status, said = await asyncio.to_thread(run, tmp_path, "audit", "--user", ME)
    assert status == 1
    assert "Entry 2 was changed" in said
    status, said = await asyncio.to_thread(run, tmp_path, "audit", "--user", "../../x")
    assert (status, "a user id is" in said) == (2, True)
