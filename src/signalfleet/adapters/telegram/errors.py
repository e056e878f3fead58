"""Every error of the library and the network, and what it means here: one table."""

import asyncio
from typing import Final

from telethon import errors

from signalfleet.adapters.telegram.guard import ForbiddenRequestError
from signalfleet.adapters.telegram.limits import FLOOD_MARGIN, FROZEN_RETRY_S
from signalfleet.ports.errors import PortError, RefusedError, SignInRequiredError, TemporaryError


class ChatGoneError(RefusedError):
    """The account can no longer read this chat: left, banned, or the chat is deleted."""


class KeyUnknownError(TemporaryError):
    """The server does not know the key; it may pass, three in ten minutes do not."""


class UnreadableError(TemporaryError):
    """The answer holds something that this version of the library does not know."""


class FloodError(TemporaryError):
    """Nothing of this session may be asked until the wait is over."""

    def __init__(self, message: str, *, retry_after: float, reason: str) -> None:
        super().__init__(message, retry_after=retry_after)
        self.reason = reason


# Exact classes: PhonePasswordFloodError and every unknown 406 are subclasses of AuthKeyError.
SIGN_IN_NEEDED: Final[dict[type[BaseException], tuple[str, str]]] = {
    errors.AuthKeyUnregisteredError: ("unregistered", "the Telegram session no longer exists"),
    errors.AuthKeyInvalidError: ("unregistered", "the Telegram session no longer exists"),
    errors.AuthKeyPermEmptyError: ("unregistered", "the Telegram session no longer exists"),
    errors.SessionExpiredError: ("unregistered", "the Telegram session has expired"),
    errors.SessionRevokedError: ("revoked", "the Telegram session was ended in Telegram"),
    errors.UserDeactivatedError: ("deactivated", "the Telegram account was deleted"),
    errors.UserDeactivatedBanError: ("deactivated", "Telegram has banned the account"),
    errors.AuthKeyDuplicatedError: (
        "auth_key_duplicated",
        "the Telegram session was used from two places at once and is dead",
    ),
}

CHAT_GONE: Final[frozenset[type[BaseException]]] = frozenset(
    {
        errors.ChannelPrivateError,
        errors.ChannelInvalidError,
        errors.ChatIdInvalidError,
        errors.PeerIdInvalidError,
        errors.ChannelPublicGroupNaError,
        errors.ChatForbiddenError,
        errors.UserBannedInChannelError,
    }
)

_FLOODS: Final = (errors.FloodWaitError, errors.FloodPremiumWaitError)
_NETWORK: Final = (
    errors.ServerError,
    errors.TimedOutError,
    OSError,
    TimeoutError,
    asyncio.TimeoutError,
    asyncio.IncompleteReadError,
    EOFError,
    BufferError,
    errors.InvalidChecksumError,
    errors.SecurityError,
    errors.BadMessageError,
)


def translated(error: BaseException) -> PortError | None:
    """Return the error in the port's words, None for what must go on as it is."""
    if isinstance(error, PortError):
        return error
    if isinstance(error, (asyncio.CancelledError, ForbiddenRequestError)):
        return None
    kind = type(error)
    result: PortError | None = None
    if kind in SIGN_IN_NEEDED:
        reason, words = SIGN_IN_NEEDED[kind]
        result = SignInRequiredError(f"{words}; sign in again", reason=reason)
    elif kind in CHAT_GONE:
        result = ChatGoneError("the chat cannot be read by this account any more")
    elif kind is errors.FrozenMethodInvalidError:
        result = FloodError(
            "Telegram has frozen the account", retry_after=FROZEN_RETRY_S, reason="frozen"
        )
    elif isinstance(error, _FLOODS):
        wait = error.seconds * FLOOD_MARGIN
        result = FloodError("Telegram asks us to wait", retry_after=wait, reason="flood")
    elif kind is errors.AuthKeyNotFound:
        result = KeyUnknownError("Telegram does not know the session at the moment")
    elif isinstance(error, _NETWORK):
        result = TemporaryError(f"Telegram cannot be reached ({kind.__name__})")
    elif isinstance(error, errors.TypeNotFoundError):
        # Its text quotes the raw bytes of the answer.
        result = UnreadableError("Telegram answered with something this version cannot read")
    elif isinstance(error, errors.RPCError):
        result = TemporaryError(f"Telegram refused a request ({kind.__name__})")
    return result
