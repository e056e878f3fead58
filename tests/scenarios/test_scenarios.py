"""Each scenario plays the whole way: Telegram's socket, the bot, MetaApi's HTTP, virtual time."""

import pytest

from kit.scenario_player import play
from kit.scenario_script import Scenario, load_scenarios


@pytest.mark.loopback
@pytest.mark.parametrize("scenario", load_scenarios(), ids=lambda one: one.name)
async def test_a_scenario_ends_as_it_says(scenario: Scenario) -> None:
    await play(scenario)
