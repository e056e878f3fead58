"""What a person who signs in is told: each refusal of Telegram in plain words."""

from typing import Any, Final

from telethon import errors, types

from signalfleet.adapters.telegram.errors import FloodError, translated
from signalfleet.ports.errors import PortError, RefusedError, TemporaryError

REFUSALS: Final[dict[type[BaseException], str]] = {
    errors.PhoneNumberInvalidError: "Telegram does not know this phone number; check its digits",
    errors.PhoneNumberBannedError: "Telegram has banned this phone number",
    errors.PhoneNumberFloodError: "Telegram has seen too many sign-ins of this number today",
    errors.PhoneNumberUnoccupiedError: "there is no Telegram account for this number",
    errors.PhonePasswordFloodError: "too many sign-ins were tried; wait a day",
    errors.PhoneCodeEmptyError: "enter the code that Telegram sent",
    errors.PhoneCodeExpiredError: "this code has expired; ask for a new one",
    errors.PhoneCodeHashEmptyError: "this code has expired; ask for a new one",
    errors.SendCodeUnavailableError: "Telegram offers no further way to send a code; wait a day",
    errors.AuthTokenExpiredError: "this QR code has expired; show a new one",
    errors.AuthTokenInvalidError: "this QR code is no longer good; show a new one",
    errors.AuthTokenAlreadyAcceptedError: "this QR code was used already; show a new one",
    errors.ApiIdInvalidError: "the application id or hash of this installation is wrong",
    errors.ApiIdPublishedFloodError: "the application id of this installation is blocked",
    errors.UpdateAppToLoginError: "Telegram wants a newer application for this account",
    errors.UserDeactivatedError: "this Telegram account was deleted",
    errors.UserDeactivatedBanError: "Telegram has banned this account",
}

DELIVERY: Final[dict[type, str]] = {
    types.auth.SentCodeTypeApp: "app",
    types.auth.SentCodeTypeSms: "sms",
    types.auth.SentCodeTypeSmsWord: "sms",
    types.auth.SentCodeTypeSmsPhrase: "sms",
    types.auth.SentCodeTypeFragmentSms: "sms",
    types.auth.SentCodeTypeCall: "call",
    types.auth.SentCodeTypeFlashCall: "call",
    types.auth.SentCodeTypeMissedCall: "call",
    types.auth.SentCodeTypeEmailCode: "email",
}

_FOR_OFFICIAL_APPS: Final = (
    types.auth.SentCodeTypeFirebaseSms,
    types.auth.SentCodeTypeSetUpEmailRequired,
)


def delivery_of(sent: Any) -> str:
    """Return where a code was sent; RefusedError where only Telegram's own apps get one."""
    kind = getattr(sent, "type", None)
    if not isinstance(sent, types.auth.SentCode) or isinstance(kind, _FOR_OFFICIAL_APPS):
        raise RefusedError(
            "Telegram sends a code for this number to its own apps only; use the QR code"
        )
    return DELIVERY.get(type(kind), "other")


def in_port_words(error: Exception) -> PortError | None:
    """Return what the person can be told; the library's texts name the request and its values."""
    words = REFUSALS.get(type(error))
    if words is not None:
        return RefusedError(words)
    known = translated(error)
    if isinstance(known, FloodError):
        return TemporaryError(
            "Telegram asks us to wait before another try", retry_after=known.retry_after
        )
    return known
