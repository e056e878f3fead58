"""The stored session: read back as written, refused when damaged, never shown."""

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from telethon.crypto import AuthKey

from signalfleet.adapters.telegram.session import FleetSession, StoredSession, load_session
from signalfleet.adapters.telegram.settings import OwnServer, TelegramSettings
from signalfleet.ports.errors import SignInRequiredError
from signalfleet.ports.secrets import Secret

KEY = bytes(range(1, 256)) + b"\x01"
STORED = StoredSession(dc=4, host="149.154.167.91", port=443, key=KEY, telegram_user_id=7, api_id=1)
SETTINGS = TelegramSettings(api_id=1, api_hash=Secret("hash"))


def test_a_session_is_read_back_as_written() -> None:
    assert load_session(Secret(STORED.dump())) == STORED


def test_nothing_of_it_is_shown() -> None:
    encoded = base64.b64encode(KEY).decode()
    session = FleetSession.of(STORED, SETTINGS)
    for shown in (repr(STORED), str(STORED), repr(session)):
        assert encoded not in shown
        assert "149.154" not in shown


@pytest.mark.parametrize(
    "change",
    [
        {"v": 2},
        {"dc": 0},
        {"dc": "2"},
        {"dc": True},
        {"host": ""},
        {"host": None},
        {"port": 70_000},
        {"key": base64.b64encode(b"x" * 255).decode()},
        {"key": base64.b64encode(bytes(256)).decode()},
        {"key": "not base64!"},
        {"key": 5},
        {"telegram_user_id": -1},
    ],
)
def test_a_damaged_session_asks_for_a_new_sign_in(change: dict[str, Any]) -> None:
    text = json.dumps({**json.loads(STORED.dump()), **change})
    with pytest.raises(SignInRequiredError):
        load_session(Secret(text))


@given(st.text() | st.recursive(st.none() | st.integers(), st.lists).map(json.dumps))
def test_any_text_is_read_or_refused(text: str) -> None:
    with pytest.raises(SignInRequiredError):
        load_session(Secret(text))


def test_the_library_cannot_change_the_key_of_a_reader() -> None:
    session = FleetSession.of(STORED, SETTINGS)
    session.auth_key = AuthKey(KEY)
    flags = [session.was_rekeyed]
    session.auth_key = AuthKey(bytes(255) + b"x")
    flags.append(session.was_rekeyed)
    assert flags == [False, True]
    assert session.auth_key.key == KEY


def test_the_library_remembers_nobody() -> None:
    session = FleetSession.of(STORED, SETTINGS)
    session.process_entities(object())
    session.set_update_state(0, object())
    assert list(session.get_update_states()) == []
    with pytest.raises(ValueError, match="peers"):
        session.get_input_entity(5)


def test_an_own_server_that_moved_is_found_where_it_is_now() -> None:
    moved = TelegramSettings(
        api_id=1,
        api_hash=Secret("hash"),
        server=OwnServer(dc=4, host="127.0.0.1", port=5, public_key_pem=""),
    )
    session = FleetSession.of(STORED, moved)
    assert (session.dc_id, session.server_address, session.port) == (4, "127.0.0.1", 5)
