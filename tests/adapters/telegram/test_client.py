"""The library under guard: what it says about updates is not passed on."""

from dataclasses import replace

import pytest
from cryptography.hazmat.primitives import serialization
from telethon.tl import functions

from kit.telegram_reader import CountingMetrics, source_for
from kit.telegram_requests import ALL, WRAPPERS
from signalfleet.adapters.telegram.client import GuardedClient, _library_logger, public_key_of
from signalfleet.adapters.telegram.guard import ALLOWED, ForbiddenRequestError, Role
from signalfleet.adapters.telegram.limits import FORBIDDEN_REQUESTS
from signalfleet.adapters.telegram.session import FleetSession, load_session
from signalfleet.adapters.telegram.settings import TelegramSettings
from signalfleet.ports.secrets import Secret
from signalfleet_sim.telegram import SimUser, TelegramServer, World


def test_the_librarys_arguments_are_never_logged(capsys: pytest.CaptureFixture[str]) -> None:
    logger = _library_logger().getChild("network")
    logger.warning("Note: %s is not an update", "Login code: 98765")
    try:
        int("Login code: 98765")
    except ValueError:
        logger.exception("Unhandled error, %s", "98765")
    said = "".join(capsys.readouterr())
    assert "98765" not in said
    assert "ValueError" in said


@pytest.mark.loopback
async def test_a_forbidden_request_never_reaches_the_network(
    settings: TelegramSettings, session: Secret
) -> None:
    metrics = CountingMetrics()
    source = source_for(settings, session, metrics)
    client = GuardedClient(
        FleetSession.of(load_session(session), settings),
        settings,
        source._link,
        metrics,
        role=Role.READER,
    )
    with pytest.raises(ForbiddenRequestError, match="UpdateStatusRequest"):
        await client(functions.account.UpdateStatusRequest(offline=False))
    with pytest.raises(ForbiddenRequestError):
        await client.send_message("me", "hello")
    with pytest.raises(ForbiddenRequestError):
        client._sender.send(functions.account.UpdateStatusRequest(offline=False))
    with pytest.raises(ForbiddenRequestError):
        client._sender.send([functions.messages.ReadHistoryRequest("me", 0)])
    with pytest.raises(ForbiddenRequestError):
        await client._borrow_exported_sender(4)
    assert metrics.of(FORBIDDEN_REQUESTS) >= 1
    await client.close(source._link, 1)


@pytest.mark.loopback
@pytest.mark.parametrize("role", list(Role))
async def test_of_all_that_the_library_can_ask_nothing_unlisted_reaches_a_live_connection(
    settings: TelegramSettings, session: Secret, world: World, ann: SimUser, role: Role
) -> None:
    metrics = CountingMetrics()
    source = source_for(settings, session, metrics)
    client = GuardedClient(
        FleetSession.of(load_session(session), settings),
        settings,
        source._link,
        metrics,
        role=role,
    )
    await client.connect()
    try:
        before = len(world.calls(ann))
        unlisted = ALL - WRAPPERS - ALLOWED[role]
        assert len(unlisted) > 750
        for kind in unlisted:
            request: object = object.__new__(kind)
            with pytest.raises(ForbiddenRequestError):
                await client(request)
            with pytest.raises(ForbiddenRequestError):
                client._sender.send(request)
        assert len(world.calls(ann)) == before
    finally:
        await client.close(source._link, 1)
    assert world.violations == []


@pytest.mark.loopback
def test_a_servers_key_is_read_in_both_common_forms(server: TelegramServer) -> None:
    plain = server.public_key_pem
    key = serialization.load_pem_public_key(plain.encode())
    wrapped = key.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    ).decode()
    assert "BEGIN RSA PUBLIC KEY" in plain
    assert "BEGIN PUBLIC KEY" in wrapped
    assert public_key_of(wrapped) == public_key_of(plain)
    for broken in ("", "no key", plain[:60], "-----BEGIN PUBLIC KEY-----\nAAAA\n"):
        with pytest.raises(ValueError):  # noqa: PT011 - worded by the caller
            public_key_of(broken)


@pytest.mark.loopback
async def test_a_server_at_an_ipv6_address_is_not_left_for_one_of_telegrams_own(
    settings: TelegramSettings, session: Secret
) -> None:
    assert settings.server is not None
    moved = replace(settings, server=replace(settings.server, host="::1"))
    stored = FleetSession.of(load_session(session), moved)
    source = source_for(moved, session, CountingMetrics())
    client = GuardedClient(stored, moved, source._link, CountingMetrics(), role=Role.READER)
    # Else the library would set the address of one of its own before it connects.
    assert client._use_ipv6
    assert (stored.server_address, stored.port) == ("::1", settings.server.port)
    await client.close(source._link, 1)
