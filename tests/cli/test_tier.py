"""`signalfleet tier`: the operator shows and changes a user's plan."""

from dataclasses import replace
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from kit.builders import CHAT
from kit.product_process import call_cli, run_cli
from kit.store_rows import CELL, ME, a_channel, a_profile
from signalfleet.bootstrap.settings import Settings
from signalfleet.bootstrap.store import open_store
from signalfleet.domain.ids import ChannelId
from signalfleet.ports.store import CopyMode

CHANNELS = 3


@pytest.fixture
async def home(tmp_path: Path) -> Path:
    """A database with one user on the free plan, who reads one channel more than it allows."""
    async with open_store(settings_of(tmp_path)) as store:
        await store.fleet.add_user(a_profile(ME, name="Ann\x1b[2J"))
        for number in range(CHANNELS):
            channel = a_channel(chat=ChannelId(CHAT - number))
            await store.user(ME).channels.put(replace(channel, mode=CopyMode.ON))
    return tmp_path


def settings_of(folder: Path) -> Settings:
    return Settings(_env_file=None, data_dir=folder, cell=CELL)


def tier(home: Path, *words: str, least: str = "FREE") -> CompletedProcess[str]:
    variables = {"DATA_DIR": str(home), "CELL": CELL, "MIN_TIER": least}
    return call_cli("tier", *words, cwd=home, variables=variables)


async def test_a_plan_is_changed_told_and_noted(home: Path) -> None:
    variables = {"DATA_DIR": str(home), "CELL": CELL, "MIN_TIER": "FREE"}
    ended = run_cli("tier", ME, "premium", cwd=home, variables=variables)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.splitlines() == [
        "Ann\N{REPLACEMENT CHARACTER}[2J: FREE -> PREMIUM",
        "  Trades a day:            0 of 100, before 10",
        "  Channels that are read:  3 of 10, before 2",
        "  Open trades:             0 of 20, before 3",
        "A running SignalFleet sees it within five seconds.",
    ]
    async with open_store(settings_of(home)) as store:
        profile = await store.fleet.get_user(ME)
        assert profile is not None
        assert profile.tier == "PREMIUM"
        (row,) = await store.user(ME).events.list()
    assert (row.entry.actor, row.entry.action) == ("operator", "tier_changed")
    assert row.entry.facts == {"before": "FREE", "after": "PREMIUM"}


def test_without_a_plan_it_shows_and_changes_nothing(home: Path) -> None:
    shown = tier(home, ME)
    assert shown.returncode == 0
    assert "FREE\n" in shown.stdout
    assert "0 of 10\n" in shown.stdout
    assert tier(home, ME).stdout == shown.stdout
    again = tier(home, ME, "FREE").stdout
    assert "FREE already; nothing was changed" in again
    assert "sees it" not in again


def test_what_is_more_than_a_smaller_plan_allows_is_said(home: Path) -> None:
    tier(home, ME, "PREMIUM")
    said = tier(home, ME, "FREE").stdout
    assert "3 of 2, before 10" in said
    assert "3 channels are read: switch 1 off, nothing is copied until then." in said
    assert "Open trades until then: they are managed to their end." in said


def test_what_everybody_has_at_least_is_named(home: Path) -> None:
    said = tier(home, ME, "FREE", least="PREMIUM").stdout
    assert "3 of 10\n" in said
    assert "at least what PREMIUM allows: see MIN_TIER" in said


@pytest.mark.parametrize(
    ("words", "error"),
    [
        pytest.param((ME, "GOLD"), "there is no plan 'GOLD'; there are FREE, PREMIUM", id="plan"),
        pytest.param(("u_nobodyatall23456", "FREE"), "there is no such user", id="nobody"),
        pytest.param(("../../x",), "a user id is", id="no-id"),
    ],
)
def test_what_cannot_be_is_one_sentence(home: Path, words: tuple[str, ...], error: str) -> None:
    ended = tier(home, *words)
    assert ended.returncode == 2
    assert error in ended.stderr
    assert "Traceback" not in ended.stderr
