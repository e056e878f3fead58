"""A copy of the data does nothing before somebody arms it, and backups are such copies."""

import asyncio
import json
import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr
from typer.testing import CliRunner

from kit.store_rows import ME, a_profile
from kit.web_site import serve
from signalfleet.adapters.secrets import new_encryption_key
from signalfleet.bootstrap.arming import ArmedState, armed_state
from signalfleet.bootstrap.backups import back_up_now, drop_old, folder_of, restore
from signalfleet.bootstrap.lock import one_worker
from signalfleet.bootstrap.settings import ConfigurationError, Settings
from signalfleet.bootstrap.store import open_store
from signalfleet.cli.main import app
from signalfleet.domain.accounts.backups import kept
from signalfleet.ports.departures import Arming
from signalfleet.ports.errors import RefusedError
from signalfleet.ports.sealed import WrappedKey

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


def settings_in(folder: Path, **changes: object) -> Settings:
    given = {
        "data_dir": folder / "data",
        "run_dir": folder / "run",
        "state_dir": folder / "state",
        "encryption_key": SecretStr(new_encryption_key().reveal()),
    }
    return Settings(_env_file=None, **{**given, **changes})  # type: ignore[arg-type]


@pytest.fixture
async def settings(tmp_path: Path) -> Settings:
    """Settings of an installation with one user that was armed at its first start."""
    found = settings_in(tmp_path)
    async with open_store(found) as store:
        await store.fleet.add_user(a_profile(ME))
        state = await armed_state(found, store)
        assert await state.is_armed()
        await state.arm_if_new()
        assert await state.is_armed()
    return found


async def is_armed(settings: Settings) -> bool:
    async with open_store(settings) as store:
        state = await armed_state(settings, store)
        await state.arm_if_new()
        return await state.is_armed()


def arm(settings: Settings, *words: str) -> tuple[int, str]:
    """Run `signalfleet arm` as an operator does."""
    environment = {
        "DATA_DIR": str(settings.data_dir),
        "RUN_DIR": str(settings.run_dir),
        "STATE_DIR": str(settings.state),
        "ENCRYPTION_KEY": settings.encryption_key.get_secret_value(),
    }
    result = CliRunner().invoke(app, ["arm", *words], env=environment)
    return result.exit_code, result.output


async def installation_of(settings: Settings) -> str:
    async with open_store(settings) as store:
        return await store.fleet.installation()


async def test_a_restored_backup_is_disarmed_until_it_is_armed(settings: Settings) -> None:
    backup = back_up_now(settings, NOW)
    installation, aside = restore(settings, backup, NOW)
    assert aside is not None
    assert aside.exists()
    assert not await is_armed(settings)
    words = ("--i-have-stopped-the-old-one", "--installation", installation)
    assert (await asyncio.to_thread(arm, settings))[0] == 2
    status, said = await asyncio.to_thread(arm, settings, words[0], words[1], "in_another")
    assert (status, "not the id" in said) == (2, True)
    assert not await is_armed(settings)
    assert (await asyncio.to_thread(arm, settings, *words))[0] == 0
    assert await is_armed(settings)
    async with open_store(settings) as store:
        arming = await store.fleet.arming()
    assert arming.generation is not None
    assert arming.generation > 1
    assert arming.entries_not_before is not None
    assert arming.entries_not_before > datetime.now(UTC) + timedelta(seconds=90)


async def test_commands_that_would_connect_refuse_a_copy(settings: Settings) -> None:
    restore(settings, back_up_now(settings, NOW), NOW)
    environment = {
        "DATA_DIR": str(settings.data_dir),
        "RUN_DIR": str(settings.run_dir),
        "STATE_DIR": str(settings.state),
        "ENCRYPTION_KEY": settings.encryption_key.get_secret_value(),
        "TELEGRAM_API_ID": "1",
        "TELEGRAM_API_HASH": "0123456789abcdef0123456789abcdef",
    }
    for words in (["channels", "list"], ["logout"], ["data", "delete", "--yes-delete"]):
        result = await asyncio.to_thread(CliRunner().invoke, app, words, env=environment)
        assert result.exit_code == 2, result.output
        assert "This is a copy of the data" in result.output
    async with open_store(settings) as store:
        assert await store.fleet.get_user(ME) is not None


async def test_a_backup_that_is_copied_by_hand_is_disarmed_too(settings: Settings) -> None:
    backup = back_up_now(settings, NOW)
    database = settings.data_dir / "signalfleet.db"
    database.write_bytes(backup.read_bytes())
    assert not await is_armed(settings)


async def test_a_copy_on_another_machine_is_disarmed(settings: Settings, tmp_path: Path) -> None:
    elsewhere = settings_in(tmp_path / "elsewhere")
    elsewhere.data_dir.mkdir(parents=True)
    source = sqlite3.connect(settings.data_dir / "signalfleet.db")
    target = sqlite3.connect(elsewhere.data_dir / "signalfleet.db")
    source.backup(target)
    source.close()
    target.close()
    assert not await is_armed(elsewhere)
    assert await is_armed(settings)


async def test_arming_a_copy_disarms_the_original_that_comes_back(settings: Settings) -> None:
    installation, aside = restore(settings, back_up_now(settings, NOW), NOW)
    words = ("--i-have-stopped-the-old-one", "--installation", installation)
    await asyncio.to_thread(arm, settings, *words)
    assert await is_armed(settings)
    assert aside is not None
    for beside in settings.data_dir.glob("signalfleet.db-*"):
        beside.unlink()
    aside.replace(settings.data_dir / "signalfleet.db")
    assert not await is_armed(settings)


