"""Planted faults are for drills: a production process refuses to start with them."""

from pathlib import Path
from typing import cast

import pytest

from signalfleet.bootstrap.plants import VARIABLE, with_plants
from signalfleet.bootstrap.settings import ConfigurationError
from signalfleet.bots.services import BotServices

SERVICES = cast("BotServices", object())


def test_in_production_the_process_does_not_start(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv(VARIABLE, "poison")
    with pytest.raises(ConfigurationError, match=f"{VARIABLE}.*remove it"):
        with_plants(SERVICES, tmp_path, is_production=True)


@pytest.mark.parametrize("is_production", [True, False], ids=["production", "development"])
def test_without_the_variable_nothing_is_wrapped(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *, is_production: bool
) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    assert with_plants(SERVICES, tmp_path, is_production=is_production) is SERVICES


@pytest.mark.parametrize(
    "text", ["x", "burn", "burn:u_x", "burn:u_x:y", "poison:u_x:1", "hoard::1"]
)
def test_what_cannot_be_planted_is_said(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str
) -> None:
    monkeypatch.setenv(VARIABLE, text)
    with pytest.raises(ConfigurationError, match="must look like"):
        with_plants(SERVICES, tmp_path, is_production=False)
