"""The configuration of a process: environment variables and `.env`, read once, checked, frozen."""

import ipaddress
import os
import re
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

ADDRESS: Final = re.compile(r".+:\d{1,5}")
FROM_SUPERVISOR: Final = "SIGNALFLEET_CHILD"
LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})
MAILBOX: Final = re.compile(r"[^\s@<>\"\\]+@[A-Za-z0-9.-]+", re.ASCII)


STORES: Final = ("sqlite:///", "postgresql://", "firebase://")
"""How the address of a store may begin."""


class ConfigurationError(Exception):
    """The process must not start like this; the message says what to change."""


class Environment(StrEnum):
    DEVELOPMENT = "development"
    PRODUCTION = "production"


class Settings(BaseSettings):
    """Every setting by the name of its environment variable, in lower case.

    Names from the owner's document are kept. Values that are secret never show in a repr.
    """

    model_config = SettingsConfigDict(
        env_file=".env",
        env_ignore_empty=True,
        frozen=True,
        extra="ignore",
        hide_input_in_errors=True,
    )

    environment: Environment = Environment.DEVELOPMENT
    data_dir: Path = Path("var/data")
    run_dir: Path = Path("var/run")
    state_dir: Path | None = None
    backup_key_file: Path | None = None
    backup_every_s: float = Field(default=300, ge=0, le=86_400)
    store_url: SecretStr = SecretStr("")
    web_store_url: SecretStr = SecretStr("")
    cell: str = "c1"

    nats_url: str = ""
    nats_token: SecretStr = SecretStr("")
    nats_server_bin: Path | None = None
    nats_replicas: int = Field(default=1, ge=1, le=5)
    lease_ttl_s: float = Field(default=10, ge=2.0, le=60.0)
    work_lane: Literal["local", "bus"] = "local"

    firebase_database_urls: str = ""
    google_application_credentials: Path | None = None
    firebase_test_url: str = ""
    redis_url: SecretStr = SecretStr("")
    rate_limit_per_minute: int = Field(default=60, ge=1, le=100_000)
    trusted_proxies: str = ""
    web_host: str = "127.0.0.1"
    web_port: int = Field(default=8080, ge=0, le=65535)
    public_url: str = ""
    session_key: SecretStr = SecretStr("")
    cookie_secure: bool = True

    encryption_key: SecretStr = SecretStr("")
    encryption_key_file: Path | None = None
    vault_addr: str = ""
    vault_token: SecretStr = SecretStr("")
    vault_token_file: Path | None = None
    vault_namespace: str = ""
    vault_transit_mount: str = "transit"
    vault_transit_name: str = "signalfleet"
    intake_private_key: SecretStr = SecretStr("")
    intake_public_key: str = ""

    telegram_api_id: int = 0
    telegram_api_hash: SecretStr = SecretStr("")
    telegram_dc_id: int = 2
    telegram_dc_address: str = ""
    telegram_server_key_file: Path | None = None
    telegram_connects_per_s: float = Field(default=8.0, gt=0, le=1000)

    telegram_oidc_client_id: str = ""
    telegram_oidc_client_secret: SecretStr = SecretStr("")
    telegram_oidc_issuer: str = ""

    metaapi_token: SecretStr = SecretStr("")
    require_user_metaapi: bool = True
    metaapi_provisioning_url: str = ""
    metaapi_client_url: str = ""
    metaapi_profile_url: str = ""

    mt5_local_user: str = ""
    mt5_local_login: int = Field(default=0, ge=0)
    mt5_local_password: SecretStr = SecretStr("")
    mt5_local_server: str = ""
    mt5_local_path: str = ""

    notify_bot_token: SecretStr = SecretStr("")
    notify_bot_api_url: str = ""
    smtp_host: str = ""
    smtp_port: int = Field(default=587, ge=1, le=65535)
    smtp_security: Literal["starttls", "tls", "none"] = "starttls"
    smtp_user: str = ""
    smtp_password: SecretStr = SecretStr("")
    smtp_from: str = ""
    smtp_ca_file: Path | None = None
    vapid_private_key: SecretStr = SecretStr("")
    vapid_subject: str = ""

    max_bots_per_server: int = Field(default=1000, ge=1)
    workers: Annotated[int, Field(ge=1, le=256)] | Literal["auto"] = "auto"
    worker_freeze_s: float = Field(default=5.0, ge=1, le=600)
    max_cpu_per_bot_percent: float = Field(default=5.0, gt=0, le=100)
    max_memory_per_bot_mb: int = Field(default=50, ge=1)
    max_memory_per_process_mb: int = Field(default=0, ge=0)
    look_interval_s: float = Field(default=30.0, ge=0.2, le=600)
    settle_profile: Literal["live", "drill"] = "live"
    calendar_url: str = ""
    calendar_file: Path | None = None
    min_tier: Literal["auto", "FREE", "PREMIUM", "OPERATOR"] = "auto"

    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    log_format: Literal["json", "text"] = "text"

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.is_production:
            self._check_production()
        if not self.database.startswith(STORES):
            raise ValueError(f"STORE_URL must begin with one of {', '.join(STORES)}")
        self._check_firebase()
        self._check_messengers()
        metaapi = (
            self.metaapi_provisioning_url,
            self.metaapi_client_url,
            self.metaapi_profile_url,
        )
        for url in metaapi:
            if url and not url.startswith(("https://", "http://")):
                raise ValueError(
                    "METAAPI_PROVISIONING_URL, METAAPI_CLIENT_URL and METAAPI_PROFILE_URL are "
                    "web addresses"
                )
        local = (self.mt5_local_user, self.mt5_local_login, self.mt5_local_server)
        if any(local) and not (all(local) and self.mt5_local_password.get_secret_value()):
            raise ValueError(
                "MT5_LOCAL_USER, MT5_LOCAL_LOGIN, MT5_LOCAL_PASSWORD and MT5_LOCAL_SERVER go "
                "together: the MetaTrader terminal of this machine is one user's"
            )
        for proxy in filter(None, map(str.strip, self.trusted_proxies.split(","))):
            try:
                ipaddress.ip_network(proxy, strict=False)
            except ValueError:
                raise ValueError(
                    "TRUSTED_PROXIES is a list like 10.0.0.5, 10.1.0.0/16 with commas between"
                ) from None
        if self.telegram_dc_address and not ADDRESS.fullmatch(self.telegram_dc_address):
            raise ValueError("TELEGRAM_DC_ADDRESS must look like host:port")
        if self.telegram_dc_address and self.telegram_server_key_file is None:
            raise ValueError("TELEGRAM_DC_ADDRESS needs TELEGRAM_SERVER_KEY_FILE, its public key")
        if bool(self.telegram_oidc_client_id) != bool(self.telegram_oidc_client_secret):
            raise ValueError("TELEGRAM_OIDC_CLIENT_ID and TELEGRAM_OIDC_CLIENT_SECRET go together")
        return self

    def _check_firebase(self) -> None:
        urls = self.firebase_urls
        if self.database.startswith("firebase:") != bool(urls):
            raise ValueError("STORE_URL=firebase:// and FIREBASE_DATABASE_URLS go together")
        if self.is_production and any(not url.startswith("https://") for url in urls):
            raise ValueError("FIREBASE_DATABASE_URLS must start with https:// in production")
        redis = self.redis_url.get_secret_value()
        if redis and not redis.startswith(("redis://", "rediss://")):
            raise ValueError("REDIS_URL must look like redis://HOST:6379/0")

    def _check_messengers(self) -> None:
        bot_api = urlsplit(self.notify_bot_api_url)
        is_safe = bot_api.scheme == "https" or bot_api.hostname in LOOPBACK
        if self.notify_bot_api_url and not (bot_api.hostname and is_safe):
            raise ValueError("NOTIFY_BOT_API_URL must start with https:// unless it is on loopback")
        if self.smtp_host and not MAILBOX.fullmatch(self.smtp_from):
            raise ValueError("SMTP_HOST needs SMTP_FROM, the address that letters come from")
        if self.smtp_host and self.smtp_security == "none" and self.smtp_host not in LOOPBACK:
            raise ValueError("SMTP_SECURITY=none is for a mail server on this machine only")
        if bool(self.smtp_user) != bool(self.smtp_password.get_secret_value()):
            raise ValueError("SMTP_USER and SMTP_PASSWORD go together")
        has_vapid = bool(self.vapid_private_key.get_secret_value())
        if has_vapid and not self.vapid_subject.startswith(("mailto:", "https://")):
            raise ValueError(
                "VAPID_PRIVATE_KEY needs VAPID_SUBJECT, where push services reach you: "
                "mailto:you@example.com or https://..."
            )

    def _check_production(self) -> None:
        if self.telegram_dc_address:
            raise ValueError("TELEGRAM_DC_ADDRESS is for tests; remove it in production")
        if self.telegram_oidc_issuer:
            raise ValueError("TELEGRAM_OIDC_ISSUER is for tests; remove it in production")
        if self.mt5_local_login:
            raise ValueError(
                "MT5_LOCAL_LOGIN: the local terminal is for development on Windows; "
                "use MetaApi in production"
            )
        if self.settle_profile == "drill":
            raise ValueError("SETTLE_PROFILE=drill is for drills; remove it in production")
        if self.log_level == "DEBUG":
            raise ValueError("LOG_LEVEL=DEBUG may show message texts; not in production")

    @property
    def least_tier(self) -> str:
        """Return what everybody may do at least: all at home, the free plan for strangers."""
        if self.min_tier != "auto":
            return self.min_tier
        return "FREE" if self.is_production else "OPERATOR"

    @property
    def is_production(self) -> bool:
        return self.environment is Environment.PRODUCTION

    @property
    def firebase_urls(self) -> tuple[str, ...]:
        """Return the database instances; the first one also holds what is of no single user."""
        return tuple(filter(None, map(str.strip, self.firebase_database_urls.split(","))))

    @property
    def state(self) -> Path:
        """Return where the marker of the one database that trades is kept."""
        return self.state_dir or self.data_dir.parent / "state"

    @property
    def database(self) -> str:
        """Return the store's address; by default a SQLite file in the data directory."""
        given = self.store_url.get_secret_value()
        return given or f"sqlite:///{self.data_dir / 'signalfleet.db'}"


