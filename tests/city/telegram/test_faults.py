"""Each fault, seen from a stock client."""

import asyncio
import contextlib
from random import Random
from typing import Any, Literal

import pytest
from telethon import errors, functions
from telethon.errors import AuthKeyNotFound, InvalidBufferError

from kit.telegram_city import Clock, Inbox, MakeClient, eventually, stock_client
from signalfleet_sim.telegram import SimChannel, SimUser, TelegramServer, World

pytestmark = pytest.mark.loopback

GET_STATE = functions.updates.GetStateRequest


async def test_a_flood_wait_counts_down(world: World, client: Any, clock: Clock) -> None:
    world.faults.flood("updates.getState", 20)
    with pytest.raises(errors.FloodWaitError) as caught:
        await client(GET_STATE())
    assert caught.value.seconds == 20
    client._flood_waited_requests.clear()
    clock.ahead_s = 15
    with pytest.raises(errors.FloodWaitError) as caught:
        await client(GET_STATE())
    assert caught.value.seconds == 5
    client._flood_waited_requests.clear()
    clock.ahead_s = 21
    await client(GET_STATE())


async def test_a_flood_wait_can_last_for_a_number_of_calls(
    world: World, ann: SimUser, client: Any
) -> None:
    bob = world.user("+1 555 0111", "Bob")
    world.faults.flood("*", 300, times=1, user=ann)
    world.faults.flood("*", 300, times=1, user=bob)
    with pytest.raises(errors.FloodWaitError):
        await client(GET_STATE())
    client._flood_waited_requests.clear()
    await client(GET_STATE())
    assert [call.error for call in world.calls(ann)][-2:] == ["FLOOD_WAIT_300", None]


async def test_a_method_fails_as_often_as_told(world: World, client: Any) -> None:
    world.faults.error("updates.getState", 400, "CHANNEL_INVALID", times=2)
    for _ in range(2):
        with pytest.raises(errors.ChannelInvalidError):
            await client(GET_STATE())
    await client(GET_STATE())


async def test_answers_may_overtake_each_other(world: World, client: Any) -> None:
    world.faults.delay("updates.getState", 0.2)
    order: list[str] = []

    async def ask(name: str, request: Any) -> None:
        await client(request)
        order.append(name)

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(ask("slow", GET_STATE()))
        tasks.create_task(ask("quick", functions.help.GetConfigRequest()))
    assert order == ["quick", "slow"]


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("SESSION_REVOKED", errors.SessionRevokedError),
        ("AUTH_KEY_UNREGISTERED", errors.AuthKeyUnregisteredError),
        ("USER_DEACTIVATED_BAN", errors.UserDeactivatedBanError),
    ],
)
async def test_a_revoked_session_is_told_so_on_its_next_request(
    world: World, ann: SimUser, client: Any, text: str, error: type[Exception]
) -> None:
    (session,) = world.sessions(ann)
    session.revoke(text)
    with pytest.raises(error):
        await client(GET_STATE())
    assert client.is_connected()


async def test_a_revoked_session_is_told_nothing_more(
    world: World, ann: SimUser, gold: SimChannel, inbox: Inbox, client: Any
) -> None:
    (session,) = world.sessions(ann)
    session.revoke(notice="cut")
    gold.post("secret")
    await eventually(lambda: session.wires)
    with pytest.raises(errors.SessionRevokedError):
        await client(GET_STATE())
    assert inbox.is_empty


async def test_a_forgotten_key_is_answered_with_404(
    make_client: MakeClient, world: World, ann: SimUser
) -> None:
    session = world.premade_session(ann)
    client = await make_client(session)
    await client.connect()
    world.session_of(session[3]).forget()
    with pytest.raises(AuthKeyNotFound):
        await asyncio.wait_for(client.disconnected, 5)
    again = await make_client(session)
    with pytest.raises(AuthKeyNotFound):
        await again.connect()


