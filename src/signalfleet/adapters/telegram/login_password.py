"""The two-step password: proven to Telegram without being sent, used once, kept nowhere."""

import asyncio
from typing import Any

from telethon import errors, functions
from telethon.password import compute_check

from signalfleet.adapters.telegram.limits import PASSWORD_TRIES
from signalfleet.adapters.telegram.login_link import LoginLink
from signalfleet.ports.chat_sign_in import PasswordNeeded, WrongInputError
from signalfleet.ports.errors import RefusedError, TemporaryError
from signalfleet.ports.secrets import Secret


class PasswordStep:
    """Asks for the password and counts what is wrong."""

    def __init__(self, link: LoginLink) -> None:
        self._link = link
        self.is_due = False
        self.tries_left = PASSWORD_TRIES

    async def needed(self) -> PasswordNeeded:
        """Find out what the account's owner wrote as a reminder."""
        asked = await self._link.ask(functions.account.GetPasswordRequest())
        self.is_due = True
        return PasswordNeeded(hint=asked.hint or "")

    async def check(self, password: Secret) -> Any:
        """Return the library's authorization; WrongInputError counts down to 0 tries."""
        if not self.is_due:
            raise RefusedError("this sign-in does not ask for a password")
        if not password.reveal():
            raise WrongInputError("enter the password", tries_left=self.tries_left)
        try:
            answer = await self._prove(password)
        except errors.PasswordHashInvalidError:
            self.tries_left -= 1
            raise WrongInputError(_wrong(self.tries_left), tries_left=self.tries_left) from None
        self.is_due = False
        return answer

    async def _prove(self, password: Secret) -> Any:
        try:
            return await self._prove_once(password)
        except errors.SrpIdInvalidError:
            # Each question may be answered once; another client of the account asked meanwhile.
            pass
        try:
            return await self._prove_once(password)
        except errors.SrpIdInvalidError:
            raise TemporaryError("Telegram did not take the password; try again") from None

    async def _prove_once(self, password: Secret) -> Any:
        asked = await self._link.ask(functions.account.GetPasswordRequest())
        try:
            # A power of 2048 bits: too long for a loop that serves others.
            proof = await asyncio.to_thread(compute_check, asked, password.reveal())
        except (ValueError, UnicodeEncodeError):  # Its text could hold parts of the question.
            raise RefusedError(
                "this account's password is of a kind that this version does not know"
            ) from None
        return await self._link.ask(functions.auth.CheckPasswordRequest(proof))


def _wrong(tries_left: int) -> str:
    if tries_left == 0:
        return "this password is wrong, three times by now; start again"
    left = "one try is left" if tries_left == 1 else f"{tries_left} tries are left"
    return f"this password is wrong; {left}"
