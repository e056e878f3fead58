"""Secrets at rest and in hand."""

import hmac
from dataclasses import dataclass
from typing import NoReturn, Protocol, SupportsIndex

from signalfleet.domain.ids import UserId
from signalfleet.ports.sealed import WrappedKey


class Secret:
    """A value that never shows itself: every way to print, copy out or store it gives `***`."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Return the value; adapters only."""
        return self._value

    def __repr__(self) -> str:
        return "Secret(***)"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return "***"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self._value.encode(), other._value.encode())

    def __hash__(self) -> int:
        return hash(self._value)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not copied or pickled")

    def __reduce_ex__(self, protocol: SupportsIndex) -> NoReturn:
        raise TypeError("a secret is not copied or pickled")

    def __setattr__(self, name: str, value: str) -> None:
        if hasattr(self, "_value"):
            raise AttributeError("a secret does not change")
        super().__setattr__(name, value)


class CredentialStore(Protocol):
    """A user's credentials, sealed at rest. Field names: telegram_session, metaapi_token."""

    async def put(self, user: UserId, field: str, secret: Secret) -> None: ...

    async def get(self, user: UserId, field: str) -> Secret | None:
        """Return the secret, None if absent; RefusedError if the row was tampered with."""
        ...

    async def delete(self, user: UserId, field: str) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class IntakeBinding:
    """What a sealed box is for: it opens for nothing else. None of the parts may hold a `|`."""

    user: str
    field: str
    attempt: str


class Sealer(Protocol):
    """Closes what a user types, in a process that must not be able to open it."""

    def seal(self, secret: Secret, binding: IntakeBinding) -> str: ...


class Opener(Protocol):
    """Opens what was typed, in a worker."""

    def open(self, box: str, binding: IntakeBinding) -> Secret:
        """Return the secret; RefusedError if the box is damaged or meant for something else."""
        ...


class KeyService(Protocol):
    """Keeps the keys that wrap data keys: in the environment, a vault or a cloud service.

    A wrapped key is bound to its user: RefusedError for another user's, or a damaged one.
    TemporaryError while the service is away; nothing can be opened or made then.
    """

    async def generate(self, user: UserId, key_version: int) -> WrappedKey:
        """Make a random data key of 32 bytes."""
        ...

    async def unwrap(self, user: UserId, key: WrappedKey) -> bytes: ...

    async def rewrap(self, user: UserId, key: WrappedKey) -> WrappedKey:
        """Wrap the same data key by the newest wrapping key."""
        ...

    async def versions(self) -> tuple[str, ...]:
        """Return the ids of the wrapping keys, the one in use first."""
        ...
