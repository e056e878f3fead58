"""`signalfleet profile`: how a channel is read, in the terminal."""

import asyncio
import json
from pathlib import Path
from typing import Any

from kit.builders import CHAT, USER
from kit.product_process import call_cli
from signalfleet.adapters.sql import SqlStore, migrate
from signalfleet.domain.ids import slot
from signalfleet.ports.store import Channel, UserProfile

SETTINGS = {
    "ENCRYPTION_KEY": "bm90LWEtcmVhbC1rZXktb25seS1mb3ItdGVzdHMtMDE=",
    "TELEGRAM_API_ID": "1",
    "TELEGRAM_API_HASH": "0" * 32,
}
MOO: dict[str, Any] = {
    "default_symbol": "XAUUSD",
    "rules": [
        {
            "name": "moo",
            "pattern": r"moo (?P<sl>\d+)",
            "action": "open",
            "side": "buy",
            "matches": ["moo 2338"],
        }
    ],
}


def written(folder: Path, doc: object) -> str:
    (folder / "profile.json").write_text(json.dumps(doc), encoding="utf-8")
    return "profile.json"


def test_a_profile_is_checked_and_a_message_tried_with_it(tmp_path: Path) -> None:
    file = written(tmp_path, MOO)
    ended = call_cli("profile", "check", file, "--text", "moo 2338", cwd=tmp_path)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "The profile may be saved." in ended.stdout
    assert "understood: buy XAUUSD market stop 2338" in ended.stdout
    parsed = call_cli("parse", "moo 2338", "--profile", file, cwd=tmp_path)
    assert "understood: buy XAUUSD market stop 2338" in parsed.stdout


def test_a_refused_profile_ends_with_a_line_for_each_problem(tmp_path: Path) -> None:
    given = json.dumps({"accept_at": 1, "sybmol": "x"})
    ended = call_cli("profile", "check", "-", cwd=tmp_path, given=given)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert [line[:2] for line in ended.stderr.splitlines()] == ["- ", "- "]
    broken = call_cli("profile", "check", "-", cwd=tmp_path, given="{")
    assert (broken.returncode, "holds no JSON" in broken.stderr) == (2, True)


def test_a_profile_is_saved_and_shown(tmp_path: Path) -> None:
    asyncio.run(a_users_channel(tmp_path))
    file = written(tmp_path, MOO)
    saved = call_cli("profile", "set", file, "--", str(CHAT), cwd=tmp_path, variables=SETTINGS)
    assert (saved.returncode, saved.stderr) == (0, "")
    assert "Saved as version 1." in saved.stdout
    shown = call_cli("profile", "show", "--", str(CHAT), cwd=tmp_path, variables=SETTINGS)
    assert json.loads(shown.stdout) == {**MOO, "version": 1}
    other = call_cli("profile", "show", "--", "-42", cwd=tmp_path, variables=SETTINGS)
    assert (other.returncode, "there is no such channel" in other.stderr) == (2, True)


async def a_users_channel(folder: Path) -> None:
    data = folder / "var" / "data"
    data.mkdir(parents=True)
    database = f"sqlite:///{data / 'signalfleet.db'}"
    await asyncio.to_thread(migrate, database)
    store = await SqlStore.open(database, cell="c1")
    profile = UserProfile(
        user_id=USER,
        telegram_id=1,
        display_name="Ann",
        tier="FREE",
        timezone="UTC",
        slot=slot(USER),
    )
    await store.fleet.add_user(profile)
    await store.user(USER).channels.put(
        Channel(chat=CHAT, kind="channel", title="Gold", access_hash=1)
    )
    await store.aclose()
