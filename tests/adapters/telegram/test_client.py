"""The library under guard: what it says about updates is not passed on."""

import pytest
from telethon.tl import functions

from kit.telegram_reader import CountingMetrics, source_for
from signalfleet.adapters.telegram.client import GuardedClient, _library_logger
from signalfleet.adapters.telegram.guard import ForbiddenRequestError, Role
from signalfleet.adapters.telegram.limits import FORBIDDEN_REQUESTS
from signalfleet.adapters.telegram.session import FleetSession, load_session
from signalfleet.adapters.telegram.settings import TelegramSettings
from signalfleet.ports.secrets import Secret


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
