"""Telegram's settings from ours."""

from signalfleet.adapters.telegram.client import public_key_of
from signalfleet.adapters.telegram.settings import OwnServer, TelegramSettings
from signalfleet.bootstrap.settings import ConfigurationError, Settings
from signalfleet.ports.secrets import Secret


def telegram_settings(settings: Settings) -> TelegramSettings:
    """Return how to reach Telegram; ConfigurationError without an application id."""
    if settings.telegram_api_id <= 0 or not settings.telegram_api_hash.get_secret_value():
        raise ConfigurationError(
            "TELEGRAM_API_ID and TELEGRAM_API_HASH are not set. Get yours at my.telegram.org, "
            "under API development tools; or try everything offline with `make run`."
        )
    return TelegramSettings(
        api_id=settings.telegram_api_id,
        api_hash=Secret(settings.telegram_api_hash.get_secret_value()),
        server=_own_server(settings),
    )


def _own_server(settings: Settings) -> OwnServer | None:
    if not settings.telegram_dc_address or settings.telegram_server_key_file is None:
        return None
    host, _, port = settings.telegram_dc_address.rpartition(":")
    try:
        public_key = public_key_of(settings.telegram_server_key_file.read_text(encoding="ascii"))
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"TELEGRAM_SERVER_KEY_FILE cannot be read: {error}") from error
    return OwnServer(
        dc=settings.telegram_dc_id,
        host=host.strip("[]"),
        port=int(port),
        public_key_pem=public_key,
    )
