"""Signing in by phone code, in a client of its own that can do nothing else."""

import asyncio
from typing import Any, Final

import structlog
from telethon import errors, functions, types, utils
from telethon.client.telegrambaseclient import (
    DEFAULT_DC_ID,
    DEFAULT_IPV4_IP,
    DEFAULT_PORT,
)

from signalfleet.adapters.telegram.client import GuardedClient, within
from signalfleet.adapters.telegram.connection import Link
from signalfleet.adapters.telegram.errors import FloodError, translated
from signalfleet.adapters.telegram.gate import ConnectGate, SessionTurn
from signalfleet.adapters.telegram.guard import Role
from signalfleet.adapters.telegram.session import FleetSession, StoredSession
from signalfleet.adapters.telegram.settings import TelegramSettings
from signalfleet.ports.chat_source import CodeSent, SignedIn
from signalfleet.ports.clock import Chance, Clock
from signalfleet.ports.errors import PortError, RefusedError, TemporaryError
from signalfleet.ports.metrics import Metrics

log = structlog.get_logger()

REFUSALS: Final[dict[type[BaseException], str]] = {
    errors.PhoneNumberInvalidError: "Telegram does not know this phone number; check its digits",
    errors.PhoneNumberBannedError: "Telegram has banned this phone number",
    errors.PhoneNumberFloodError: "Telegram has seen too many sign-ins of this number today",
    errors.PhoneNumberUnoccupiedError: "there is no Telegram account for this number",
    errors.PhonePasswordFloodError: "too many sign-ins were tried; wait a day",
    errors.PhoneCodeInvalidError: "this code is wrong; look at the newest one and try again",
    errors.PhoneCodeEmptyError: "enter the code that Telegram sent",
    errors.PhoneCodeExpiredError: "this code has expired; ask for a new one",
    errors.PhoneCodeHashEmptyError: "this code has expired; ask for a new one",
    errors.SendCodeUnavailableError: "Telegram offers no further way to send a code; wait a day",
    errors.ApiIdInvalidError: "the application id or hash of this installation is wrong",
    errors.ApiIdPublishedFloodError: "the application id of this installation is blocked",
    errors.UpdateAppToLoginError: "Telegram wants a newer application for this account",
    errors.SessionPasswordNeededError: (
        "this account has a two-step password, which this sign-in cannot ask for yet"
    ),
}

_DELIVERY: Final[dict[type, str]] = {
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


class TelethonSignIn:
    """One attempt of one person; closed when it is over, whatever came of it."""

    def __init__(
        self,
        settings: TelegramSettings,
        *,
        clock: Clock,
        chance: Chance,
        metrics: Metrics,
        gate: ConnectGate,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._link = Link(SessionTurn(gate, clock, chance, metrics), metrics)
        self._metrics = metrics
        self._client: GuardedClient | None = None
        self._session = FleetSession()
        self._phone = ""
        self._code_hash = ""

    async def send_code(self, phone: str) -> CodeSent:
        digits = utils.parse_phone(phone)
        if not digits:
            raise RefusedError(
                "enter the phone number with its country code, like +44 20 7946 0000"
            )
        sent = await self._ask(
            functions.auth.SendCodeRequest(
                digits,
                self._settings.api_id,
                self._settings.api_hash.reveal(),
                types.CodeSettings(),
            )
        )
        kind = getattr(sent, "type", None)
        if not isinstance(sent, types.auth.SentCode) or isinstance(kind, _FOR_OFFICIAL_APPS):
            raise RefusedError("Telegram sends a code for this number to its own apps only")
        self._phone, self._code_hash = digits, sent.phone_code_hash
        return CodeSent(delivery=_DELIVERY.get(type(kind), "other"))

    async def enter_code(self, code: str) -> SignedIn:
        digits = "".join(character for character in code if character.isalnum())
        if not self._code_hash:
            raise RefusedError("ask for a code first")
        if not digits:
            raise RefusedError("enter the code that Telegram sent")
        answer = await self._ask(functions.auth.SignInRequest(self._phone, self._code_hash, digits))
        if isinstance(answer, types.auth.AuthorizationSignUpRequired):
            raise RefusedError("there is no Telegram account for this number")
        user = answer.user
        if user.bot:
            await self._ask(functions.auth.LogOutRequest())
            raise RefusedError("this is a bot's account; sign in as a person")
        signed_in = SignedIn(
            telegram_id=user.id,
            display_name=utils.get_display_name(user),
            session=self._stored(user.id),
        )
        # The reader connects next, and a key must never be used from two places.
        await self.aclose()
        log.info("telegram_signed_in", method="code")
        return signed_in

    async def aclose(self) -> None:
        client, self._client = self._client, None
        self._code_hash = ""
        if client is not None:
            await client.close(self._link, self._settings.pace.close_limit_s)

    def _stored(self, telegram_user_id: int) -> str:
        session = self._session
        key = session.auth_key
        # The library drops leading zero bytes: 255 bytes would be a key of another account.
        stored = StoredSession(
            dc=session.dc_id,
            host=session.server_address,
            port=session.port,
            key=b"" if key is None else bytes(key.key),
            telegram_user_id=telegram_user_id,
            signed_in_at=self._clock.now().isoformat(),
            device_model=self._settings.device_model,
            api_id=self._settings.api_id,
        )
        return stored.dump()

    async def _ask(self, request: Any) -> Any:
        limit_s = self._settings.pace.start_limit_s
        try:
            # Somebody waits in front of a screen: no endless tries here.
            async with asyncio.timeout(limit_s * 1.5):
                client = await self._connected()
            async with asyncio.timeout(self._settings.pace.request_limit_s):
                return await client(request)
        except Exception as error:
            known = _in_port_words(error)
            if known is None:
                raise
            raise known from None

    async def _connected(self) -> GuardedClient:
        if self._client is not None:
            return self._client
        server = self._settings.server
        if server is not None:
            self._session.set_dc(server.dc, server.host, server.port)
        else:
            self._session.set_dc(DEFAULT_DC_ID, DEFAULT_IPV4_IP, DEFAULT_PORT)
        self._client = GuardedClient(
            self._session, self._settings, self._link, self._metrics, role=Role.LOGIN
        )
        await within(self._settings.pace.start_limit_s, self._link, self._client.connect())
        return self._client


def _in_port_words(error: Exception) -> PortError | None:
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
