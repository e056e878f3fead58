"""What a process with Firebase or Redis may be started with."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from signalfleet.bootstrap.firebase import open_firebase
from signalfleet.bootstrap.settings import ConfigurationError, Settings

URL = "https://one.firebaseio.com"


@pytest.fixture(autouse=True)
def _nothing_from_outside(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)


def load(**values: Any) -> Settings:
    return Settings(_env_file=None, **values)


def test_instances_are_listed_in_their_order() -> None:
    settings = load(store_url="firebase://", firebase_database_urls=f"{URL}, https://two.example ,")
    assert settings.firebase_urls == (URL, "https://two.example")
    assert load().firebase_urls == ()


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"store_url": "firebase://"}, "go together"),
        ({"firebase_database_urls": URL}, "go together"),
        ({"redis_url": "http://cache:6379"}, "REDIS_URL must look like"),
        ({"rate_limit_per_minute": 0}, "rate_limit_per_minute"),
        (
            {
                "environment": "production",
                "store_url": "firebase://",
                "firebase_database_urls": "http://127.0.0.1:9000/?ns=x",
            },
            "must start with https://",
        ),
    ],
    ids=["no_instances", "no_store", "redis_scheme", "no_limit", "emulator_in_production"],
)
def test_what_cannot_work_is_refused_with_words(values: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        load(**values)


def test_a_password_of_redis_is_not_shown() -> None:
    assert "hush" not in repr(load(redis_url="redis://:hush@cache:6379/0"))


async def test_an_account_file_that_is_none_is_a_sentence_without_its_text(tmp_path: Path) -> None:
    file = tmp_path / "account.json"
    file.write_text('{"type": "nothing", "private_key": "hush"}', encoding="utf-8")
    settings = load(
        store_url="firebase://",
        firebase_database_urls=URL,
        google_application_credentials=file,
    )
    with pytest.raises(ConfigurationError, match="GOOGLE_APPLICATION_CREDENTIALS") as refused:
        await open_firebase(settings)
    assert "hush" not in str(refused.value)
