"""Signing in: by phone code, by QR code, with a password, at another data centre."""

import asyncio
import base64
from typing import Any

import pytest
from telethon import errors, functions, types

from kit.telegram_city import PHONE, Clock, MakeClient, eventually
from signalfleet_sim.telegram import CityError, SimUser, World

pytestmark = pytest.mark.loopback


async def test_the_right_code_signs_in(make_client: MakeClient, world: World, ann: SimUser) -> None:
    client = await make_client()
    await client.connect()
    assert not await client.is_user_authorized()
    await client.send_code_request(PHONE)
    me = await client.sign_in(PHONE, world.code_for(PHONE))
    assert (me.id, me.first_name, me.is_self) == (ann.user_id, "Ann", True)
    assert len(client.session.auth_key.key) == 256
    assert world.violations == []


async def test_a_wrong_code_is_refused_and_the_right_one_still_works(
    make_client: MakeClient, world: World, ann: SimUser
) -> None:
    client = await make_client()
    await client.connect()
    await client.send_code_request(PHONE)
    wrong = "00000" if world.code_for(PHONE) != "00000" else "11111"
    with pytest.raises(errors.PhoneCodeInvalidError):
        await client.sign_in(PHONE, wrong)
    assert (await client.sign_in(PHONE, world.code_for(PHONE))).id == ann.user_id


async def test_an_old_code_has_expired(
    make_client: MakeClient, world: World, ann: SimUser, clock: Clock
) -> None:
    client = await make_client()
    await client.connect()
    await client.send_code_request(PHONE)
    code = world.code_for(PHONE)
    world.logins._codes["15550100"].sent_at -= 301
    with pytest.raises(errors.PhoneCodeExpiredError):
        await client.sign_in(PHONE, code)


async def test_a_cancelled_code_is_void(
    make_client: MakeClient, world: World, ann: SimUser
) -> None:
    client = await make_client()
    await client.connect()
    sent = await client.send_code_request(PHONE)
    assert await client(functions.auth.CancelCodeRequest(PHONE, sent.phone_code_hash))
    with pytest.raises(CityError, match="no code is on its way"):
        world.code_for(PHONE)


async def test_a_resent_code_replaces_the_first(
    make_client: MakeClient, world: World, ann: SimUser, clock: Clock
) -> None:
    client = await make_client()
    await client.connect()
    sent = await client.send_code_request(PHONE)
    first = world.code_for(PHONE)
    again = await client(functions.auth.ResendCodeRequest(PHONE, sent.phone_code_hash))
    assert again.phone_code_hash != sent.phone_code_hash
    assert world.code_for(PHONE) != first
    assert [violation.kind for violation in world.violations] == ["send_code"]


@pytest.mark.parametrize(
    ("state", "error"),
    [("banned", errors.PhoneNumberBannedError), ("flood", errors.PhoneNumberFloodError)],
)
async def test_some_phones_get_no_code(
    make_client: MakeClient, ann: SimUser, state: Any, error: type[Exception]
) -> None:
    ann.phone_state = state
    client = await make_client()
    await client.connect()
    with pytest.raises(error):
        await client.send_code_request(PHONE)


async def test_a_phone_without_an_account_must_sign_up(
    make_client: MakeClient, world: World
) -> None:
    client = await make_client()
    await client.connect()
    await client.send_code_request("+1 555 0199")
    with pytest.raises(errors.PhoneNumberUnoccupiedError):
        await client.sign_in("+1 555 0199", world.code_for("+1 555 0199"))


async def test_too_short_a_number_is_invalid(make_client: MakeClient) -> None:
    client = await make_client()
    await client.connect()
    with pytest.raises(errors.PhoneNumberInvalidError):
        await client.send_code_request("12345")


async def test_an_unexpected_application_is_refused(
    make_client: MakeClient, world: World, ann: SimUser
) -> None:
    world.api_credentials = (2, "other")
    client = await make_client()
    await client.connect()
    with pytest.raises(errors.ApiIdInvalidError):
        await client.send_code_request(PHONE)


async def test_two_step_verification_asks_for_the_password(
    make_client: MakeClient, world: World
) -> None:
    world.user("+1 555 0102", "Bob", password="open sesame")
    client = await make_client()
    await client.connect()
    await client.send_code_request("+15550102")
    with pytest.raises(errors.SessionPasswordNeededError):
        await client.sign_in("+15550102", world.code_for("+15550102"))
    with pytest.raises(errors.PasswordHashInvalidError):
        await client.sign_in(password="open barley")
    me = await client.sign_in(password="open sesame")
    assert me.first_name == "Bob"


