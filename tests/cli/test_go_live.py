"""`signalfleet mt5 live`: a loss limit and the typed number, before a real account trades."""

from dataclasses import dataclass, field
from dataclasses import replace as changed

import pytest

from kit.store_rows import ACCOUNT, ME, an_account
from signalfleet.app.go_live import waiting_accounts
from signalfleet.bootstrap.settings import Settings
from signalfleet.bootstrap.store import open_store
from signalfleet.cli.accounts import let_trade, list_accounts
from signalfleet.cli.telegram import Dialog
from signalfleet.ports.errors import RefusedError
from signalfleet.ports.secrets import Secret

NUMBER = "50011789"


@dataclass
class Talk(Dialog):
    """A person who answers as told."""

    answers: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)

    def say(self, text: str) -> None:
        self.said.append(text)

    async def ask(self, text: str, *, hidden: bool = False) -> Secret:
        assert not hidden, text
        return Secret(self.answers.pop(0))


async def a_real_account(settings: Settings, *, daily_loss: str | None) -> None:
    async with open_store(settings) as store:
        mine = store.user(ME)
        await mine.accounts.put(changed(an_account(), mode="LIVE", login_masked="…789"))
        if daily_loss is not None:
            await mine.settings.put("user", {"daily_loss": daily_loss}, 0)


async def run(settings: Settings, talk: Talk, number: str = "", account: str = ACCOUNT) -> int:
    return await let_trade(settings, user=None, account=account, number=number, dialog=talk)


async def is_waiting(settings: Settings) -> bool:
    async with open_store(settings) as store:
        return ACCOUNT in await waiting_accounts(store.user(ME))


async def test_the_typed_number_lets_it_trade_and_is_noted(resting: Settings) -> None:
    await a_real_account(resting, daily_loss="3")
    listed = Talk()
    await list_accounts(resting, user=None, dialog=listed)
    assert f"opens nothing yet: `signalfleet mt5 live {ACCOUNT}`" in listed.said[0]
    assert await run(resting, Talk([NUMBER])) == 0
    assert not await is_waiting(resting)
    async with open_store(resting) as store:
        (row,) = await store.user(ME).events.list()
    assert (row.entry.actor, row.entry.action) == ("terminal", "went_live")
    again = Talk()
    assert await run(resting, again) == 0
    assert again.said == ["It trades real money already; nothing was changed."]


async def test_without_a_loss_limit_it_says_how_to_set_one(resting: Settings) -> None:
    await a_real_account(resting, daily_loss=None)
    with pytest.raises(RefusedError, match=f"rules set daily_loss=3 --account {ACCOUNT}"):
        await run(resting, Talk(), NUMBER)
    assert await is_waiting(resting)


async def test_another_number_is_refused(resting: Settings) -> None:
    await a_real_account(resting, daily_loss="3")
    with pytest.raises(RefusedError, match="not the whole number of the account"):
        await run(resting, Talk(["789"]))
    assert await is_waiting(resting)


async def test_an_account_without_real_money_is_not_asked_about(resting: Settings) -> None:
    with pytest.raises(RefusedError, match="no such account with real money"):
        await run(resting, Talk(), NUMBER, "a_none")
