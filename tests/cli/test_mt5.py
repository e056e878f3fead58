"""Connecting a MetaTrader account in the terminal, against MetaApi's simulator."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from pydantic import SecretStr

from kit.canaries import WATCH
from kit.mt5_site import LOGIN, PASSWORD, SERVER, TOKEN, a_metaapi, settings_for
from kit.store_rows import a_profile
from kit.web_scene import USER
from signalfleet.app import connect_mt5
from signalfleet.app.connect_mt5 import TOKEN_FIELD, Way
from signalfleet.app.go_live import waiting_accounts
from signalfleet.bootstrap.settings import Settings
from signalfleet.bootstrap.terminal import open_terminal
from signalfleet.cli.accounts import Given, connect, let_trade, list_accounts, open_demo
from signalfleet.cli.telegram import Dialog
from signalfleet.ports.errors import RefusedError
from signalfleet.ports.provisioning import NewDemoAccount
from signalfleet.ports.secrets import Secret
from signalfleet_sim.metaapi.server import MetaApiServer
from signalfleet_sim.metaapi.views import NO_LAGS
from signalfleet_sim.metaapi.world import Habits

pytestmark = pytest.mark.loopback


@dataclass
class Talk(Dialog):
    """A person who answers as told."""

    answers: list[str]
    said: list[str] = field(default_factory=list)
    hidden: list[str] = field(default_factory=list)

    def say(self, text: str) -> None:
        self.said.append(text)

    async def ask(self, text: str, *, hidden: bool = False) -> Secret:
        if hidden:
            self.hidden.append(text)
        return Secret(self.answers.pop(0))


@asynccontextmanager
async def a_terminal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[tuple[Settings, MetaApiServer]]:
    monkeypatch.setattr(connect_mt5, "LOOK_PAUSE", timedelta(seconds=0.02))
    server = a_metaapi(Habits(lags=NO_LAGS, detections=0))
    async with server:
        settings = settings_for(
            server,
            data_dir=tmp_path / "data",
            run_dir=tmp_path / "run",
            encryption_key=SecretStr(Fernet.generate_key().decode()),
            telegram_api_id=1,
            telegram_api_hash=SecretStr("hash"),
        )
        async with open_terminal(settings) as terminal:
            await terminal.store.fleet.add_user(a_profile(USER))
        yield settings, server


async def test_a_typed_password_connects_and_the_list_shows_the_account(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    WATCH.may_show(SERVER)
    async with a_terminal(tmp_path, monkeypatch) as (settings, server):
        talk = Talk([TOKEN, "new-york", SERVER, LOGIN, PASSWORD])
        assert await connect(settings, Given(way=Way.PASSWORD), user=None, dialog=talk) == 0
        assert talk.hidden == ["MetaApi token", "Password of the MetaTrader account"]
        text = "\n".join(talk.said)
        assert f"{SERVER}: a demo account, 7500.00 USD" in text
        assert PASSWORD not in text
        assert TOKEN not in text
        shown = Talk([])
        assert await list_accounts(settings, user=None, dialog=shown) == 0
        assert SERVER in shown.said[0]
        async with open_terminal(settings) as terminal:
            token = await terminal.credentials.get(USER, TOKEN_FIELD)
            assert (await terminal.store.user(USER).bot.status()).wish_on
        assert token is not None
        (account,) = server.world.accounts
        assert server.world.tokens[token.reveal()].only == frozenset({account})


async def test_an_account_is_chosen_by_its_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with a_terminal(tmp_path, monkeypatch) as (settings, server):
        server.add_account(token=TOKEN, login="7001")
        server.add_account(token=TOKEN, login="7002")
        talk = Talk([TOKEN, "2"])
        assert await connect(settings, Given(way=Way.EXISTING), user=None, dialog=talk) == 0
        shown = Talk([])
        await list_accounts(settings, user=None, dialog=shown)
        assert "…002" in shown.said[0]


async def test_a_real_account_opens_nothing_until_it_is_let_trade(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with a_terminal(tmp_path, monkeypatch) as (settings, server):
        ident = server.add_account(token=TOKEN, login="70018882", is_real=True)
        talk = Talk([TOKEN])
        order = Given(way=Way.EXISTING, account=ident)
        assert await connect(settings, order, user=None, dialog=talk) == 0
        name = talk.said[-1].split("`signalfleet mt5 live ")[1].rstrip("`")
        async with open_terminal(settings) as terminal:
            mine = terminal.store.user(USER)
            assert await waiting_accounts(mine) == {name}
            await mine.settings.put("user", {"daily_loss": "3"}, 0)
        typed = Talk(["70018882"])
        assert await let_trade(settings, user=None, account=name, number="", dialog=typed) == 0
        async with open_terminal(settings) as terminal:
            assert await waiting_accounts(terminal.store.user(USER)) == frozenset()


def a_demo(server: str = SERVER) -> NewDemoAccount:
    return NewDemoAccount(
        server=server, name="Dana", email="d@example.com", phone="+1", account_type="Standard"
    )


async def test_a_demo_account_is_opened_and_connected(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with a_terminal(tmp_path, monkeypatch) as (settings, _):
        talk = Talk([TOKEN])
        await open_demo(settings, a_demo(), region="london", user=None, dialog=talk)
        text = "\n".join(talk.said)
        assert "Password, shown this once:" in text
        assert f"{SERVER}: a demo account, 10000.00 USD" in text
        with pytest.raises(RefusedError, match="does not know this server"):
            await open_demo(
                settings, a_demo("Nowhere"), region="london", user=None, dialog=Talk([TOKEN])
            )


@pytest.mark.parametrize(
    ("answers", "given", "words"),
    [
        (["no.such.token"], Given(way=Way.EXISTING), "MetaApi refuses this token"),
        ([TOKEN], Given(way=Way.EXISTING), "reaches no account"),
        ([TOKEN, "moon"], Given(way=Way.LINK), "no region 'moon'"),
        (
            [TOKEN, "wrong"],
            Given(way=Way.PASSWORD, server=SERVER, region="london", login=LOGIN),
            "refuses this login and password",
        ),
        (
            [TOKEN, "x"],
            Given(way=Way.PASSWORD, server=SERVER, region="london", login="a"),
            "login is a number",
        ),
    ],
    ids=["token", "none", "region", "password", "login"],
)
async def test_what_stops_it_is_one_sentence(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    answers: list[str],
    given: Given,
    words: str,
) -> None:
    async with a_terminal(tmp_path, monkeypatch) as (settings, _):
        with pytest.raises(RefusedError, match=words):
            await connect(settings, given, user=None, dialog=Talk(answers))
        shown = Talk([])
        await list_accounts(settings, user=None, dialog=shown)
        assert "No account is connected" in shown.said[0]