async def test_a_duplicated_key_is_dead_for_ever(
    make_client: MakeClient, world: World, ann: SimUser
) -> None:
    session = world.premade_session(ann)
    client = await make_client(session)
    await client.connect()
    world.session_of(session[3]).duplicate()
    for _ in range(2):
        with pytest.raises(errors.AuthKeyDuplicatedError):
            await client(GET_STATE())
    again = await make_client(session)
    with pytest.raises(errors.AuthKeyDuplicatedError):
        await again.connect()


@pytest.mark.parametrize("policy", ["allow", "kill_key", "kill_key_other_address"])
async def test_two_connections_on_one_key_are_seen_and_may_kill_it(
    make_client: MakeClient,
    world: World,
    ann: SimUser,
    policy: Literal["allow", "kill_key", "kill_key_other_address"],
) -> None:
    world.second_connection = policy
    session = world.premade_session(ann)
    first = await make_client(session)
    second = await make_client(session, local_addr=("127.0.0.2", 0))
    await first.connect()
    await second.connect()
    assert world.sockets(session[3]) == 2
    await eventually(lambda: world.violations)
    assert [violation.kind for violation in world.violations] == ["two_sockets"]
    if policy == "allow":
        await first(GET_STATE())
    else:
        with pytest.raises(errors.AuthKeyDuplicatedError):
            await first(GET_STATE())


async def test_nothing_passes_a_black_hole_until_it_ends(
    world: World, ann: SimUser, gold: SimChannel, inbox: Inbox, client: Any
) -> None:
    (session,) = world.sessions(ann)
    world.faults.blackhole(session, 0.3)
    gold.post("BUY")
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await client(GET_STATE())
    assert inbox.is_empty
    assert client.is_connected()
    assert await inbox.texts(1) == ["BUY"]
    await client(GET_STATE())


async def test_connections_are_refused_for_a_while(
    make_client: MakeClient, world: World, ann: SimUser, clock: Clock
) -> None:
    session = world.premade_session(ann)
    world.faults.refuse(60)
    client = await make_client(session, connection_retries=0, auto_reconnect=False)
    with pytest.raises((ConnectionError, asyncio.CancelledError)):
        await client.connect()
    clock.ahead_s = 61
    again = await make_client(session)
    await again.connect()


async def test_a_bare_429_ends_the_client(
    make_client: MakeClient, world: World, ann: SimUser
) -> None:
    client = await make_client(world.premade_session(ann))
    await client.connect()
    world.faults.transport(-429, "bare")
    with pytest.raises(InvalidBufferError):
        await client._sender.send(functions.PingRequest(1))
    with pytest.raises(InvalidBufferError):
        await asyncio.wait_for(client.disconnected, 5)


async def test_a_framed_429_makes_the_client_connect_again(world: World, client: Any) -> None:
    connects = world.journal.connects
    world.faults.transport(-429, times=3)
    await client(GET_STATE())
    assert world.journal.connects >= connects + 3


async def test_a_changed_salt_is_learnt(world: World, client: Any) -> None:
    world.faults.salt()
    await client(GET_STATE())
    assert client._sender._state.salt == world.sessions(next(iter(world.users)))[0].salt


@pytest.mark.parametrize("code", [16, 32, 33])
async def test_a_bad_message_is_sent_again(world: World, client: Any, code: int) -> None:
    world.faults.bad_msg(code)
    await client(GET_STATE())


async def test_an_invalid_container_is_told_to_the_caller(world: World, client: Any) -> None:
    world.faults.bad_msg(64)
    with pytest.raises(errors.BadMessageError):
        await client(GET_STATE())


@pytest.mark.parametrize("hours", [-2, 2])
async def test_a_client_learns_a_clock_that_is_hours_off(
    make_client: MakeClient, world: World, ann: SimUser, gold: SimChannel, hours: int
) -> None:
    world.faults.clock(hours * 3600)
    client = await make_client(world.premade_session(ann))
    await client.connect()
    state = await client(GET_STATE())
    assert abs(state.date.timestamp() - world.time()) < 5
    assert abs(client._sender._state.time_offset - hours * 3600) <= 2


