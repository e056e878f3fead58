"""The configuration of a process: environment variables and `.env`, read once, checked, frozen."""

from enum import StrEnum
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


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
    store_url: str = ""
    cell: str = "c1"

    nats_url: str = ""
    nats_token: SecretStr = SecretStr("")
    nats_server_bin: Path | None = None
    work_lane: Literal["local", "bus"] = "local"

    web_host: str = "127.0.0.1"
    web_port: int = Field(default=8080, ge=0, le=65535)
    public_url: str = ""
    session_key: SecretStr = SecretStr("")
    cookie_secure: bool = True

    encryption_key: SecretStr = SecretStr("")
    encryption_key_file: Path | None = None
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

    max_bots_per_server: int = Field(default=1000, ge=1)
    look_interval_s: float = Field(default=30.0, ge=0.2, le=600)
    settle_profile: Literal["live", "drill"] = "live"

    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    log_format: Literal["json", "text"] = "text"

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.is_production:
            self._check_production()
        if self.store_url and not self.store_url.startswith("sqlite:///"):
            raise ValueError(
                "STORE_URL must look like sqlite:///PATH; other stores do not exist yet"
            )
        for url in (self.metaapi_provisioning_url, self.metaapi_client_url):
            if url and not url.startswith(("https://", "http://")):
                raise ValueError(
                    "METAAPI_PROVISIONING_URL and METAAPI_CLIENT_URL are web addresses"
                )
        if self.telegram_dc_address and ":" not in self.telegram_dc_address:
            raise ValueError("TELEGRAM_DC_ADDRESS must look like host:port")
        if self.telegram_dc_address and self.telegram_server_key_file is None:
            raise ValueError("TELEGRAM_DC_ADDRESS needs TELEGRAM_SERVER_KEY_FILE, its public key")
        if bool(self.telegram_oidc_client_id) != bool(self.telegram_oidc_client_secret):
            raise ValueError("TELEGRAM_OIDC_CLIENT_ID and TELEGRAM_OIDC_CLIENT_SECRET go together")
        return self

    def _check_production(self) -> None:
        if self.telegram_dc_address:
            raise ValueError("TELEGRAM_DC_ADDRESS is for tests; remove it in production")
        if self.telegram_oidc_issuer:
            raise ValueError("TELEGRAM_OIDC_ISSUER is for tests; remove it in production")
        if self.settle_profile == "drill":
            raise ValueError("SETTLE_PROFILE=drill is for drills; remove it in production")
        if self.log_level == "DEBUG":
            raise ValueError("LOG_LEVEL=DEBUG may show message texts; not in production")

    @property
    def is_production(self) -> bool:
        return self.environment is Environment.PRODUCTION

    @property
    def database(self) -> str:
        """Return the store's address; by default a SQLite file in the data directory."""
        return self.store_url or f"sqlite:///{self.data_dir / 'signalfleet.db'}"


def load_settings() -> Settings:
    """Read the environment and `.env`; ConfigurationError names all that cannot be used."""
    try:
        return Settings()
    except ValidationError as error:
        raise problems(error) from None
    except UnicodeDecodeError:
        raise ConfigurationError(".env cannot be read: it is not UTF-8 text") from None


def problems(error: ValidationError) -> ConfigurationError:
    """Say which settings cannot be used and why. The values stay out of it: some are secret."""
    lines = []
    for item in error.errors(include_input=False, include_url=False):
        name = ".".join(str(part) for part in item["loc"]).upper()
        lines.append(
            f"\n  {name + ': ' if name else ''}{item['msg'].removeprefix('Value error, ')}"
        )
    return ConfigurationError("these settings cannot be used:" + "".join(lines))
