"""What a process may be started with, and what is refused with words that help."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from signalfleet.bootstrap.settings import Environment, Settings


@pytest.fixture(autouse=True)
def _nothing_from_outside(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)


def load(**values: Any) -> Settings:
    return Settings(_env_file=None, **values)


def refusal(**values: Any) -> str:
    with pytest.raises(ValidationError) as refused:
        load(**values)
    return str(refused.value)


def test_nothing_needs_to_be_set_to_look_at_it() -> None:
    settings = load()
    assert settings.environment is Environment.DEVELOPMENT
    assert settings.database == "sqlite:///var/data/signalfleet.db"
    assert not settings.is_production


def test_the_environment_and_a_file_are_read_and_empty_values_are_none(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".env").write_text("WEB_PORT=9000\nCELL=c9\n", encoding="utf-8")
    monkeypatch.setenv("CELL", "c2")
    monkeypatch.setenv("WEB_HOST", "")
    settings = Settings()
    assert (settings.web_port, settings.cell, settings.web_host) == (9000, "c2", "127.0.0.1")


def test_a_store_address_of_ones_own_is_used() -> None:
    assert load(store_url="sqlite:////srv/x.db").database == "sqlite:////srv/x.db"
    assert load(store_url="postgresql://db/x").database == "postgresql://db/x"
    assert "STORE_URL must begin with" in refusal(store_url="mysql://db/x")


def test_a_password_in_a_store_address_is_not_shown() -> None:
    address = "postgresql://sf_worker:hush-hush@db/x"
    assert "hush-hush" not in repr(load(store_url=address, web_store_url=address))
    assert "hush-hush" not in refusal(store_url=address.replace("postgresql", "mysql"))


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"telegram_dc_address": "127.0.0.1:443", "telegram_server_key_file": "k"}, "is for tests"),
        ({"settle_profile": "drill"}, "SETTLE_PROFILE=drill is for drills"),
        ({"log_level": "DEBUG"}, "may show message texts"),
    ],
)
def test_what_belongs_to_tests_is_refused_in_production(values: dict[str, str], words: str) -> None:
    assert words in refusal(environment="production", **values)
    load(environment="development", **values)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"telegram_dc_address": "localhost"}, "must look like host:port"),
        ({"telegram_dc_address": "localhost:port"}, "must look like host:port"),
        ({"telegram_dc_address": "localhost:1"}, "needs TELEGRAM_SERVER_KEY_FILE"),
        ({"trusted_proxies": "10.0.0.1, proxy.example"}, "TRUSTED_PROXIES is a list like"),
        ({"web_port": 70_000}, "65535"),
        ({"max_bots_per_server": 0}, "greater than or equal to 1"),
        ({"look_interval_s": 0}, "greater than or equal to 0.2"),
        ({"telegram_connects_per_s": 0}, "greater than 0"),
        ({"environment": "prod"}, "production"),
        ({"log_format": "xml"}, "json"),
    ],
)
def test_a_bad_value_is_refused_and_says_what_is_right(values: dict[str, Any], words: str) -> None:
    assert words in refusal(**values)


SECRETS = ("nats_token", "session_key", "encryption_key", "telegram_api_hash", "metaapi_token")


@pytest.mark.parametrize("name", SECRETS)
def test_a_secret_shows_in_no_print_and_in_no_error(name: str) -> None:
    settings = load(**{name: "canary-secret"})
    assert "canary-secret" not in repr(settings)
    assert "canary-secret" not in str(settings)
    assert "canary-secret" not in settings.model_dump_json()
    assert "canary-secret" not in refusal(**{name: "canary-secret", "web_port": -1})


def test_what_was_read_does_not_change_any_more() -> None:
    with pytest.raises(ValidationError):
        load().cell = "other"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("values", "least"),
    [
        ({}, "OPERATOR"),
        ({"min_tier": "FREE"}, "FREE"),
        ({"environment": "production"}, "FREE"),
        ({"environment": "production", "min_tier": "OPERATOR"}, "OPERATOR"),
    ],
    ids=["at home", "at home, free", "production", "production, alone"],
)
def test_only_where_others_sign_up_a_plan_limits_by_itself(
    values: dict[str, Any], least: str
) -> None:
    assert load(**values).least_tier == least
