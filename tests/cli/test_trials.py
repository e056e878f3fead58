"""`signalfleet copying probation` and `mt5 disconnect`: where a channel is, and what goes away."""

import pytest

from kit.store_rows import ME
from kit.wall_clock import WallClock
from signalfleet.app.copy_states import load_states
from signalfleet.app.leave_account import LEAVING
from signalfleet.app.probation import begin_probation
from signalfleet.bootstrap.settings import Settings
from signalfleet.bootstrap.store import open_store
from signalfleet.cli import accounts, trials
from signalfleet.cli.telegram import Dialog
from signalfleet.domain.ids import AccountId, ChannelId
from signalfleet.domain.settings.choices import ExitPolicy
from signalfleet.ports.errors import RefusedError
from signalfleet.ports.store import Account, Channel, CopyMode

GOLD = ChannelId(-1001234567890)
LIVE = AccountId("a_live")


@pytest.fixture
async def settings(resting: Settings) -> Settings:
    """The user has a channel and an account."""
    async with open_store(resting) as store:
        mine = store.user(ME)
        await mine.channels.put(
            Channel(chat=GOLD, kind="channel", title="Gold", access_hash=1, mode=CopyMode.ON)
        )
        await mine.accounts.put(
            Account(account_id=LIVE, broker="metaapi", mode="LIVE", metaapi_account_id="x")
        )
        await begin_probation(mine.settings, GOLD, WallClock().now())
    return resting


async def test_a_channels_probation_is_shown_skipped_and_begun_again(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await trials.show(settings, user=ME) == 0
    shown = capsys.readouterr().out
    assert "paper     Gold: since" in shown
    assert "still missing: 20 more signals on paper, to 20" in shown
    await trials.skip(settings, user=ME, chat=GOLD)
    await trials.show(settings, user=ME)
    assert "full      Gold" in capsys.readouterr().out
    await trials.restart(settings, user=ME, chat=GOLD)
    async with open_store(settings) as store:
        paper = [one for one in await store.user(ME).accounts.list() if one.broker == "paper"]
    assert [one.mode for one in paper] == ["PAPER"]
    with pytest.raises(RefusedError, match="no such channel"):
        await trials.skip(settings, user=ME, chat=-5)


async def test_an_account_is_taken_away_with_the_wish_for_its_trades(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    dialog, policy = Dialog(), ExitPolicy.FLATTEN
    with pytest.raises(RefusedError, match="no such account"):
        await accounts.disconnect(settings, user=ME, account="a_x", policy=policy, dialog=dialog)
    await accounts.disconnect(settings, user=ME, account=LIVE, policy=policy, dialog=dialog)
    await accounts.list_accounts(settings, user=ME, dialog=dialog)
    assert "being taken away" in capsys.readouterr().out
    async with open_store(settings) as store:
        account = await store.user(ME).accounts.get(LIVE)
        states = await load_states(store.user(ME).settings)
    assert account is not None
    assert account.state == LEAVING
    assert states.exits[f"account:{LIVE}"].policy is policy
