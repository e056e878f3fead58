"""Sealed credentials and wrapped keys as a store keeps them; nothing here can open them."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedSecret:
    field: str
    key_version: int
    algorithm: str
    nonce: str
    ciphertext: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WrappedKey:
    key_version: int
    kek_id: str
    wrapped: str


class Credentials(Protocol):
    """Sealed rows and wrapped keys only; opening them is the credential store's work."""

    async def get(self, field: str) -> SealedSecret | None: ...

    async def list(self) -> tuple[SealedSecret, ...]: ...

    async def put(self, sealed: SealedSecret) -> None: ...

    async def replace(self, old: SealedSecret, new: SealedSecret) -> bool:
        """Put `new` in the place of `old`; False if another value is stored by now."""
        ...

    async def delete(self, field: str) -> None: ...

    async def key(self, key_version: int | None = None) -> WrappedKey | None:
        """Return that version's key, or the newest."""
        ...

    async def keys(self) -> tuple[WrappedKey, ...]:
        """Return the keys of all versions, oldest first."""
        ...

    async def add_key(self, key: WrappedKey) -> WrappedKey:
        """Store a key unless its version exists; return the stored one."""
        ...

    async def swap_key(self, old: WrappedKey, new: WrappedKey) -> bool:
        """Put the same key, wrapped anew, in its place; False if it was wrapped anew already."""
        ...

    async def delete_key(self, key_version: int) -> bool:
        """Delete a version's key; False, and nothing deleted, while a secret needs it."""
        ...
