"""Settings in force are merged once from the same documents, and anew from any other."""

from kit.builders import ACCOUNT, CHAT, USER
from kit.fleet import Fleet
from signalfleet.app.copy_states import set_state
from signalfleet.app.effective_settings import effective_settings
from signalfleet.domain.accounts.copy_states import channel_scope
from signalfleet.domain.settings.choices import CopyState
from signalfleet.domain.settings.resolve import Effective


async def in_force(fleet: Fleet) -> Effective:
    bot = fleet.manager.active_bots[USER]
    bot._kept.look_again()
    return await effective_settings(bot._desk, CHAT, ACCOUNT)


async def test_the_same_documents_are_merged_once(fleet: Fleet) -> None:
    assert await in_force(fleet) is await in_force(fleet)


async def test_each_level_that_is_written_counts_for_the_next_question(fleet: Fleet) -> None:
    before = await in_force(fleet)
    for scope, age in (("user", "77"), (f"account:{ACCOUNT}", "66"), (f"channel:{CHAT}", "55")):
        doc, version = await fleet.mine.settings.get(scope)
        await fleet.mine.settings.put(scope, {**doc, "max_signal_age": age}, version)
        found = await in_force(fleet)
        assert found is not before
        assert f"{found.rules.max_signal_age:f}" == age
        before = found


async def test_a_state_that_is_set_counts_as_soon_as_the_bot_knows_of_it(fleet: Fleet) -> None:
    assert (await in_force(fleet)).rules.copy_state is CopyState.ON
    await set_state(fleet.mine, channel_scope(CHAT), CopyState.PAUSED, lift=False)
    await fleet.manager.active_bots[USER].refresh()
    assert (await in_force(fleet)).rules.copy_state is CopyState.PAUSED
