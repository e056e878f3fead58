"""Which service keeps the keys that wrap users' data keys, and what must not start without one."""

import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from signalfleet.adapters.secrets import (
    FernetKeyService,
    KeyFile,
    SecureCredentialStore,
    VaultKeyService,
    VaultSettings,
    WatchedKeyService,
)
from signalfleet.adapters.secrets.key_use import KEPT_FOR
from signalfleet.bootstrap.settings import ConfigurationError, Settings
from signalfleet.ports.clock import Clock
from signalfleet.ports.errors import RefusedError
from signalfleet.ports.metrics import Metrics
from signalfleet.ports.secrets import KeyService, Secret
from signalfleet.ports.store import Store

NO_KEY = (
    "ENCRYPTION_KEY is not set. It protects Telegram sessions and broker tokens. "
    "Make one with `signalfleet keys new` and keep it apart from the database."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """The key service in use, and what opens values of an imported database if it can."""

    service: KeyService
    open_old: Callable[[str], bytes] | None = None

    def credentials(self, store: Store) -> SecureCredentialStore:
        return SecureCredentialStore(store, self.service, open_old=self.open_old)


@asynccontextmanager
async def open_keys(settings: Settings, clock: Clock, metrics: Metrics) -> AsyncIterator[Keys]:
    """Open the configured key service; ConfigurationError says what to mend."""
    if not settings.vault_addr:
        local = local_keys(settings)
        watched = WatchedKeyService(local, clock, metrics)
        yield Keys(service=watched, open_old=local.open_old)
        return
    try:
        vault = await VaultKeyService.open(vault_settings(settings))
    except RefusedError as error:
        raise ConfigurationError(str(error)) from None
    try:
        yield Keys(service=WatchedKeyService(vault, clock, metrics, kept_for=KEPT_FOR))
    finally:
        await vault.aclose()


def local_keys(settings: Settings) -> FernetKeyService:
    """Return the service over ENCRYPTION_KEY_FILE or ENCRYPTION_KEY."""
    file = key_file(settings)
    try:
        if file is not None:
            return FernetKeyService.of_file(file)
        key = settings.encryption_key.get_secret_value()
        if not key:
            raise ConfigurationError(NO_KEY)
        return FernetKeyService(Secret(key))
    except RefusedError as error:
        raise ConfigurationError(str(error)) from None


def key_file(settings: Settings) -> KeyFile | None:
    path = settings.encryption_key_file
    return None if path is None else KeyFile(path)


def vault_settings(settings: Settings) -> VaultSettings:
    token = Secret(settings.vault_token.get_secret_value())
    try:
        if settings.vault_token_file is not None:
            token = KeyFile(settings.vault_token_file, "VAULT_TOKEN_FILE").read()
        return VaultSettings(
            address=settings.vault_addr,
            token=token,
            key=settings.vault_transit_name,
            mount=settings.vault_transit_mount,
            namespace=settings.vault_namespace,
        )
    except RefusedError as error:
        raise ConfigurationError(str(error)) from None


def check_keys(settings: Settings) -> str:
    """Check without opening anything; return a few words for `doctor`."""
    if settings.vault_addr:
        return f"transit key {vault_settings(settings).key} of {settings.vault_addr}"
    return f"{len(local_keys(settings).ring_ids)} in the list"


def require_no_keys(settings: Settings) -> None:
    """Refuse to serve pages in a process that could open credentials."""
    given = {
        "ENCRYPTION_KEY": bool(settings.encryption_key.get_secret_value()),
        "ENCRYPTION_KEY_FILE": _can_read(settings.encryption_key_file),
        "INTAKE_PRIVATE_KEY": bool(settings.intake_private_key.get_secret_value()),
        "VAULT_TOKEN": bool(settings.vault_token.get_secret_value()),
        "VAULT_TOKEN_FILE": _can_read(settings.vault_token_file),
    }
    names = [name for name, is_there in given.items() if is_there]
    if names:
        raise ConfigurationError(
            f"the web role must not have {', '.join(names)}: it serves pages, and whoever breaks "
            "into it must not be able to open credentials. Give it to workers only, or use "
            "`signalfleet run --role supervisor`, which does so."
        )


def _can_read(path: Path | None) -> bool:
    return path is not None and os.access(path, os.R_OK)