async def test_a_clock_that_moves_while_connected_is_learnt_too(world: World, client: Any) -> None:
    world.faults.clock(-40)
    await client(GET_STATE())


async def test_a_lost_server_session_goes_on(
    world: World, ann: SimUser, gold: SimChannel, inbox: Inbox, client: Any
) -> None:
    (session,) = world.sessions(ann)
    world.faults.server_session_lost(session)
    await client(GET_STATE())
    gold.post("BUY")
    assert await inbox.texts(1) == ["BUY"]


async def test_held_updates_are_released_in_order(
    world: World, gold: SimChannel, inbox: Inbox
) -> None:
    world.faults.hold(gold)
    gold.post("one")
    gold.post("two")
    assert inbox.is_empty
    world.faults.release(gold)
    assert await inbox.texts(2) == ["one", "two"]


async def test_updates_are_dropped_repeated_and_unreadable_on_command(
    world: World, ann: SimUser, gold: SimChannel, inbox: Inbox
) -> None:
    gold.post("start")
    assert await inbox.texts(1) == ["start"]
    world.faults.drop_updates(1, user=ann)
    gold.post("dropped")
    world.faults.repeat_updates(1)
    gold.post("twice")
    assert await inbox.texts(2) == ["dropped", "twice"]
    world.faults.unknown_object()
    gold.post("unreadable")
    gold.post("readable")
    assert await inbox.texts(2) == ["unreadable", "readable"]
    world.faults.drop_updates(share=1.0)
    gold.post("lost")
    world.faults.clear()
    gold.post("end")
    assert await inbox.texts(2) == ["lost", "end"]


async def test_swapped_updates_are_put_right_by_the_client(
    world: World, gold: SimChannel, inbox: Inbox
) -> None:
    texts = [f"post {n}" for n in range(20)]
    gold.post("start")
    assert await inbox.texts(1) == ["start"]
    world.faults.reorder(Random(1))
    for text in texts:
        gold.post(text)
    world.faults.clear()
    gold.post("end")
    assert await inbox.texts(21) == [*texts, "end"]


async def test_a_crowd_of_connects_is_a_violation(
    world: World, server: TelegramServer, clock: Clock
) -> None:
    world.journal.connects_per_s = 5
    for _ in range(11):
        _, writer = await asyncio.open_connection(*server.address)
        writer.close()
        await writer.wait_closed()
    await eventually(lambda: world.violations)
    assert world.violations[0].kind == "connects"


@pytest.mark.parametrize(
    "sent",
    [b"GET / HTTP/1.1\r\nHost: telegram\r\n\r\n", b"\xef" * 16, bytes(64), b"\x10\0\0\0" * 8],
)
async def test_strangers_are_cut_off(server: TelegramServer, sent: bytes) -> None:
    reader, writer = await asyncio.open_connection(*server.address)
    writer.write(sent)
    async with asyncio.timeout(5):
        with contextlib.suppress(ConnectionResetError):
            assert await reader.read() == b""
    writer.close()


async def test_closing_the_server_keeps_the_world(
    world: World, ann: SimUser, server: TelegramServer
) -> None:
    key = world.premade_session(ann)[3]
    await server.aclose()
    async with TelegramServer(world) as second:
        client = stock_client((2, *second.address, key))
        await client.connect()
        assert (await client.get_me()).id == ann.user_id
        await client.disconnect()


async def test_an_outage_swallows_new_connections_too(
    make_client: MakeClient, world: World, ann: SimUser
) -> None:
    session = world.premade_session(ann)
    world.faults.outage(0.3)
    client = await make_client(session)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await client.connect()
    again = await make_client(world.premade_session(ann))
    await again.connect()
    assert await again.is_user_authorized()