async def test_a_marker_that_is_lost_or_broken_disarms(settings: Settings) -> None:
    async with open_store(settings) as store:
        files = (await armed_state(settings, store)).files
    text = files.marker.read_text()
    for broken in ("", "{}", "[]", "null", '{"installation": 1, "generation": "x"}'):
        files.marker.write_text(broken)
        assert not await is_armed(settings)
    files.marker.unlink()
    assert not await is_armed(settings)
    files.marker.write_text(text)
    assert await is_armed(settings)
    assert json.loads(text)["generation"] == 1


async def test_who_had_left_is_deleted_again_before_arming(settings: Settings) -> None:
    async with open_store(settings) as store:
        await store.user(ME).credentials.add_key(WrappedKey(key_version=1, kek_id="k", wrapped="w"))
    backup = back_up_now(settings, NOW)
    async with open_store(settings) as store:
        files = (await armed_state(settings, store)).files
        await store.departures.shred(ME, NOW)
        await store.departures.erase(ME)
        files.note_shredded(ME, NOW)
    installation, _ = restore(settings, backup, NOW)
    async with open_store(settings) as store:
        assert await store.fleet.get_user(ME) is not None
    words = ("--i-have-stopped-the-old-one", "--installation", installation)
    status, said = await asyncio.to_thread(arm, settings, *words)
    assert (status, "1 users who had left" in said) == (0, True)
    async with open_store(settings) as store:
        assert await store.fleet.get_user(ME) is None
        assert await store.user(ME).credentials.keys() == ()


async def test_nothing_is_restored_under_a_running_worker(settings: Settings) -> None:
    backup = back_up_now(settings, NOW)
    with one_worker(settings.data_dir), pytest.raises(ConfigurationError, match="already works"):
        restore(settings, backup, NOW)


async def test_a_file_that_is_no_backup_changes_nothing(settings: Settings, tmp_path: Path) -> None:
    database = settings.data_dir / "signalfleet.db"
    before = database.read_bytes()
    broken = tmp_path / "broken.db"
    good = back_up_now(settings, NOW).read_bytes()
    for content in (b"", b"nonsense" * 1000, good[: len(good) // 2], good[:4096]):
        broken.write_bytes(content)
        with pytest.raises((RefusedError, ConfigurationError)):
            restore(settings, broken, NOW)
        assert database.read_bytes() == before
    assert await is_armed(settings)


async def test_an_encrypted_backup_opens_with_its_key_only(tmp_path: Path) -> None:
    key = tmp_path / "backup.key"
    key.touch(mode=0o600)
    key.write_text(new_encryption_key().reveal())
    settings = settings_in(tmp_path, backup_key_file=key)
    async with open_store(settings) as store:
        await store.fleet.add_user(a_profile(ME, name="CANARY-name"))
        await store.fleet.installation()
    sealed = back_up_now(settings, NOW)
    assert sealed.name.endswith(".db.sealed")
    raw = sealed.read_bytes()
    assert b"SQLite" not in raw
    assert [one.name for one in folder_of(settings).iterdir()] == [sealed.name]
    restore(settings, sealed, NOW)
    async with open_store(settings) as store:
        assert await store.fleet.get_user(ME) is not None
    changed = tmp_path / "changed.sealed"
    for content in (raw[:-1], raw[:-20], raw[:15], raw[:40] + b"x" + raw[41:], raw + b"x"):
        changed.write_bytes(content)
        with pytest.raises(RefusedError, match="changed, cut, or"):
            restore(settings, changed, NOW)
    key.write_text(new_encryption_key().reveal())
    with pytest.raises(RefusedError):
        restore(settings, sealed, NOW)


def test_backups_thin_out_with_their_age() -> None:
    times = [NOW - timedelta(minutes=5 * number) for number in range(12 * 24 * 30)]
    stay = sorted(kept(times, NOW), reverse=True)
    assert stay[:12] == times[:12]
    ages = [(NOW - one) / timedelta(hours=1) for one in stay]
    assert 24 + 12 - 2 <= sum(1 for age in ages if age <= 24) <= 24 + 13 + 1
    assert 13 <= sum(1 for age in ages if age > 24) <= 15
    assert max(ages) <= 14 * 24
    assert kept(stay, NOW) == frozenset(stay)


def test_only_our_own_files_are_dropped(tmp_path: Path) -> None:
    old = NOW - timedelta(days=60)
    for number in range(20):
        stamp = (old + timedelta(minutes=number)).strftime("%Y%m%dT%H%M%SZ")
        (tmp_path / f"signalfleet-{stamp}.db").touch()
    (tmp_path / "mine.db").touch()
    drop_old(tmp_path, NOW)
    assert len(list(tmp_path.iterdir())) == 13
    assert (tmp_path / "mine.db").exists()


@pytest.mark.loopback
async def test_pages_of_a_copy_say_so_and_change_nothing() -> None:
    armed = False

    async def is_it() -> bool:
        return armed

    async with serve(is_armed=is_it) as site:
        await site.store.fleet.add_user(a_profile(site.app.state.context.deps.demo_user))
        await site.sign_in()
        page = await site.page("/")
        assert "This is a restored copy" in page.text
        assert (await site.press("/copying/stop")).status == 503
        status = await site.store.user(site.app.state.context.deps.demo_user).bot.status()
        assert not status.halted
        armed = True
        assert "This is a restored copy" not in (await site.page("/")).text
        assert (await site.press("/copying/stop")).status == 303


async def test_a_server_database_counts_a_marker_only_where_one_is_kept(
    settings: Settings,
) -> None:
    async with open_store(settings) as store:
        files = (await armed_state(settings, store)).files
        files.remove()
        state = ArmedState(store=store, files=files, has_marker=False)
        assert await state.is_armed()
        await store.fleet.set_arming(Arming(generation=0))
        assert not await state.is_armed()
