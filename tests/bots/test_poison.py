"""A text that breaks the reading is set aside, and its bot goes on."""

from pathlib import Path

import pytest

from kit.builders import USER
from kit.fleet import a_fleet
from signalfleet.bootstrap.plants import RAISE, RECURSION, VARIABLE, with_plants


@pytest.mark.parametrize(("mark", "reason"), [(RAISE, "ValueError"), (RECURSION, "RecursionError")])
async def test_a_poisoned_text_is_set_aside_at_its_first_try_and_the_bot_goes_on(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, mark: str, reason: str
) -> None:
    monkeypatch.setenv(VARIABLE, "poison")
    async with a_fleet(started=False) as fleet:
        services = with_plants(fleet.services(), tmp_path, is_production=False)
        monkeypatch.setattr(type(fleet), "services", lambda _self: services)
        await fleet.start()
        number = await fleet.say(f"BUY GOLD 2350 SL 2340 TP 2360 {mark}")
        stored = await fleet.message(number)
        assert (stored.state.value, stored.reason) == ("QUARANTINED", reason)
        await fleet.say("BUY GOLD 2350 SL 2340 TP 2360")
        assert len(fleet.broker.entries) == 1
        assert fleet.manager.active_bots.keys() == {USER}
