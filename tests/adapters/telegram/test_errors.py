"""What each error of the library means: by exact class, never by its base."""

import asyncio

import pytest
from telethon import errors

from signalfleet.adapters.telegram.errors import (
    ChatGoneError,
    FloodError,
    KeyUnknownError,
    translated,
)
from signalfleet.adapters.telegram.guard import ForbiddenRequestError
from signalfleet.ports.errors import RefusedError, SignInRequiredError, TemporaryError


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        (errors.AuthKeyUnregisteredError, "unregistered"),
        (errors.AuthKeyInvalidError, "unregistered"),
        (errors.AuthKeyPermEmptyError, "unregistered"),
        (errors.SessionExpiredError, "unregistered"),
        (errors.SessionRevokedError, "revoked"),
        (errors.UserDeactivatedError, "deactivated"),
        (errors.UserDeactivatedBanError, "deactivated"),
        (errors.AuthKeyDuplicatedError, "auth_key_duplicated"),
    ],
)
def test_a_dead_session_needs_a_new_sign_in(kind: type[Exception], reason: str) -> None:
    known = translated(kind(request=None))  # type: ignore[call-arg]
    assert isinstance(known, SignInRequiredError)
    assert known.reason == reason


@pytest.mark.parametrize(
    "error",
    [
        errors.PhonePasswordFloodError(request=None),
        errors.rpc_message_to_error(
            type("E", (), {"error_code": 406, "error_message": "NEVER_SEEN"})(), None
        ),
        errors.RpcCallFailError(request=None),
        errors.ServerError(None, "WORKER_BUSY"),
        errors.TimedOutError(None, "Timeout"),
        ConnectionResetError(),
        TimeoutError(),
        asyncio.IncompleteReadError(b"", 4),
        errors.InvalidBufferError(b"\x53\xfe\xff\xff"),
        errors.TypeNotFoundError(0xDEADBEEF, b"code 12345"),
    ],
)
def test_trouble_that_passes_is_temporary(error: Exception) -> None:
    known = translated(error)
    assert isinstance(known, TemporaryError)
    assert "12345" not in str(known)


def test_a_flood_wait_waits_a_little_longer_than_asked() -> None:
    known = translated(errors.FloodWaitError(request=None, capture=100))
    assert isinstance(known, FloodError)
    assert known.retry_after == pytest.approx(110)


def test_a_frozen_account_is_tried_once_a_day() -> None:
    known = translated(errors.FrozenMethodInvalidError(request=None))
    assert isinstance(known, FloodError)
    assert (known.retry_after, known.reason) == (86_400, "frozen")


@pytest.mark.parametrize(
    "kind", [errors.ChannelPrivateError, errors.ChannelInvalidError, errors.ChatIdInvalidError]
)
def test_a_lost_chat_is_refused(kind: type[Exception]) -> None:
    known = translated(kind(request=None))  # type: ignore[call-arg]
    assert isinstance(known, ChatGoneError)
    assert isinstance(known, RefusedError)


def test_a_forgotten_key_may_come_back() -> None:
    assert isinstance(translated(errors.AuthKeyNotFound()), KeyUnknownError)


@pytest.mark.parametrize(
    "error", [asyncio.CancelledError(), ForbiddenRequestError(), ZeroDivisionError()]
)
def test_what_is_no_outage_goes_on_as_it_is(error: BaseException) -> None:
    assert translated(error) is None
