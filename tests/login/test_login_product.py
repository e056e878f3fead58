"""The whole product over a simulated Telegram: signed in, reading, revoked, signed out."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from pydantic import SecretStr

from signalfleet.adapters.telegram.session import load_session
from signalfleet.app.connect_telegram import SESSION_FIELD
from signalfleet.bootstrap.all_in_one import serve_all
from signalfleet.bootstrap.platform import Platform, open_platform
from signalfleet.bootstrap.settings import Settings
from signalfleet.cli import telegram
from signalfleet.cli.telegram import Dialog
from signalfleet.domain.accounts.bot_state import BotState
from signalfleet.domain.ids import ChannelId, UserId
from signalfleet_sim.telegram import SimChannel, SimUser, TelegramServer, World

pytestmark = [pytest.mark.loopback, pytest.mark.timeout(120)]


@pytest.fixture
def settings(tmp_path: Path, server: TelegramServer) -> Settings:
    host, port = server.address
    key = tmp_path / "telegram.pem"
    server.write_key(key)
    return Settings(
        _env_file=None,
        data_dir=tmp_path / "data",
        run_dir=tmp_path / "run",
        web_port=0,
        encryption_key=SecretStr(Fernet.generate_key().decode()),
        telegram_api_id=1,
        telegram_api_hash=SecretStr("hash"),
        telegram_dc_id=server.dc,
        telegram_dc_address=f"{host}:{port}",
        telegram_server_key_file=key,
        telegram_connects_per_s=1000,
    )


@pytest.fixture
async def product(settings: Settings) -> AsyncIterator[Platform]:
    stop, up = asyncio.Event(), asyncio.Event()

    async def ready(_address: str) -> None:
        up.set()

    async with open_platform(settings) as platform, asyncio.TaskGroup() as tasks:
        tasks.create_task(serve_all(platform, stop, ready=ready))
        await up.wait()
        yield platform
        stop.set()


class Talk(Dialog):
    """A person with a phone who scans at once."""

    def __init__(self, world: World, user: SimUser) -> None:
        self.world = world
        self.user = user
        self.said: list[str] = []

    def say(self, text: str) -> None:
        self.said.append(text)

    def show_qr(self, address: str) -> None:
        self.world.scan(address, self.user)


async def soon(condition: Callable[[], Awaitable[object]]) -> None:
    async with asyncio.timeout(40):
        while not await condition():  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.1)


async def a_user(
    settings: Settings, product: Platform, world: World, user: SimUser, chats: list[SimChannel]
) -> UserId:
    """Sign somebody in beside the running product, and have it read their channels."""
    talk = Talk(world, user)
    await telegram.login(settings, phone=None, agreed=True, dialog=talk)
    profile = await product.store.fleet.user_by_telegram(user.user_id)
    assert profile is not None
    await telegram.choose_channels(
        settings,
        user=profile.user_id,
        chats=[one.chat_id for one in chats],
        mode="paper",
        dialog=talk,
    )
    return profile.user_id


async def test_a_session_lives_dies_and_ends_for_its_user_alone(
    settings: Settings, product: Platform, world: World, ann: SimUser
) -> None:
    bob = world.user("+1 555 0144", "Bob")
    gold = world.channel("Gold signals")
    for person in (ann, bob):
        gold.join(person)
    gold.post("hello")
    users = {
        person.name: await a_user(settings, product, world, person, [gold]) for person in (ann, bob)
    }
    stores = {name: product.store.user(user) for name, user in users.items()}

    async def reads(name: str, text: str) -> bool:
        return any(one.message.text == text for one in await stores[name].inbox.recent())

    async def state(name: str) -> BotState:
        return (await stores[name].bot.status()).state

    async def is_read() -> bool:
        seen = [await one.channels.get(ChannelId(gold.chat_id)) for one in stores.values()]
        return all(channel is not None and channel.seen_max > 0 for channel in seen)

    await soon(lambda: _both(state, BotState.RUNNING))
    await soon(is_read)  # What was posted before the first connection is no news.
    gold.post("BUY GOLD 1")
    await soon(lambda: reads("Ann", "BUY GOLD 1"))
    await soon(lambda: reads("Bob", "BUY GOLD 1"))
    talk = Talk(world, ann)
    await telegram.list_channels(settings, user=users["Ann"], search="", dialog=talk)
    assert talk.said[-1] == "1 of 1 chats; 1 are read."
    session = await _session(product, users["Ann"])
    assert world.sockets(session) == 1

    world.sessions(ann)[0].revoke(notice="cut")
    await soon(lambda: _is(state("Ann"), BotState.SIGN_IN_NEEDED))
    assert await state("Bob") is BotState.RUNNING
    await telegram.login(settings, phone=None, agreed=True, dialog=talk)
    await soon(lambda: _is(state("Ann"), BotState.RUNNING))
    gold.post("BUY GOLD 2")
    await soon(lambda: reads("Ann", "BUY GOLD 2"))

    await telegram.logout(settings, user=users["Ann"], dialog=talk)
    assert ann.sessions == []
    assert len(bob.sessions) == 1
    # Her bot reads nothing any more, but her accounts are looked after.
    await soon(lambda: _is(state("Ann"), BotState.SIGN_IN_NEEDED))
    assert (await stores["Ann"].bot.status()).reason == "signed_out"
    assert (await stores["Ann"].bot.status()).wish_on
    assert await state("Bob") is BotState.RUNNING
    assert product.credentials is not None
    assert await product.credentials.get(users["Ann"], SESSION_FIELD) is None
    assert [one for one in world.violations if "socket" in str(one)] == []


async def _both(state: Callable[[str], Awaitable[BotState]], wanted: BotState) -> bool:
    return [await state("Ann"), await state("Bob")] == [wanted, wanted]


async def _is(found: Awaitable[BotState], wanted: BotState) -> bool:
    return await found is wanted


async def _session(product: Platform, user: UserId) -> bytes:
    assert product.credentials is not None
    stored = await product.credentials.get(user, SESSION_FIELD)
    assert stored is not None
    return load_session(stored).key
