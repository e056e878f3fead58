"""How a vendor's trouble reaches the use cases: named by what to do about it."""


class PortError(Exception):
    """Something outside did not do what was asked."""


class TemporaryError(PortError):
    """Try later; `retry_after` in seconds where the other side said so."""

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class SignInRequiredError(PortError):
    """Stored credentials no longer work; `reason` is a constant word. Only the user can help."""

    def __init__(self, message: str, *, reason: str) -> None:
        super().__init__(message)
        self.reason = reason


class RefusedError(PortError):
    """The other side refuses for good; trying again changes nothing."""


class NotSentError(PortError):
    """An order provably did not leave this process; `reason` is a constant word."""

    def __init__(self, message: str, *, reason: str) -> None:
        super().__init__(message)
        self.reason = reason


class StoreUnavailableError(PortError):
    """The store cannot be reached or written. Nothing may be sent that was not stored."""


class StoreInDoubtError(StoreUnavailableError):
    """The store did not say whether it was written: read it again before acting on it."""


class FencedError(PortError):
    """Somebody newer owns this user's slot; nothing was written. Stop working for the user."""


class ConflictError(PortError):
    """The row changed since it was read; read it again."""
