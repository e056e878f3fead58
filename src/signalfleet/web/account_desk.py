"""What the account pages do: links to exports, and leaving."""

import hashlib
import hmac
import secrets
from datetime import datetime, timedelta
from typing import Final

from signalfleet.app.export_account import export_account
from signalfleet.ports.bus import Plain, owner_address
from signalfleet.ports.errors import ConflictError
from signalfleet.web.auth.sessions import Signed
from signalfleet.web.deps import WebDeps

EXPORT_SCOPE: Final = "export"
LINK_LASTS: Final = timedelta(hours=24)
EXPORTS_A_DAY: Final = 3
QUOTA: Final = "exports"
DELETE_LIMIT_S: Final = 20.0


class AccountPages:
    """One user's exports and departure; the store that is used is the signed-in user's own."""

    def __init__(self, deps: WebDeps, signed: Signed) -> None:
        self._deps = deps
        self._signed = signed
        self._settings = signed.store.settings

    async def new_link(self) -> str | None:
        """Make the address of a new archive, for one use; None if there were enough today."""
        now = self._deps.clock.now()
        day = now.date().isoformat()
        if await self._signed.store.quota.reserve(QUOTA, day, EXPORTS_A_DAY) is None:
            return None
        token = secrets.token_urlsafe(24)
        _, version = await self._settings.get(EXPORT_SCOPE)
        doc = {"digest": _digest(token), "until": (now + LINK_LASTS).isoformat()}
        await self._settings.put(EXPORT_SCOPE, doc, version)
        return f"/account/export/{token}"

    async def take(self, token: str) -> bytes | None:
        """Use a link up and return the archive; None if it is none, used, or too old."""
        now = self._deps.clock.now()
        doc, version = await self._settings.get(EXPORT_SCOPE)
        known, until = str(doc.get("digest", "")), str(doc.get("until", ""))
        if not known or not hmac.compare_digest(known, _digest(token)):
            return None
        if datetime.fromisoformat(until) <= now:
            return None
        try:
            await self._settings.put(EXPORT_SCOPE, {}, version)
        except ConflictError:
            return None  # Another request was faster.
        return await export_account(self._signed.store, self._signed.profile, now)

    async def delete(self, trades: str) -> Plain:
        """Ask the worker to delete the user; its answer names the report.

        `trades` is "keep" or "close": what becomes of what is open.
        """
        question = {"desk": "account", "op": "delete", "user": self._signed.user, "trades": trades}
        address = owner_address(self._deps.cell, self._signed.user)
        return await self._deps.bus.request(address, question, limit_s=DELETE_LIMIT_S)


def _digest(token: str) -> str:
    return hashlib.sha256(b"sf-export-1\0" + token.encode()).hexdigest()
