"""`signalfleet rules`: settings in the terminal, and as files."""

import asyncio
import json
from pathlib import Path

import pytest

from kit.builders import CHAT, USER
from signalfleet.adapters.sql import SqlStore, migrate
from signalfleet.bootstrap.settings import load_settings
from signalfleet.cli import rule_books
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


async def test_settings_are_set_shown_exported_and_taken_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, value in VARIABLES.items():
        monkeypatch.setenv(name, value)
    await a_user_with_a_channel(tmp_path)
    settings = load_settings()
    mine = rule_books.Target(user=None, account=None, channel=None)
    channel = rule_books.Target(user=None, account=None, channel=CHAT)
    await rule_books.set_values(settings, mine, ["risk_percent=0.5"])
    assert "risk_percent: 0.5, from your default" in capsys.readouterr().out
    with pytest.raises(RefusedError) as refused:
        await rule_books.set_values(settings, channel, ["risk_percent=99", "layers=x", "speed=1"])
    assert [line[:14] for line in str(refused.value).splitlines()] == [
        "- risk_percent",
        "- layers: must",
        "- speed is no ",
    ]
    (tmp_path / "mine.toml").write_text(to_toml(EVERYTHING, "x"), encoding="utf-8")
    await rule_books.take_in(settings, channel, tmp_path / "mine.toml")
    capsys.readouterr()
    await rule_books.show(settings, channel, search="custom", as_json=True)
    shown = json.loads(capsys.readouterr().out)
    assert (shown["custom_stop"]["value"], shown["custom_stop"]["source"]) == ("20 pips", "channel")
    await rule_books.export(settings, channel, as_json=True)
    assert json.loads(capsys.readouterr().out) == EVERYTHING
    await rule_books.unset(settings, channel, ["reverse"])
    capsys.readouterr()
    await rule_books.export(settings, channel, as_json=True)
    assert json.loads(capsys.readouterr().out).keys() == EVERYTHING.keys() - {"reverse"}
    store = await SqlStore.open(settings.database, cell="c1")
    doc, _ = await store.user(USER).settings.get(f"channel:{CHAT}")
    await store.aclose()
    assert doc["profile"] == {"version": 1}


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
