"""Who is deleted with trades open says before what becomes of them."""

from collections.abc import Callable

import pytest

from kit.store_rows import CELL, ME, fill
from signalfleet.app.claim_slots import claim_slots
from signalfleet.bootstrap.settings import Settings
from signalfleet.bootstrap.store import open_store
from signalfleet.cli import leaving
from signalfleet.ports.errors import RefusedError


@pytest.fixture
async def settings(resting: Settings) -> Settings:
    """The user has two trades open."""
    async with open_store(resting) as store:
        await fill(store, ME, await claim_slots(store.fleet, CELL, range(512), "w"), "mine")
    return resting


@pytest.mark.parametrize(
    ("trades", "is_sure", "answer", "said"),
    [
        (None, True, "", "add --trades keep or --trades close"),
        ("close", True, "", "start it first"),
        (None, False, "close", "start it first"),
        (None, False, "perhaps", "answer close or keep"),
    ],
    ids=["unsaid", "nobody_closes", "asked", "neither"],
)
async def test_nothing_is_deleted_before_that_is_said_and_can_be_done(
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    trades: str | None,
    is_sure: bool,
    answer: str,
    said: str,
) -> None:
    asked: list[str] = []
    monkeypatch.setattr("typer.prompt", _answering(asked, answer))
    with pytest.raises(RefusedError, match=said):
        await leaving.delete(settings, user=ME, trades=trades, is_sure=is_sure)
    assert bool(asked) == (not is_sure)
    async with open_store(settings) as store:
        assert await store.departures.under_way() == ()
        assert len(await store.user(ME).journal.live_trades()) == 2


async def test_trades_that_stay_open_are_said_before_the_last_question(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("typer.prompt", _answering([], "keep"))
    monkeypatch.setattr("typer.confirm", lambda _: False)
    assert await leaving.delete(settings, user=ME, trades=None, is_sure=False) == 1
    assert "2 open trades stay open at the broker" in capsys.readouterr().out


def _answering(asked: list[str], answer: str) -> Callable[[str], str]:
    def prompt(question: str) -> str:
        asked.append(question)
        return answer

    return prompt
