"""The QR code's loop: show a token, renew it in time, follow the scanned one to its account."""

import asyncio
import base64
from collections.abc import AsyncIterator
from typing import Any

from telethon import functions, types

from signalfleet.adapters.telegram.limits import QR_TOKENS_MAX
from signalfleet.adapters.telegram.login_link import LoginLink
from signalfleet.ports.chat_sign_in import QrShown
from signalfleet.ports.errors import RefusedError


def address_of(token: bytes) -> str:
    """Return what the code on the screen says; whoever opens it in time has the account."""
    return "tg://login?token=" + base64.urlsafe_b64encode(token).decode().rstrip("=")


async def qr_tokens(link: LoginLink) -> AsyncIterator[QrShown | Any]:
    """Show tokens until one is scanned; the last item is then the library's authorization.

    Raises RefusedError if nobody scanned the last one, SessionPasswordNeededError where the
    account has a two-step password.
    """
    renew_s = link.settings.pace.qr_renew_s
    was_scanned = False
    for number in range(1, QR_TOKENS_MAX + 2):
        if number > QR_TOKENS_MAX and not was_scanned:
            break
        link.scanned.clear()
        answer = await _follow(link, await link.ask(_export(link)))
        if isinstance(answer, types.auth.LoginTokenSuccess):
            yield answer.authorization
            return
        if number > QR_TOKENS_MAX:
            break
        yield QrShown(
            address=address_of(answer.token), lives_s=renew_s, number=number, of=QR_TOKENS_MAX
        )
        was_scanned = await _scanned_within(link, renew_s)
    raise RefusedError("nobody scanned the QR code; show a new one")


def _export(link: LoginLink) -> Any:
    return functions.auth.ExportLoginTokenRequest(
        link.settings.api_id, link.settings.api_hash.reveal(), except_ids=[]
    )


async def _follow(link: LoginLink, answer: Any) -> Any:
    if isinstance(answer, types.auth.LoginTokenMigrateTo):
        await link.move(answer.dc_id)
        return await link.ask(functions.auth.ImportLoginTokenRequest(answer.token))
    return answer


async def _scanned_within(link: LoginLink, limit_s: float) -> bool:
    try:
        async with asyncio.timeout(limit_s):
            await link.scanned.wait()
    except TimeoutError:
        return False
    return True
