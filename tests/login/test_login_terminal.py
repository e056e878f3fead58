"""Signing in, choosing and signing out in the terminal, and playing with the simulated city."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
import typer
from cryptography.fernet import Fernet
from pydantic import SecretStr

from signalfleet.adapters.telegram.session import load_session
from signalfleet.app.connect_telegram import SESSION_FIELD
from signalfleet.bootstrap.lock import one_worker
from signalfleet.bootstrap.settings import ConfigurationError, Settings
from signalfleet.bootstrap.terminal import open_terminal
from signalfleet.cli import sim, telegram
from signalfleet.cli.telegram import Dialog
from signalfleet.ports.errors import RefusedError
from signalfleet.ports.secrets import Secret
from signalfleet.ports.store import CopyMode
from signalfleet_sim.city import City
from signalfleet_sim.telegram import SimUser, TelegramServer, World

pytestmark = pytest.mark.loopback

CARA = "+1 555 0155"
PASSWORD = "correct horse"


@pytest.fixture
def settings(tmp_path: Path, server: TelegramServer) -> Settings:
    host, port = server.address
    key = tmp_path / "telegram.pem"
    server.write_key(key)
    return Settings(
        _env_file=None,
        data_dir=tmp_path / "data",
        run_dir=tmp_path / "run",
        encryption_key=SecretStr(Fernet.generate_key().decode()),
        telegram_api_id=1,
        telegram_api_hash=SecretStr("hash"),
        telegram_dc_id=server.dc,
        telegram_dc_address=f"{host}:{port}",
        telegram_server_key_file=key,
        telegram_connects_per_s=1000,
    )


class Talk(Dialog):
    """A person who answers as told, and who scans at once."""

    def __init__(self, world: World, user: SimUser | None = None) -> None:
        self.world = world
        self.user = user
        self.said: list[str] = []
        self.answers: list[str] = []
        self.hidden: list[bool] = []

    def say(self, text: str) -> None:
        self.said.append(text)

    async def ask(self, text: str, *, hidden: bool = False) -> Secret:
        self.hidden.append(hidden)
        answer = self.answers.pop(0)
        return Secret(self.world.code_for(CARA) if answer == "the code" else answer)

    async def agrees(self, text: str) -> bool:
        return self.answers.pop(0) == "yes"

    def show_qr(self, address: str) -> None:
        super().show_qr(address)
        if self.user is not None:
            self.world.scan(address, self.user)


async def sign_in(settings: Settings, world: World, user: SimUser) -> Talk:
    talk = Talk(world, user)
    assert await telegram.login(settings, phone=None, agreed=True, dialog=talk) == 0
    return talk


async def stored(settings: Settings) -> Secret | None:
    async with open_terminal(settings) as terminal:
        return await terminal.credentials.get(await terminal.user(None), SESSION_FIELD)


async def test_a_qr_code_in_the_terminal_signs_in(
    settings: Settings, world: World, ann: SimUser, capsys: pytest.CaptureFixture[str]
) -> None:
    talk = await sign_in(settings, world, ann)
    assert "\u2588" in capsys.readouterr().out
    assert any(line.startswith("Signed in as Ann") for line in talk.said)
    session = await stored(settings)
    assert session is not None
    assert load_session(session).telegram_user_id == ann.user_id
    assert not any("tg://" in line for line in talk.said)


async def test_a_code_and_a_password_in_the_terminal_sign_in(
    settings: Settings, world: World
) -> None:
    world.user(CARA, "Cara", password=PASSWORD)
    talk = Talk(world)
    talk.answers = ["yes", "99999x", "the code", "wrong", PASSWORD]
    assert await telegram.login(settings, phone=CARA, agreed=False, dialog=talk) == 0
    assert talk.hidden == [True] * 4
    assert any("2 tries are left" in line for line in talk.said)
    assert any("the name of the city" in line for line in talk.said)


async def test_nothing_happens_without_consent(settings: Settings, world: World) -> None:
    talk = Talk(world)
    talk.answers = ["no"]
    assert await telegram.login(settings, phone=None, agreed=False, dialog=talk) == 1
    assert world.calls(None) == []


async def test_signing_out_ends_and_deletes_the_session(
    settings: Settings, world: World, ann: SimUser
) -> None:
    await sign_in(settings, world, ann)
    talk = Talk(world)
    assert await telegram.logout(settings, user=None, dialog=talk) == 0
    assert ann.sessions == []
    assert await stored(settings) is None


async def test_chats_are_listed_and_chosen(settings: Settings, world: World, ann: SimUser) -> None:
    gold = world.channel("Gold \x1b[31mred", username="goldsig")
    gold.join(ann)
    gold.post("BUY")
    await sign_in(settings, world, ann)
    talk = Talk(world)
    chats: Sequence[int] = [gold.chat_id]
    await telegram.choose_channels(settings, user=None, chats=chats, mode="on", dialog=talk)
    await telegram.list_channels(settings, user=None, search="gold", dialog=talk)
    assert "1 changed; 1 are read." in talk.said
    assert any(str(gold.chat_id) in line and "@goldsig" in line for line in talk.said)
    assert not any("\x1b" in line for line in talk.said)
    async with open_terminal(settings) as terminal:
        mine = terminal.store.user(await terminal.user(None))
        assert [one.mode for one in await mine.channels.list()] == [CopyMode.ON]
        assert (await mine.bot.status()).wish_on
    await telegram.choose_channels(settings, user=None, chats=chats, mode="off", dialog=talk)
    assert talk.said[-1] == "1 changed; 0 are read."


async def test_who_is_meant_has_to_be_said_where_there_are_several(
    settings: Settings, world: World, ann: SimUser
) -> None:
    talk = Talk(world)
    with pytest.raises(RefusedError, match="nobody has signed in"):
        await telegram.logout(settings, user=None, dialog=talk)
    await sign_in(settings, world, ann)
    await sign_in(settings, world, world.user("+1 555 0144", "Bob"))
    with pytest.raises(RefusedError, match="--user"):
        await telegram.logout(settings, user=None, dialog=talk)
    with pytest.raises(RefusedError, match="no such user"):
        await telegram.logout(settings, user="u_mfrggzdfmztwq2lk", dialog=talk)


async def test_a_product_that_runs_and_cannot_be_reached_is_not_disturbed(
    settings: Settings, world: World, ann: SimUser
) -> None:
    await sign_in(settings, world, ann)
    with one_worker(settings.data_dir), pytest.raises(ConfigurationError, match="running"):
        await telegram.logout(settings, user=None, dialog=Talk(world))
    assert len(ann.sessions) == 1


@pytest.fixture
async def city(tmp_path: Path) -> AsyncIterator[City]:
    run_dir = tmp_path / "demo/city"
    run_dir.mkdir(parents=True)
    city = City(run_dir, seed=7, speed=1.0, repeat=False)
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(city.run(idle_s=60))
        async with asyncio.timeout(10):
            while not (run_dir / "city.json").exists():  # noqa: ASYNC110 - written by a file move
                await asyncio.sleep(0.02)
        yield city
        running.cancel()


async def test_the_city_s_channels_are_played_by_hand(
    city: City, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "demo"
    name, channel = next(iter(city.channels.items()))
    await sim._list(root)
    assert name in capsys.readouterr().out
    await sim._act(root, name, "post", {"text": sim._lines(r"BUY GOLD\nSL 1")})
    number = int(capsys.readouterr().out)
    assert channel.messages[number].text == "BUY GOLD\nSL 1"
    await sim._act(root, str(channel.chat_id), "post", {"text": "close", "reply_to": number})
    answer = int(capsys.readouterr().out)
    assert channel.messages[answer].reply_to == number
    await sim._act(root, channel.title, "edit", {"message_id": number, "text": "SELL GOLD"})
    assert channel.messages[number].text == "SELL GOLD"
    await sim._act(root, name, "delete", {"message_ids": [number, answer]})
    assert number not in channel.order
    with pytest.raises(ConfigurationError, match="no such channel"):
        await sim._act(root, "nothing", "post", {"text": "x"})
    with pytest.raises(ConfigurationError, match="refuses"):
        await sim._act(root, name, "edit", {"message_id": 9999, "text": "x"})


def test_without_a_city_the_command_says_how_to_start_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(typer.Exit):
        sim.channels(tmp_path)
    assert "signalfleet demo" in capsys.readouterr().err
