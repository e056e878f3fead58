"""A running simulator, an account in it and a channel that the account reads."""

from collections.abc import AsyncIterator
from random import Random

import pytest
from telethon.crypto import rsa

from kit.telegram_city import PHONE, Clock
from kit.telegram_reader import session_for, settings_for
from signalfleet.adapters.telegram.client import GuardedClient
from signalfleet.adapters.telegram.settings import TelegramSettings
from signalfleet.ports.secrets import Secret
from signalfleet_sim.telegram import SimChannel, SimUser, TelegramServer, World


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def world(clock: Clock) -> World:
    return World(clock, Random(7))


@pytest.fixture
async def server(world: World, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[TelegramServer]:
    async with TelegramServer(world) as running:
        monkeypatch.setattr(rsa, "_server_keys", {})
        monkeypatch.setattr(GuardedClient, "_config", None)
        yield running


@pytest.fixture
def ann(world: World) -> SimUser:
    return world.user(PHONE, "Ann")


@pytest.fixture
def gold(world: World, ann: SimUser) -> SimChannel:
    channel = world.channel("Gold signals")
    channel.join(ann)
    return channel


@pytest.fixture
def settings(server: TelegramServer) -> TelegramSettings:
    return settings_for(server)


@pytest.fixture
def session(server: TelegramServer, world: World, ann: SimUser) -> Secret:
    return session_for(world, ann)
