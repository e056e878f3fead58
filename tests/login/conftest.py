"""A running Telegram simulator, and a login worker over it."""

from collections.abc import AsyncIterator
from pathlib import Path
from random import Random

import pytest
from telethon.crypto import rsa

from kit.login_desk import Desk, open_desk
from kit.telegram_city import PHONE, Clock
from signalfleet.adapters.telegram.client import GuardedClient
from signalfleet_sim.telegram import SimUser, TelegramServer, World


@pytest.fixture
def world() -> World:
    return World(Clock(), Random(7))


@pytest.fixture
async def server(world: World, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[TelegramServer]:
    async with TelegramServer(world) as running:
        monkeypatch.setattr(rsa, "_server_keys", {})
        monkeypatch.setattr(GuardedClient, "_config", None)
        yield running


@pytest.fixture
async def desk(tmp_path: Path, world: World, server: TelegramServer) -> AsyncIterator[Desk]:
    async with open_desk(tmp_path, world, server) as opened:
        yield opened


@pytest.fixture
def ann(world: World) -> SimUser:
    return world.user(PHONE, "Ann")