def load_settings() -> Settings:
    """Read the environment and `.env`; ConfigurationError names all that cannot be used."""
    try:
        # The supervisor hands its children what is for them, so they do not look by themselves.
        if os.environ.get(FROM_SUPERVISOR):  # noqa: TID251 - this is where it is read
            return Settings(_env_file=None)
        return Settings()
    except ValidationError as error:
        raise problems(error) from None
    except UnicodeDecodeError:
        raise ConfigurationError(".env cannot be read: it is not UTF-8 text") from None


def given_values(settings: Settings) -> dict[str, str]:
    """Return what was set, as variables for a process of our own; secrets are in it."""
    found = {}
    for name in settings.model_fields_set:
        value = getattr(settings, name)
        raw = value.get_secret_value() if isinstance(value, SecretStr) else value
        if raw is not None:
            found[name.upper()] = str(raw).lower() if isinstance(raw, bool) else str(raw)
    return found


def problems(error: ValidationError) -> ConfigurationError:
    """Say which settings cannot be used and why. The values stay out of it: some are secret."""
    lines = []
    for item in error.errors(include_input=False, include_url=False):
        name = ".".join(str(part) for part in item["loc"]).upper()
        lines.append(
            f"\n  {name + ': ' if name else ''}{item['msg'].removeprefix('Value error, ')}"
        )
    return ConfigurationError("these settings cannot be used:" + "".join(lines))
