"""Secrets at rest: sealed per user and field, under data keys that a key service wraps.

And secrets on their way from a page to a worker: sealed to the workers' public key.

Holds the encryption and nothing else; rows go through the store port, and no secret leaves except
inside `Secret`.
"""

from signalfleet.adapters.secrets.backup_box import BackupBox, is_sealed
from signalfleet.adapters.secrets.credential_store import SecureCredentialStore
from signalfleet.adapters.secrets.intake import IntakeOpener, IntakeSealer, new_intake_keys
from signalfleet.adapters.secrets.key_file import KeyFile
from signalfleet.adapters.secrets.key_service import (
    FernetKeyService,
    KeyRing,
    new_encryption_key,
    parse_keys,
)
from signalfleet.adapters.secrets.key_use import WatchedKeyService
from signalfleet.adapters.secrets.vault import VaultKeyService, VaultSettings

__all__ = [
    "BackupBox",
    "FernetKeyService",
    "IntakeOpener",
    "IntakeSealer",
    "KeyFile",
    "KeyRing",
    "SecureCredentialStore",
    "VaultKeyService",
    "VaultSettings",
    "WatchedKeyService",
    "is_sealed",
    "new_encryption_key",
    "new_intake_keys",
    "parse_keys",
]
