"""When logging in with Telegram is offered, and which settings stop the start."""

from typing import Any

import pytest
from pydantic import ValidationError

from kit.oidc_issuer import CLIENT_ID, CLIENT_SECRET
from kit.wall_clock import WallClock
from kit.web_site import KEY
from signalfleet.bootstrap.settings import ConfigurationError, Settings
from signalfleet.bootstrap.web import telegram_identity


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CLIENT_ID", "CLIENT_SECRET", "ISSUER"):
        monkeypatch.delenv(f"TELEGRAM_OIDC_{name}", raising=False)


def settings(**changes: Any) -> Settings:
    given = {
        "telegram_oidc_client_id": CLIENT_ID,
        "telegram_oidc_client_secret": CLIENT_SECRET,
        "session_key": KEY.decode(),
        **changes,
    }
    return Settings(_env_file=None, **given)


def test_with_id_and_secret_it_is_telegrams_own() -> None:
    identity = telegram_identity(settings(environment="production"), WallClock())
    assert identity is not None
    assert identity.origin == "https://oauth.telegram.org"


def test_without_an_id_nobody_is_asked() -> None:
    nothing = settings(telegram_oidc_client_id="", telegram_oidc_client_secret="")
    assert telegram_identity(nothing, WallClock()) is None


@pytest.mark.parametrize("missing", ["telegram_oidc_client_id", "telegram_oidc_client_secret"])
def test_one_without_the_other_stops_the_start(missing: str) -> None:
    with pytest.raises(ValidationError, match="go together") as refused:
        settings(**{missing: ""})
    assert CLIENT_SECRET not in str(refused.value)


def test_another_issuer_is_for_tests_on_loopback_only() -> None:
    issuer = "http://127.0.0.1:9999"
    identity = telegram_identity(settings(telegram_oidc_issuer=issuer), WallClock())
    assert identity is not None
    assert identity.origin == issuer
    with pytest.raises(ValidationError, match="TELEGRAM_OIDC_ISSUER is for tests"):
        settings(telegram_oidc_issuer=issuer, environment="production")
    with pytest.raises(ConfigurationError, match="TELEGRAM_OIDC_ISSUER must look like"):
        telegram_identity(settings(telegram_oidc_issuer="https://evil.example"), WallClock())


def test_the_secret_does_not_show() -> None:
    assert CLIENT_SECRET not in repr(settings())
