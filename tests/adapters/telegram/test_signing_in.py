"""Signing in by phone code, and what a person is told when it does not work."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import replace
from random import Random

import pytest

from kit.telegram_city import PHONE, eventually
from kit.telegram_reader import (
    QUICK,
    CountingMetrics,
    reading,
    session_for,
    settings_for,
    watched,
)
from kit.wall_clock import WallClock
from signalfleet.adapters.telegram.directory import TelethonChatDirectory
from signalfleet.adapters.telegram.gate import ConnectGate
from signalfleet.adapters.telegram.login import TelethonSignIn
from signalfleet.adapters.telegram.session import load_session
from signalfleet.adapters.telegram.settings import TelegramSettings
from signalfleet.ports.chat_sign_in import SignedIn
from signalfleet.ports.errors import RefusedError, SignInRequiredError, TemporaryError
from signalfleet.ports.secrets import Secret
from signalfleet_sim.telegram import SimChannel, SimUser, TelegramServer, World

pytestmark = pytest.mark.loopback


def a_sign_in(settings: TelegramSettings) -> TelethonSignIn:
    clock = WallClock()
    return TelethonSignIn(
        settings,
        clock=clock,
        chance=Random(1),
        metrics=CountingMetrics(),
        gate=ConnectGate(clock),
    )


@pytest.fixture
async def sign_in(settings: TelegramSettings) -> AsyncIterator[TelethonSignIn]:
    async with aclosing(a_sign_in(settings)) as attempt:
        yield attempt


async def test_a_code_gives_a_session_that_reads(
    sign_in: TelethonSignIn,
    settings: TelegramSettings,
    world: World,
    ann: SimUser,
    gold: SimChannel,
) -> None:
    sent = await sign_in.send_code(Secret(PHONE))
    assert sent.delivery == "app"
    signed_in = signed(await sign_in.enter_code(Secret(world.code_for(PHONE))))
    assert (signed_in.telegram_id, signed_in.display_name) == (ann.user_id, "Ann")
    stored = load_session(signed_in.session)
    assert world.sockets(stored.key) == 0
    assert signed_in.session.reveal() not in repr(signed_in)
    async with reading(settings, signed_in.session, [watched(gold, ann, world)]) as now:
        await now.until_live()
        gold.post("BUY")
        await eventually(lambda: now.inbox.posted() == ["BUY"])


async def test_an_account_of_another_data_centre_signs_in(
    sign_in: TelethonSignIn, settings: TelegramSettings, world: World
) -> None:
    bob = world.user("+1 555 0144", "Bob", dc=4)
    news = world.channel("News")
    news.join(bob)
    await sign_in.send_code(Secret("+1 555 0144"))
    signed_in = signed(await sign_in.enter_code(Secret(world.code_for("+1 555 0144"))))
    assert load_session(signed_in.session).dc == 4
    async with reading(settings, signed_in.session, [watched(news, bob, world)]) as now:
        await now.until_live()
        news.post("hello")
        await eventually(lambda: now.inbox.posted() == ["hello"])


async def test_a_wrong_code_can_be_corrected(
    sign_in: TelethonSignIn, world: World, ann: SimUser
) -> None:
    await sign_in.send_code(Secret(PHONE))
    code = world.code_for(PHONE)
    wrong = "00000" if code != "00000" else "11111"
    with pytest.raises(RefusedError, match="wrong"):
        await sign_in.enter_code(Secret(wrong))
    assert (
        signed(await sign_in.enter_code(Secret(f" {code[:2]} {code[2:]} "))).telegram_id
        == ann.user_id
    )


async def test_an_unknown_number_is_refused_in_plain_words(
    sign_in: TelethonSignIn, world: World
) -> None:
    world.faults.error("auth.sendCode", 400, "PHONE_NUMBER_INVALID")
    with pytest.raises(RefusedError, match="check its digits"):
        await sign_in.send_code(Secret("+1 555 9999"))


@pytest.mark.parametrize("phone", ["", "Ann", "+"])
async def test_what_is_no_number_is_not_even_asked(sign_in: TelethonSignIn, phone: str) -> None:
    with pytest.raises(RefusedError, match="country code"):
        await sign_in.send_code(Secret(phone))


async def test_a_flood_wait_says_how_long(
    sign_in: TelethonSignIn, world: World, ann: SimUser
) -> None:
    world.faults.flood("auth.sendCode", 300, times=1)
    with pytest.raises(TemporaryError) as caught:
        await sign_in.send_code(Secret(PHONE))
    assert caught.value.retry_after is not None
    assert caught.value.retry_after >= 300
    assert "5550100" not in str(caught.value)


async def test_a_code_without_a_request_is_refused(sign_in: TelethonSignIn) -> None:
    with pytest.raises(RefusedError, match="ask for a code first"):
        await sign_in.enter_code(Secret("12345"))


async def test_no_server_is_a_temporary_error(server: TelegramServer) -> None:
    hurried = a_sign_in(settings_for(server, replace(QUICK, start_limit_s=0.3)))
    await server.aclose()
    async with aclosing(hurried):
        with pytest.raises(TemporaryError):
            await hurried.send_code(Secret(PHONE))


def signed(answer: object) -> SignedIn:
    assert isinstance(answer, SignedIn)
    return answer


def directory(settings: TelegramSettings, session: Secret) -> TelethonChatDirectory:
    clock = WallClock()
    return TelethonChatDirectory(
        session,
        settings,
        clock=clock,
        chance=Random(1),
        metrics=CountingMetrics(),
        gate=ConnectGate(clock),
    )


async def test_the_picker_lists_chats_but_no_people(
    settings: TelegramSettings, session: Secret, world: World, ann: SimUser, gold: SimChannel
) -> None:
    vip = world.channel("VIP", kind="supergroup", username="vip", noforwards=True)
    friends = world.channel("Friends", kind="group")
    robot = world.channel("Robot", kind="bot")
    for chat in (vip, friends, robot):
        chat.join(ann)
        chat.post("hello")
    gold.post("hello")
    world.announce_code(PHONE, "12345")
    found = {one.title: one async for one in directory(settings, session).list_chats()}
    assert {title: one.kind for title, one in found.items()} == {
        "Gold signals": "channel",
        "VIP": "supergroup",
        "Friends": "group",
        "Robot": "bot",
    }
    assert found["VIP"].username == "vip"
    assert found["VIP"].is_protected
    assert found["Gold signals"].chat == gold.chat_id
    assert found["Gold signals"].access_hash == world.access_hash(ann, gold.channel_id)
    assert world.violations == []


async def test_many_chats_come_page_by_page_and_once(
    settings: TelegramSettings, session: Secret, world: World, ann: SimUser
) -> None:
    for number in range(230):
        chat = world.channel(f"Channel {number}")
        chat.join(ann)
        chat.post("hello", at=1_700_000_000 + number)
    titles = [one.title async for one in directory(settings, session).list_chats()]
    assert len(titles) == len(set(titles)) == 230


async def test_a_running_reader_lists_without_a_second_connection(
    settings: TelegramSettings, session: Secret, world: World, ann: SimUser, gold: SimChannel
) -> None:
    async with reading(settings, session, [watched(gold, ann, world)]) as now:
        await now.until_live()
        found = [one.chat async for one in now.source.list_chats()]
        assert found == [gold.chat_id]
        assert world.sockets(load_session(session).key) == 1


async def test_a_revoked_session_cannot_list(
    settings: TelegramSettings, session: Secret, world: World, ann: SimUser
) -> None:
    world.sessions(ann)[0].revoke()
    with pytest.raises(SignInRequiredError) as caught:
        _ = [one async for one in directory(settings, session).list_chats()]
    assert caught.value.reason == "revoked"


async def test_two_users_have_two_sessions(server: TelegramServer, world: World) -> None:
    users = [world.user(f"+1 555 02{n:02}", f"User {n}") for n in range(2)]
    keys = {load_session(session_for(world, user)).key for user in users}
    assert len(keys) == 2
