"""What is secret stays out of the logs, whoever logs it and however deep it lies."""

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from signalfleet.observability.logs import MASK, SECRET_KEYS, mask_secrets, set_up_logs

CANARY = "canary-secret"


@pytest.fixture(autouse=True)
def _configuration_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers = list(root.handlers)
    yield
    root.handlers[:] = handlers
    structlog.reset_defaults()


def masked(**event: Any) -> dict[str, Any]:
    return dict(mask_secrets(None, "info", dict(event)))


@pytest.mark.parametrize("name", sorted(SECRET_KEYS))
def test_a_value_whose_name_is_secret_is_masked(name: str) -> None:
    assert masked(**{name: CANARY, "event": "x"}) == {name: MASK, "event": "x"}


@pytest.mark.parametrize(
    "name",
    [
        *("metaapi_token", "telegram_session", "session_string", "nats_token", "phone_number"),
        *("encryption_key", "bot_token", "Authorization", "METAAPI_TOKEN", "set-cookie"),
    ],
)
def test_a_name_that_contains_a_secret_word_is_masked_too(name: str) -> None:
    assert masked(**{name: CANARY})[name] == MASK


@pytest.mark.parametrize(
    "name",
    ["chat", "message", "intent", "reason", "state", "cause", "delay", "context", "key_version"],
)
def test_plain_facts_are_shown(name: str) -> None:
    assert masked(**{name: "plain"})[name] == "plain"


def test_secrets_inside_of_values_are_masked() -> None:
    event = masked(request={"headers": [{"token": CANARY, "host": "x"}], "path": ("a", 1)})
    assert CANARY not in repr(event)
    assert event["request"]["headers"][0]["host"] == "x"


def test_what_lies_too_deep_is_not_shown() -> None:
    value: Any = CANARY
    for _ in range(10):
        value = [value]
    assert CANARY not in repr(masked(value=value))


def test_a_callers_own_values_stay_as_they_are() -> None:
    body = {"token": CANARY}
    masked(body=body)
    assert body == {"token": CANARY}


@pytest.mark.parametrize("as_json", [True, False])
def test_a_line_holds_time_level_event_and_no_secret(as_json: bool) -> None:
    stream = io.StringIO()
    set_up_logs(as_json=as_json, stream=stream)
    log = structlog.get_logger()
    with structlog.contextvars.bound_contextvars(user_id="u_1", session=CANARY):
        log.warning("sign_in_needed", phone=CANARY, reason="revoked")
    (line,) = stream.getvalue().strip().splitlines()
    assert CANARY not in line
    assert "sign_in_needed" in line
    if as_json:
        found = json.loads(line)
        assert (found["level"], found["user_id"]) == ("warning", "u_1")
        assert found["timestamp"].endswith("Z")


@pytest.mark.parametrize("as_json", [True, False])
def test_a_traceback_shows_where_but_no_values(as_json: bool) -> None:
    stream = io.StringIO()
    set_up_logs(as_json=as_json, stream=stream)
    session = CANARY
    try:
        int(session[:0])
    except ValueError:
        structlog.get_logger().exception("bot_crashed")
    shown = stream.getvalue()
    assert "ValueError" in shown
    assert "test_logs.py" in shown
    assert CANARY not in shown


def _alternate(depth: int) -> None:
    if depth:
        _back(depth - 1)
    raise ValueError("deep down")


def _back(depth: int) -> None:
    _alternate(depth)


@pytest.mark.parametrize("as_json", [True, False])
def test_of_a_deep_traceback_the_last_frames_are_shown(as_json: bool) -> None:
    stream = io.StringIO()
    set_up_logs(as_json=as_json, stream=stream)
    try:
        _alternate(200)
    except ValueError:
        structlog.get_logger().exception("bot_crashed")
    shown = stream.getvalue()
    assert shown.count("test_logs.py") == 30
    assert "(372 outer frames are not shown)" in shown
    assert "deep down" in shown


def test_levels_below_the_chosen_one_are_silent() -> None:
    stream = io.StringIO()
    set_up_logs(as_json=True, level="WARNING", stream=stream)
    structlog.get_logger().info("quiet")
    assert stream.getvalue() == ""


@pytest.mark.parametrize("library", ["telethon", "aiohttp", "nats", "uvicorn.access"])
def test_libraries_that_print_whole_objects_are_kept_quiet(library: str) -> None:
    set_up_logs(as_json=True, stream=io.StringIO())
    assert not logging.getLogger(library).isEnabledFor(logging.WARNING)