async def test_an_account_elsewhere_is_found_at_its_data_centre(
    make_client: MakeClient, world: World
) -> None:
    world.user("+1 555 0103", "Eve", dc=4)
    client = await make_client()
    await client.connect()
    await client.send_code_request("+15550103")
    me = await client.sign_in("+15550103", world.code_for("+15550103"))
    assert me.first_name == "Eve"
    assert client.session.dc_id == 4


@pytest.mark.parametrize("dc", [2, 4])
async def test_a_scanned_qr_code_signs_in(make_client: MakeClient, world: World, dc: int) -> None:
    owner = world.user("+1 555 0104", "Kim", dc=dc)
    client = await make_client()
    await client.connect()
    login = await client.qr_login()
    async with asyncio.TaskGroup() as tasks:
        waiting = tasks.create_task(login.wait(10))
        await eventually(client.list_event_handlers)
        world.scan(login.url, owner)
    assert waiting.result().id == owner.user_id
    assert client.session.dc_id == dc


async def test_a_qr_code_can_be_accepted_by_another_client(
    make_client: MakeClient, world: World, client: Any
) -> None:
    desktop = await make_client()
    await desktop.connect()
    request = functions.auth.ExportLoginTokenRequest(1, "hash", [])
    token = (await desktop(request)).token
    device = await client(functions.auth.AcceptLoginTokenRequest(token))
    assert device.app_version
    with pytest.raises(errors.AuthTokenAlreadyAcceptedError):
        await client(functions.auth.AcceptLoginTokenRequest(token))
    assert isinstance(await desktop(request), types.auth.LoginTokenSuccess)


async def test_a_qr_code_of_an_account_with_a_password_is_not_enough(
    make_client: MakeClient, world: World
) -> None:
    owner = world.user("+1 555 0105", "Lee", password="pw")
    client = await make_client()
    await client.connect()
    request = functions.auth.ExportLoginTokenRequest(1, "hash", [])
    shown = await client(request)
    world.scan(f"tg://login?token={base64.urlsafe_b64encode(shown.token).decode()}", owner)
    with pytest.raises(errors.SessionPasswordNeededError):
        await client(request)
    assert (await client.sign_in(password="pw")).id == owner.user_id


async def test_something_that_is_no_sign_in_code_cannot_be_scanned(
    world: World, ann: SimUser
) -> None:
    with pytest.raises(CityError, match="not a sign-in code"):
        world.scan("https://example.org", ann)
    with pytest.raises(CityError, match="AUTH_TOKEN_INVALID"):
        world.scan("tg://login?token=AAAA", ann)


async def test_a_stored_key_needs_no_new_sign_in(
    make_client: MakeClient, world: World, ann: SimUser
) -> None:
    session = world.premade_session(ann)
    for _ in range(2):
        client = await make_client(session)
        await client.connect()
        assert (await client.get_me()).id == ann.user_id
        await client.disconnect()
    await eventually(lambda: world.sockets(session[3]) == 0)
    assert world.violations == []


async def test_logging_out_ends_the_session(
    make_client: MakeClient, world: World, ann: SimUser
) -> None:
    session = world.premade_session(ann)
    client = await make_client(session)
    await client.connect()
    assert await client.log_out()
    assert world.sessions(ann) == []
    again = await make_client(session)
    await again.connect()
    assert not await again.is_user_authorized()
    assert "after_log_out" in {violation.kind for violation in world.violations}


async def test_the_devices_of_an_account_are_listed(
    make_client: MakeClient, world: World, ann: SimUser, client: Any
) -> None:
    world.premade_session(ann)
    listed = await client(functions.account.GetAuthorizationsRequest())
    (current,) = [device for device in listed.authorizations if device.current]
    (other,) = [device for device in listed.authorizations if not device.current]
    assert (current.hash, current.api_id) == (0, 1)
    assert current.device_model
    with pytest.raises(errors.FreshResetAuthorisationForbiddenError):
        await client(functions.account.ResetAuthorizationRequest(other.hash))


async def test_a_sign_in_code_appears_where_the_account_is_signed_in_already(
    make_client: MakeClient, world: World, ann: SimUser, inbox: Any
) -> None:
    other = await make_client()
    await other.connect()
    await other.send_code_request(PHONE)
    update = await inbox.take()
    assert update.message.peer_id.user_id == 777000
    assert world.code_for(PHONE) in update.message.message
