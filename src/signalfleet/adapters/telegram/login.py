"""Signing in by QR code or phone code, with a two-step password where the account has one."""

from collections.abc import AsyncGenerator
from typing import Any

import structlog
from telethon import errors, functions, types, utils

from signalfleet.adapters.telegram.gate import ConnectGate
from signalfleet.adapters.telegram.limits import CODE_TRIES, SIGN_INS
from signalfleet.adapters.telegram.login_link import LoginLink
from signalfleet.adapters.telegram.login_password import PasswordStep
from signalfleet.adapters.telegram.login_qr import qr_tokens
from signalfleet.adapters.telegram.login_words import delivery_of
from signalfleet.adapters.telegram.settings import TelegramSettings
from signalfleet.ports.chat_sign_in import (
    CodeSent,
    PasswordNeeded,
    QrEvent,
    QrShown,
    SignedIn,
    WrongInputError,
)
from signalfleet.ports.clock import Chance, Clock
from signalfleet.ports.errors import RefusedError
from signalfleet.ports.metrics import Metrics
from signalfleet.ports.secrets import Secret

log = structlog.get_logger()


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
        self._metrics = metrics
        self._link = LoginLink(settings, clock=clock, chance=chance, metrics=metrics, gate=gate)
        self._password = PasswordStep(self._link)
        self._method = "code"
        self._phone = ""
        self._code_hash = ""
        self._code_tries_left = CODE_TRIES

    async def start_qr(self) -> AsyncGenerator[QrEvent, None]:
        self._method = "qr"
        try:
            async for event in qr_tokens(self._link):
                yield event if isinstance(event, QrShown) else await self._finish(event)
        except errors.SessionPasswordNeededError:
            yield await self._password.needed()
        except RefusedError:
            await self._end_refused()
            raise

    async def send_code(self, phone: Secret) -> CodeSent:
        self._method = "code"
        settings = self._link.settings
        digits = utils.parse_phone(phone.reveal())
        if not digits:
            raise RefusedError(
                "enter the phone number with its country code, like +44 20 7946 0000"
            )
        sent = await self._link.ask(
            functions.auth.SendCodeRequest(
                digits, settings.api_id, settings.api_hash.reveal(), types.CodeSettings()
            )
        )
        delivery = delivery_of(sent)
        self._phone, self._code_hash = digits, sent.phone_code_hash
        self._code_tries_left = CODE_TRIES
        return CodeSent(delivery=delivery)

    async def enter_code(self, code: Secret) -> SignedIn | PasswordNeeded:
        digits = "".join(character for character in code.reveal() if character.isalnum())
        if not self._code_hash:
            raise RefusedError("ask for a code first")
        if not digits:
            raise WrongInputError(
                "enter the code that Telegram sent", tries_left=self._code_tries_left
            )
        try:
            answer = await self._link.ask(
                functions.auth.SignInRequest(self._phone, self._code_hash, digits)
            )
        except errors.SessionPasswordNeededError:
            self._code_hash = ""
            return await self._password.needed()
        except errors.PhoneCodeInvalidError:
            raise await self._wrong_code() from None
        if isinstance(answer, types.auth.AuthorizationSignUpRequired):
            raise RefusedError("there is no Telegram account for this number")
        return await self._finish(answer)

    async def enter_password(self, password: Secret) -> SignedIn:
        try:
            return await self._finish(await self._password.check(password))
        except WrongInputError as error:
            if error.tries_left == 0:
                await self._end_refused()
            raise

    async def aclose(self) -> None:
        self._code_hash = ""
        self._password.is_due = False
        await self._link.aclose()

    async def _wrong_code(self) -> RefusedError:
        self._code_tries_left -= 1
        left = self._code_tries_left
        if left == 0:
            await self._end_refused()
            return WrongInputError(
                "this code is wrong, too often by now; start again", tries_left=0
            )
        return WrongInputError(
            "this code is wrong; look at the newest one and try again", tries_left=left
        )

    async def _finish(self, authorization: Any) -> SignedIn:
        """Look who it is. On a refusal nothing stays signed in at Telegram."""
        if not isinstance(authorization, types.auth.Authorization):
            await self._end_refused()
            raise RefusedError("there is no Telegram account for this number")
        (user,) = await self._link.ask(functions.users.GetUsersRequest([types.InputUserSelf()]))
        refusal = _why_not(user)
        if refusal is not None:
            await self._end_refused()
            raise RefusedError(refusal)
        session = self._link.stored(user.id)
        # The reader connects next, and a key must never be used from two places.
        await self.aclose()
        self._metrics.count(SIGN_INS, method=self._method, outcome="signed_in")
        log.info("telegram_signed_in", method=self._method)
        return SignedIn(
            telegram_id=user.id, display_name=utils.get_display_name(user), session=session
        )

    async def _end_refused(self) -> None:
        self._metrics.count(SIGN_INS, method=self._method, outcome="refused")
        await self._link.log_out()
        await self.aclose()


def _why_not(user: Any) -> str | None:
    if not isinstance(user, types.User) or user.deleted:
        return "this Telegram account was deleted"
    return "this is a bot's account; sign in as a person" if user.bot else None
