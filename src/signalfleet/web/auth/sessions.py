"""Sessions: an opaque cookie in the browser, its digest in the store."""

import hashlib
import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from signalfleet.domain.accounts.audit import AuditEntry
from signalfleet.domain.ids import UserId
from signalfleet.ports.fleet_rows import WebSession
from signalfleet.ports.store import UserProfile, UserStore
from signalfleet.web.auth.csrf import session_token
from signalfleet.web.deps import WebDeps

IDLE: Final = timedelta(hours=12)
ABSOLUTE: Final = timedelta(days=30)
RENEW_AFTER: Final = timedelta(hours=1)
SID_BYTES: Final = 32
SID_MAX_CHARS: Final = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """Who is signed in since when, and the only store this request may read."""

    profile: UserProfile
    store: UserStore
    since: datetime
    sid_hash: str = field(repr=False)
    token: str = field(repr=False)

    @property
    def user(self) -> UserId:
        return self.profile.user_id


def digest(sid: str) -> str:
    """Return what the store keeps: with it alone nobody can sign in."""
    return hashlib.sha256(sid.encode()).hexdigest()


class Sessions:
    """Opens, finds and ends sessions."""

    def __init__(self, deps: WebDeps) -> None:
        self._deps = deps
        self._fleet = deps.store.fleet

    @property
    def cookie(self) -> str:
        return "__Host-sf" if self._deps.cookie_secure else "sf"

    async def open(self, user: UserId, response: Response) -> None:
        """Make a new session for the user and hand its cookie to the browser."""
        sid = secrets.token_urlsafe(SID_BYTES)
        now = self._deps.clock.now()
        session = WebSession(user_id=user, created_at=now, expires_at=now + IDLE)
        await self._fleet.put_session(digest(sid), session)
        entry = AuditEntry(
            at=now, actor="user", action="signed_in", facts={"session": digest(sid)[:8]}
        )
        await self._deps.store.user(user).events.add(entry)
        response.set_cookie(
            self.cookie,
            sid,
            max_age=int(ABSOLUTE.total_seconds()),
            path="/",
            secure=self._deps.cookie_secure,
            httponly=True,
            samesite="lax",
        )

    async def find(self, request: Request) -> Signed | None:
        """Return who sent the request, or None; a session in use is prolonged."""
        sid = request.cookies.get(self.cookie, "")
        if not sid or len(sid) > SID_MAX_CHARS:
            return None
        sid_hash = digest(sid)
        session = await self._fleet.session(sid_hash)
        now = self._deps.clock.now()
        if session is None or session.expires_at <= now:
            return None
        profile = await self._fleet.get_user(session.user_id)
        if profile is None:
            return None
        wanted = min(now + IDLE, session.created_at + ABSOLUTE)
        if wanted - session.expires_at > RENEW_AFTER:
            renewed = WebSession(
                user_id=session.user_id, created_at=session.created_at, expires_at=wanted
            )
            await self._fleet.put_session(sid_hash, renewed)
        return Signed(
            profile=profile,
            store=self._deps.store.user(profile.user_id),
            since=session.created_at,
            sid_hash=sid_hash,
            token=session_token(self._deps.session_key, sid_hash),
        )

    async def close(self, signed: Signed, response: Response) -> None:
        """End the session in the store first, then in the browser."""
        await self._fleet.delete_session(signed.sid_hash)
        response.delete_cookie(
            self.cookie,
            path="/",
            secure=self._deps.cookie_secure,
            httponly=True,
            samesite="lax",
        )
        response.headers["Clear-Site-Data"] = '"cache","storage"'
