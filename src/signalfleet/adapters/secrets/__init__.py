"""Secrets at rest: sealed per user and field, under data keys that a key service wraps.

And secrets on their way from a page to a worker: sealed to the workers' public key.

Holds the encryption and nothing else; rows go through the store port, and no secret leaves except
inside `Secret`.
"""

from signalfleet.adapters.secrets.credential_store import SecureCredentialStore
from signalfleet.adapters.secrets.intake import IntakeOpener, IntakeSealer, new_intake_keys
from signalfleet.adapters.secrets.key_service import FernetKeyService, new_encryption_key

__all__ = [
    "FernetKeyService",
    "IntakeOpener",
    "IntakeSealer",
    "SecureCredentialStore",
    "new_encryption_key",
    "new_intake_keys",
]
