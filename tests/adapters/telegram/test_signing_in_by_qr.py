"""Signing in by QR code and with a two-step password: every way that it can go."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import replace
from random import Random

import pytest

from kit.telegram_city import PHONE, eventually
from kit.telegram_reader import QUICK, CountingMetrics
from kit.wall_clock import WallClock
from signalfleet.adapters.telegram.gate import ConnectGate
from signalfleet.adapters.telegram.limits import SIGN_INS
from signalfleet.adapters.telegram.login import TelethonSignIn
from signalfleet.adapters.telegram.session import load_session
from signalfleet.adapters.telegram.sessions import TelethonSessions
from signalfleet.adapters.telegram.settings import TelegramSettings
from signalfleet.ports.chat_sign_in import (
    PasswordNeeded,
    QrEvent,
    QrShown,
    SignedIn,
    WrongInputError,
)
from signalfleet.ports.errors import RefusedError, TemporaryError
from signalfleet.ports.secrets import Secret
from signalfleet_sim.telegram import SimUser, TelegramServer, World

pytestmark = pytest.mark.loopback

PASSWORD = "correct horse"
WRONG = Secret("wrong horse")


@pytest.fixture
def metrics() -> CountingMetrics:
    return CountingMetrics()


def an_attempt(settings: TelegramSettings, metrics: CountingMetrics) -> TelethonSignIn:
    clock = WallClock()
    return TelethonSignIn(
        settings, clock=clock, chance=Random(1), metrics=metrics, gate=ConnectGate(clock)
    )


@pytest.fixture
async def sign_in(
    settings: TelegramSettings, metrics: CountingMetrics
) -> AsyncIterator[TelethonSignIn]:
    attempt = an_attempt(settings, metrics)
    yield attempt
    await attempt.aclose()


@pytest.fixture
async def hasty(
    settings: TelegramSettings, metrics: CountingMetrics
) -> AsyncIterator[TelethonSignIn]:
    """An attempt whose codes are renewed at once."""
    attempt = an_attempt(replace(settings, pace=replace(QUICK, qr_renew_s=0.05)), metrics)
    yield attempt
    await attempt.aclose()


async def scanned(
    sign_in: TelethonSignIn, world: World, user: SimUser, *, at: int = 1
) -> Sequence[QrEvent]:
    """Scan the code of that number; return all that was shown."""
    told: list[QrEvent] = []
    async with asyncio.timeout(10), aclosing(sign_in.start_qr()) as events:
        async for event in events:
            told.append(event)
            if isinstance(event, QrShown) and event.number == at:
                world.scan(event.address, user)
    return told


def methods(world: World, user: SimUser | None) -> list[str]:
    return [call.method for call in world.calls(user)]


async def test_a_scanned_code_gives_a_session_that_is_in_use_nowhere(
    sign_in: TelethonSignIn, world: World, ann: SimUser, metrics: CountingMetrics
) -> None:
    shown, signed_in = await scanned(sign_in, world, ann)
    assert isinstance(shown, QrShown)
    assert shown.address.startswith("tg://login?token=")
    assert "=" not in shown.address.partition("token=")[2]
    assert shown.address not in repr(shown)
    assert isinstance(signed_in, SignedIn)
    assert (signed_in.telegram_id, signed_in.display_name) == (ann.user_id, "Ann")
    stored = load_session(signed_in.session)
    assert (stored.telegram_user_id, len(stored.key)) == (ann.user_id, 256)
    assert world.sockets(stored.key) == 0
    assert metrics.of(SIGN_INS, "qr", "signed_in") == 1
    assert world.violations == []


async def test_a_code_is_renewed_in_time_and_at_most_six_are_shown(
    hasty: TelethonSignIn, world: World, metrics: CountingMetrics
) -> None:
    shown: list[str] = []

    async def look() -> None:
        async for event in hasty.start_qr():
            assert isinstance(event, QrShown)
            assert event.of == 6
            shown.append(event.address)

    with pytest.raises(RefusedError, match="show a new one"):
        await look()
    assert len(shown) == len(set(shown)) == 6
    assert methods(world, None).count("auth.exportLoginToken") == 6
    assert metrics.of(SIGN_INS, "qr", "refused") == 1


async def test_the_last_code_may_be_scanned_too(
    hasty: TelethonSignIn, world: World, ann: SimUser
) -> None:
    told = await scanned(hasty, world, ann, at=6)
    assert isinstance(told[-1], SignedIn)


async def test_an_older_code_scanned_after_its_renewal_still_counts(
    hasty: TelethonSignIn, world: World, ann: SimUser
) -> None:
    first = ""
    async with asyncio.timeout(10):
        async for event in hasty.start_qr():
            if isinstance(event, QrShown) and event.number == 1:
                first = event.address
            elif isinstance(event, QrShown) and event.number == 2:
                world.scan(first, ann)
            elif isinstance(event, SignedIn):
                assert event.telegram_id == ann.user_id
                return
    pytest.fail("the scan was not seen")


async def test_a_scan_without_word_from_the_server_is_found_at_the_next_code(
    hasty: TelethonSignIn, server: TelegramServer, world: World, ann: SimUser
) -> None:
    world.sink = None
    told = await scanned(hasty, world, ann)
    assert isinstance(told[-1], SignedIn)


async def test_an_account_of_another_data_centre_signs_in(
    sign_in: TelethonSignIn, world: World
) -> None:
    bob = world.user("+1 555 0144", "Bob", dc=4)
    _, signed_in = await scanned(sign_in, world, bob)
    assert isinstance(signed_in, SignedIn)
    assert load_session(signed_in.session).dc == 4
    assert signed_in.telegram_id == bob.user_id


@pytest.mark.parametrize("dc", [2, 4])
async def test_a_two_step_password_is_asked_for_after_the_scan(
    sign_in: TelethonSignIn, world: World, dc: int
) -> None:
    cara = world.user("+1 555 0155", "Cara", password=PASSWORD, dc=dc)
    _, asked = await scanned(sign_in, world, cara)
    assert asked == PasswordNeeded(hint="the name of the city")
    signed_in = await sign_in.enter_password(Secret(PASSWORD))
    assert signed_in.telegram_id == cara.user_id
    assert world.sockets(load_session(signed_in.session).key) == 0


async def test_a_two_step_password_is_asked_for_after_the_code(
    sign_in: TelethonSignIn, world: World
) -> None:
    cara = world.user("+1 555 0155", "Cara", password=PASSWORD)
    await sign_in.send_code(Secret("+1 555 0155"))
    asked = await sign_in.enter_code(Secret(world.code_for("+1 555 0155")))
    assert isinstance(asked, PasswordNeeded)
    assert (await sign_in.enter_password(Secret(PASSWORD))).telegram_id == cara.user_id


async def test_three_wrong_passwords_end_the_attempt(sign_in: TelethonSignIn, world: World) -> None:
    cara = world.user("+1 555 0155", "Cara", password=PASSWORD)
    await scanned(sign_in, world, cara)
    left = []
    for _ in range(3):
        with pytest.raises(WrongInputError, match="wrong") as caught:
            await sign_in.enter_password(WRONG)
        left.append(caught.value.tries_left)
    assert left == [2, 1, 0]
    assert cara.sessions == []
    assert methods(world, cara)[-1] == "auth.logOut"
    with pytest.raises(RefusedError, match="does not ask"):
        await sign_in.enter_password(Secret(PASSWORD))


async def test_a_wrong_password_can_be_corrected(sign_in: TelethonSignIn, world: World) -> None:
    cara = world.user("+1 555 0155", "Cara", password=PASSWORD)
    await scanned(sign_in, world, cara)
    for text in (WRONG, Secret("")):
        with pytest.raises(WrongInputError):
            await sign_in.enter_password(text)
    assert (await sign_in.enter_password(Secret(PASSWORD))).telegram_id == cara.user_id


async def test_a_question_answered_elsewhere_is_asked_once_more(
    sign_in: TelethonSignIn, world: World
) -> None:
    cara = world.user("+1 555 0155", "Cara", password=PASSWORD)
    await scanned(sign_in, world, cara)
    world.faults.error("auth.checkPassword", 400, "SRP_ID_INVALID", times=1)
    assert (await sign_in.enter_password(Secret(PASSWORD))).telegram_id == cara.user_id


async def test_a_password_nobody_asked_for_is_refused(sign_in: TelethonSignIn) -> None:
    with pytest.raises(RefusedError, match="does not ask"):
        await sign_in.enter_password(Secret(PASSWORD))


@pytest.mark.parametrize(("kind", "words"), [("bot", "person"), ("deleted", "deleted")])
async def test_who_is_no_person_is_refused_and_logged_out(
    sign_in: TelethonSignIn, world: World, kind: str, words: str
) -> None:
    other = world.user("+1 555 0166", "Robot", bot=kind == "bot")
    other.deleted = kind == "deleted"
    with pytest.raises(RefusedError, match=words):
        await scanned(sign_in, world, other)
    assert other.sessions == []
    assert methods(world, other)[-1] == "auth.logOut"


async def test_a_number_without_an_account_is_refused(
    sign_in: TelethonSignIn, world: World
) -> None:
    await sign_in.send_code(Secret("+1 555 0177"))
    with pytest.raises(RefusedError, match="no Telegram account"):
        await sign_in.enter_code(Secret(world.code_for("+1 555 0177")))


async def test_five_wrong_codes_end_the_attempt(
    sign_in: TelethonSignIn, world: World, ann: SimUser
) -> None:
    await sign_in.send_code(Secret(PHONE))
    wrong = Secret("00000" if world.code_for(PHONE) != "00000" else "11111")
    left = []
    for _ in range(5):
        with pytest.raises(WrongInputError) as caught:
            await sign_in.enter_code(wrong)
        left.append(caught.value.tries_left)
    assert left == [4, 3, 2, 1, 0]


@pytest.mark.parametrize(
    ("method", "error", "words"),
    [
        ("auth.sendCode", "PHONE_NUMBER_BANNED", "banned"),
        ("auth.sendCode", "PHONE_NUMBER_FLOOD", "too many"),
        ("auth.sendCode", "API_ID_INVALID", "application id"),
        ("auth.signIn", "PHONE_CODE_EXPIRED", "expired"),
        ("auth.exportLoginToken", "API_ID_INVALID", "application id"),
    ],
)
async def test_each_refusal_is_told_in_plain_words(
    sign_in: TelethonSignIn, world: World, ann: SimUser, method: str, error: str, words: str
) -> None:
    world.faults.error(method, 400, error)

    async def go() -> None:
        if method == "auth.exportLoginToken":
            await anext(aiter(sign_in.start_qr()))
        await sign_in.send_code(Secret(PHONE))
        await sign_in.enter_code(Secret(world.code_for(PHONE)))

    with pytest.raises(RefusedError, match=words):
        await go()


async def test_a_flood_wait_on_a_qr_code_says_how_long(
    sign_in: TelethonSignIn, world: World
) -> None:
    world.faults.flood("auth.exportLoginToken", 600, times=1)
    with pytest.raises(TemporaryError) as caught:
        await anext(aiter(sign_in.start_qr()))
    assert caught.value.retry_after is not None
    assert caught.value.retry_after >= 600


async def test_an_attempt_that_was_closed_asks_nothing_more(
    sign_in: TelethonSignIn, world: World
) -> None:
    async with aclosing(sign_in.start_qr()) as events:
        await anext(events)
    await sign_in.aclose()
    with pytest.raises(TemporaryError, match="over"):
        await sign_in.send_code(Secret(PHONE))


def sessions_over(settings: TelegramSettings) -> TelethonSessions:
    clock = WallClock()
    return TelethonSessions(
        settings,
        clock=clock,
        chance=Random(1),
        metrics=CountingMetrics(),
        gate=ConnectGate(clock),
    )


@pytest.fixture
def sessions(settings: TelegramSettings) -> TelethonSessions:
    return sessions_over(settings)


async def test_signing_out_ends_the_session_at_telegram(
    sessions: TelethonSessions, session: Secret, world: World, ann: SimUser
) -> None:
    key = load_session(session).key
    assert await sessions.is_alive(session)
    await sessions.log_out(session)
    assert ann.sessions == []
    assert not await sessions.is_alive(session)
    await eventually(lambda: world.sockets(key) == 0)


async def test_signing_out_what_has_ended_already_is_no_error(
    sessions: TelethonSessions, session: Secret, world: World, ann: SimUser
) -> None:
    world.sessions(ann)[0].revoke()
    await sessions.log_out(session)
    await sessions.log_out(Secret("damaged"))


async def test_signing_out_without_a_network_says_try_again(
    settings: TelegramSettings, session: Secret, server: TelegramServer
) -> None:
    hurried = sessions_over(replace(settings, pace=replace(QUICK, start_limit_s=0.3)))
    await server.aclose()
    with pytest.raises(TemporaryError):
        await hurried.log_out(session)
