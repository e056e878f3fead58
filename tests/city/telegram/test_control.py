"""The scripting interface over HTTP."""

import base64
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import ClientSession, web
from telethon import errors, events, functions

from kit.telegram_city import Inbox, MakeClient, eventually
from signalfleet_sim.telegram import TelegramServer, World
from signalfleet_sim.telegram.control import control_routes

pytestmark = pytest.mark.loopback
TOKEN = "token-of-this-run"


@pytest.fixture
async def http(world: World, server: TelegramServer) -> AsyncIterator[ClientSession]:
    app = web.Application()
    app.add_subapp("/telegram/", control_routes(world, server, token=TOKEN))
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    headers = {"Authorization": f"Bearer {TOKEN}"}
    async with ClientSession(f"http://{host}:{port}/telegram/", headers=headers) as session:
        yield session
    await runner.cleanup()


async def ask(http: ClientSession, path: str, body: Any = None, status: int = 200) -> Any:
    method = "GET" if body is None else "POST"
    async with http.request(method, path, json=body) as response:
        assert response.status == status, await response.text()
        return await response.json()


async def test_a_city_is_built_and_lived_in_from_another_process(
    http: ClientSession, make_client: MakeClient, world: World
) -> None:
    facts = await ask(http, "server")
    assert facts["address"].startswith("127.0.0.1:")
    assert facts["public_key"].startswith("-----BEGIN RSA PUBLIC KEY-----")
    await ask(http, "users", {"phone": "+1 555 0100", "name": "Ann"})
    chat = await ask(http, "channels", {"title": "Gold", "members": ["+15550100"]})
    path = f"channels/{chat['id']}"
    client = await make_client()
    await client.connect()
    await client.send_code_request("+15550100")
    code = (await ask(http, "code?phone=15550100"))["code"]
    await client.sign_in("+15550100", code)
    inbox = Inbox()
    client.add_event_handler(inbox.add, events.Raw())
    entities = [{"kind": "strike", "offset": 0, "length": 3}]
    posted = await ask(http, f"{path}/post", {"text": "BUY", "entities": entities})
    await ask(http, f"{path}/edit", {"message_id": posted["message_id"], "text": "SELL"})
    await ask(http, f"{path}/delete", {"message_ids": [posted["message_id"]]})
    assert await inbox.texts(2) == ["BUY", "SELL"]
    assert (await inbox.take()).messages == [posted["message_id"]]
    assert (await ask(http, f"{path}/service", {}))["message_id"] == posted["message_id"] + 1
    (listed,) = (await ask(http, "channels"))["channels"]
    assert (listed["title"], listed["members"]) == ("Gold", 1)
    (user,) = (await ask(http, "users"))["users"]
    assert (user["sockets"], user["listening"]) == (1, 1)
    calls = (await ask(http, "calls?phone=15550100"))["calls"]
    assert "auth.signIn" in {call["method"] for call in calls}
    assert (await ask(http, "violations"))["violations"] == []


async def test_a_premade_session_connects(http: ClientSession, make_client: MakeClient) -> None:
    await ask(http, "users", {"phone": "1555010", "name": "Ann"})
    made = await ask(http, "sessions", {"phone": "1555010"})
    key = base64.b64decode(made["key"])
    client = await make_client((made["dc"], made["host"], made["port"], key))
    await client.connect()
    assert await client.is_user_authorized()


async def test_members_invites_and_topics(http: ClientSession, world: World) -> None:
    await ask(http, "users", {"phone": "1555010", "name": "Ann"})
    forum = {"title": "F", "kind": "supergroup", "forum": True}
    chat = await ask(http, "channels", forum)
    path = f"channels/{chat['id']}"
    for act in ("join", "leave", "join", "ban"):
        await ask(http, f"{path}/{act}", {"phone": "1555010"})
    assert (await ask(http, f"{path}/topic", {"title": "Forex"}))["topic"] == 2
    assert world.find_invite((await ask(http, f"{path}/invite", {}))["hash"]) is not None


async def test_faults_are_turned_on_and_off(
    http: ClientSession, client: Any, world: World, gold: Any
) -> None:
    await ask(http, "faults", {"fault": "flood", "method": "*", "seconds": 60})
    with pytest.raises(errors.FloodWaitError):
        await client(functions.updates.GetStateRequest())
    client._flood_waited_requests.clear()
    await ask(http, "faults", {"fault": "clear"})
    await client(functions.updates.GetStateRequest())
    for fault in (
        {"fault": "error", "method": "help.getConfig", "code": 400, "text": "X"},
        {"fault": "delay", "method": "help.getConfig", "seconds": 1},
        {"fault": "channel", "channel": gold.chat_id, "do": "hold"},
        {"fault": "channel", "channel": gold.chat_id, "do": "release"},
        {"fault": "channel", "channel": gold.chat_id, "do": "too_long"},
        {"fault": "channel", "channel": gold.chat_id, "do": "limit", "limit": 3},
        {"fault": "drop_updates", "count": 1},
        {"fault": "repeat_updates", "count": 1},
        {"fault": "transport", "code": -429, "seconds": 0.1},
        {"fault": "blackhole", "seconds": 0.1, "phone": "15550100"},
        {"fault": "refuse", "seconds": 0.1},
        {"fault": "clear"},
        {"fault": "cut", "how": "fin"},
    ):
        await ask(http, "faults", fault)
    assert gold.difference_limit == 3
    (session,) = world.sessions(next(iter(world.users)))
    await eventually(lambda: session.wires)
    await ask(http, "faults", {"fault": "revoke", "phone": "+15550100"})
    with pytest.raises(errors.SessionRevokedError):
        await client(functions.updates.GetStateRequest())


@pytest.mark.parametrize(
    ("path", "body", "says"),
    [
        ("users", {"phone": "1555"}, "name is missing"),
        ("users", {"phone": 5, "name": "x"}, "phone must be of type str"),
        ("users", [], "must be a JSON object"),
        ("channels", {"title": "x", "kind": "cinema"}, "kind is one of channel"),
        ("channels", {"title": "x", "members": ["999"]}, "no account has this phone"),
        ("channels/5/post", {"text": "x"}, "no chat has the id 5"),
        ("faults", {"fault": "earthquake"}, "fault is one of"),
        ("faults", {"fault": "refuse", "seconds": True}, "seconds must be of type float"),
        ("scan", {"url": "x", "phone": "999"}, "no account has this phone"),
        ("code?phone=999", None, "no code is on its way"),
    ],
)
async def test_mistakes_are_named(http: ClientSession, path: str, body: Any, says: str) -> None:
    assert says in (await ask(http, path, body, 400))["error"]


async def test_nothing_is_answered_without_the_token(http: ClientSession) -> None:
    for headers in ({"Authorization": ""}, {"Authorization": "Bearer wrong"}):
        async with http.get("users", headers=headers) as response:
            assert response.status == 401
