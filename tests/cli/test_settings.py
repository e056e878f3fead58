"""Starting with settings that cannot work: one clear sentence each, and nothing left running."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from kit.product_process import call_cli, run_cli
from signalfleet.bootstrap.settings import ConfigurationError, Settings, load_settings

KEY = Fernet.generate_key().decode()
TELEGRAM = {"TELEGRAM_API_ID": "5", "TELEGRAM_API_HASH": "0" * 32}
WHOLE = {"ENCRYPTION_KEY": KEY, **TELEGRAM}

pytestmark = pytest.mark.loopback


def refused(cwd: Path, variables: dict[str, str], *words: str) -> str:
    # What listens before it refuses is a process of its own.
    ended = (call_cli if words else run_cli)(*(words or ("run",)), cwd=cwd, variables=variables)
    assert ended.returncode == 2, ended
    assert "Traceback" not in ended.stderr
    return ended.stderr


@pytest.fixture
def only(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[dict[str, str]], None]:
    """Make these the only settings of this process."""
    monkeypatch.chdir(tmp_path)
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)

    def set_all(variables: dict[str, str]) -> None:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)

    return set_all


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"WEB_PORT": "many"}, "WEB_PORT: "),
        ({"LOG_LEVEL": "loud", "WEB_PORT": "many"}, "LOG_LEVEL: "),
        ({"STORE_URL": "mysql://db/x"}, "sqlite:///, postgresql://"),
        ({"METAAPI_CLIENT_URL": "somewhere"}, "METAAPI_CLIENT_URL"),
        ({"TELEGRAM_DC_ADDRESS": "127.0.0.1:9"}, "TELEGRAM_SERVER_KEY_FILE"),
        ({"ENVIRONMENT": "production", "SETTLE_PROFILE": "drill"}, "SETTLE_PROFILE"),
        ({"ENVIRONMENT": "production", "LOG_LEVEL": "DEBUG"}, "LOG_LEVEL"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_setting_that_cannot_be_used_is_named(
    only: Callable[[dict[str, str]], None], variables: dict[str, str], said: str
) -> None:
    only(variables)
    with pytest.raises(ConfigurationError, match=re.escape(said)):
        load_settings()


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({}, "ENCRYPTION_KEY is not set"),
        ({"ENCRYPTION_KEY": "abc", **TELEGRAM}, "signalfleet keys new"),
        ({"ENCRYPTION_KEY": KEY}, "TELEGRAM_API_ID"),
        ({"ENCRYPTION_KEY_FILE": "nowhere", **TELEGRAM}, "nowhere does not exist"),
        ({**WHOLE, "WEB_PORT": "many"}, "WEB_PORT: "),
        ({**WHOLE, "DATA_DIR": "/proc/nothing"}, "/proc/nothing cannot be made"),
        ({**WHOLE, "NATS_SERVER_BIN": "nowhere"}, "NATS_SERVER_BIN"),
        ({**WHOLE, "ENVIRONMENT": "production"}, "SESSION_KEY"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_run_says_what_to_change(tmp_path: Path, variables: dict[str, str], said: str) -> None:
    assert said in refused(tmp_path, variables)


def test_a_secret_that_cannot_be_used_is_not_shown(tmp_path: Path) -> None:
    variables = {**WHOLE, "ENCRYPTION_KEY": "hush-hush-hush", "WEB_PORT": "many"}
    assert "hush" not in refused(tmp_path, variables)


def test_a_file_of_settings_that_is_no_text_is_named(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"LOG_LEVEL=\xff\xfe\n")
    assert ".env cannot be read" in refused(tmp_path, {})


def test_a_taken_port_is_named(tmp_path: Path, taken_port: int) -> None:
    said = refused(tmp_path, {**WHOLE, "WEB_PORT": str(taken_port)})
    assert f"port {taken_port} on 127.0.0.1 is taken" in said


def test_a_host_that_does_not_exist_is_not_called_a_taken_port(tmp_path: Path) -> None:
    said = refused(tmp_path, {**WHOLE, "WEB_HOST": "host.invalid", "WEB_PORT": "0"})
    assert "WEB_HOST" in said
    assert "taken" not in said


def test_the_demo_names_a_bad_setting_and_a_bad_folder(tmp_path: Path) -> None:
    assert "cannot be made" in refused(tmp_path, {}, "demo", "--root", "/proc/nothing")


def test_a_role_without_the_database_says_what_is_missing(tmp_path: Path) -> None:
    variables = {**TELEGRAM, "NATS_URL": "nats://127.0.0.1:1"}
    said = refused(tmp_path, variables, "run", "--role", "web")
    assert "migrate" in said


def test_pages_alone_do_not_start_with_a_key_from_a_file_of_settings_either(
    tmp_path: Path,
) -> None:
    (tmp_path / ".env").write_text(f"ENCRYPTION_KEY={KEY}\n")
    variables = {**TELEGRAM, "NATS_URL": "nats://127.0.0.1:1"}
    said = refused(tmp_path, variables, "run", "--role", "web")
    assert "must not have ENCRYPTION_KEY" in said
    assert KEY not in said


def test_doctor_finds_nothing_to_mend_with_whole_settings(tmp_path: Path) -> None:
    ended = call_cli("doctor", cwd=tmp_path, variables=WHOLE)
    lines = ended.stdout.splitlines()
    assert ended.returncode == 0, ended
    assert len(lines) >= 8
    assert all(line.startswith("ok ") for line in lines)
    assert ended.stderr == ""
    assert list(tmp_path.iterdir()) == [], "a check leaves nothing behind"


def test_doctor_names_each_trouble_and_goes_on(tmp_path: Path) -> None:
    ended = call_cli("doctor", cwd=tmp_path, variables={"NATS_SERVER_BIN": "nowhere"})
    troubles = [line for line in ended.stdout.splitlines() if line.startswith("trouble ")]
    assert ended.returncode == 1
    assert len(troubles) == 3
    for said in ("NATS_SERVER_BIN", "signalfleet keys new", "my.telegram.org"):
        assert any(said in line for line in troubles)


def test_doctor_names_settings_that_cannot_be_read(tmp_path: Path) -> None:
    ended = call_cli("doctor", cwd=tmp_path, variables={"WEB_PORT": "many"})
    assert ended.returncode == 1
    assert "trouble  settings: these settings cannot be used:\n  WEB_PORT: " in ended.stdout
