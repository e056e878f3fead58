"""`signalfleet rules`: settings in the terminal, and as files."""

import asyncio
import json
from pathlib import Path

import pytest

from kit.builders import CHAT, USER
from kit.product_process import run_cli
from signalfleet.adapters.sql import SqlStore, migrate
from signalfleet.cli.rule_books import read_values, to_toml
from signalfleet.domain.ids import slot
from signalfleet.domain.settings.catalogue import CATALOGUE
from signalfleet.ports.errors import RefusedError
from signalfleet.ports.store import Channel, UserProfile

VARIABLES = {
    "ENCRYPTION_KEY": "bm90LWEtcmVhbC1rZXktb25seS1mb3ItdGVzdHMtMDE=",
    "TELEGRAM_API_ID": "1",
    "TELEGRAM_API_HASH": "0" * 32,
}
EVERYTHING = {
    "risk_percent": "0.5",
    "reverse": True,
    "custom_stop": "20 pips",
    "target_weights": ["50", "30", "20"],
    "symbols_blocked": ["XAUUSD"],
}


async def a_user_with_a_channel(folder: Path) -> None:
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
    mine = store.user(USER)
    await mine.channels.put(Channel(chat=CHAT, kind="channel", title="Gold", access_hash=1))
    await mine.settings.put(f"channel:{CHAT}", {"profile": {"version": 1}}, 0)
    await store.aclose()


def test_settings_are_set_shown_exported_and_taken_in(tmp_path: Path) -> None:
    asyncio.run(a_user_with_a_channel(tmp_path))

    def rules(*words: str, code: int = 0, given: str = "") -> str:
        ended = run_cli("rules", *words, cwd=tmp_path, variables=VARIABLES, given=given)
        assert ended.returncode == code, ended.stderr
        return ended.stdout if code == 0 else ended.stderr

    assert "risk_percent: 0.5, from your default" in rules("set", "risk_percent=0.5")
    wrong = rules("set", "risk_percent=99", "layers=x", "speed=1", f"--channel={CHAT}", code=2)
    assert [line[:14] for line in wrong.splitlines()] == [
        "- risk_percent",
        "- layers: must",
        "- speed is no ",
    ]
    rules("import", "-", f"--channel={CHAT}", given=to_toml(EVERYTHING, "x"))
    shown = json.loads(rules("show", "--json", f"--channel={CHAT}", "custom"))
    assert shown["custom_stop"]["value"] == "20 pips"
    assert shown["custom_stop"]["source"] == "channel"
    back = rules("export", "--json", f"--channel={CHAT}")
    assert json.loads(back) == EVERYTHING
    rules("unset", "reverse", f"--channel={CHAT}")
    assert json.loads(rules("export", "--json", f"--channel={CHAT}")).keys() == (
        EVERYTHING.keys() - {"reverse"}
    )


def test_what_is_exported_as_toml_is_read_back(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(to_toml(EVERYTHING, 'Gold\n"VIP"'), encoding="utf-8")
    assert read_values(file) == EVERYTHING
    bare = tmp_path / "bare.toml"
    bare.write_text("risk_percent = 0.5\nlayers = 3\n", encoding="utf-8")
    found = {name: CATALOGUE[name].parse(value) for name, value in read_values(bare).items()}
    assert [str(value) for value in found.values()] == ["0.5", "3"]


@pytest.mark.parametrize("text", ["risk_percent 1", "{", "\x00"])
def test_a_file_that_holds_no_settings_is_refused_in_words(tmp_path: Path, text: str) -> None:
    file = tmp_path / "wrong"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(RefusedError, match="wrong"):
        read_values(file)
