"""A running server, and stock clients that know its address and key."""

from collections.abc import AsyncIterator
from random import Random
from typing import Any

import pytest
from telethon import TelegramClient, events
from telethon.crypto import rsa

from kit.telegram_city import PHONE, Clock, Inbox, MakeClient, stock_client
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
        monkeypatch.setattr(TelegramClient, "_config", None)
        rsa.add_key(running.public_key_pem, old=False)
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
async def make_client(server: TelegramServer) -> AsyncIterator[MakeClient]:
    """Return a maker of clients; with a session it is (dc, host, port, key)."""
    made: list[Any] = []

    async def make(session: tuple[int, str, int, bytes] | None = None, **options: Any) -> Any:
        client = stock_client(session or (server.dc, *server.address, None), **options)
        made.append(client)
        return client

    yield make
    for client in made:
        await client.disconnect()


@pytest.fixture
async def client(make_client: MakeClient, world: World, ann: SimUser) -> Any:
    """Return a connected client that is signed in as Ann."""
    client = await make_client(world.premade_session(ann))
    await client.connect()
    return client


@pytest.fixture
async def inbox(gold: SimChannel, client: Any) -> Inbox:
    """Return what the client's handlers get, from now on."""
    del gold
    arrived = Inbox()
    client.add_event_handler(arrived.add, events.Raw())
    return arrived
