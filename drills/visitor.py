"""A browser that is signed in as a drill's user, without the way through Telegram."""

import secrets
from contextlib import aclosing
from datetime import UTC, datetime, timedelta

from signalfleet.adapters.sql import SqlStore
from signalfleet.bootstrap.platform import session_key
from signalfleet.bootstrap.settings import Settings
from signalfleet.domain.ids import UserId
from signalfleet.ports.fleet_rows import WebSession
from signalfleet.web.auth.csrf import TOKEN_HEADER, session_token
from signalfleet.web.auth.sessions import digest


async def signed_in(settings: Settings, user: UserId) -> dict[str, str]:
    """Store a session of the user; return the headers that it comes with."""
    sid, now = secrets.token_urlsafe(32), datetime.now(UTC)
    session = WebSession(user_id=user, created_at=now, expires_at=now + timedelta(hours=1))
    async with aclosing(await SqlStore.open(settings.database, cell=settings.cell)) as store:
        await store.fleet.put_session(digest(sid), session)
    return {
        "Cookie": f"{'__Host-sf' if settings.cookie_secure else 'sf'}={sid}",
        "Sec-Fetch-Site": "same-origin",
        TOKEN_HEADER: session_token(session_key(settings), digest(sid)),
    }
