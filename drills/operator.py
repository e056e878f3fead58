"""What an operator and a user do during a drill: commands beside the product, and its pages."""

import asyncio
import secrets
import sys
from collections.abc import Mapping
from contextlib import aclosing
from datetime import UTC, datetime, timedelta

import aiohttp

from drills.rig import Rig
from signalfleet.adapters.sql import SqlStore
from signalfleet.bootstrap.platform import session_key
from signalfleet.ports.store import WebSession
from signalfleet.web.auth.csrf import TOKEN_HEADER, session_token
from signalfleet.web.auth.sessions import digest


async def command(rig: Rig, *words: str) -> int:
    """Run `signalfleet` with the product's settings; return its exit status."""
    with (rig.root / "commands.log").open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "signalfleet.cli",
            *words,
            env=rig.environment,
            cwd=rig.root,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
        return await process.wait()


async def visit(
    rig: Rig, method: str, path: str, *, form: Mapping[str, str] | None = None
) -> tuple[int, str]:
    """Ask for a page as the user, over a session that is made for it; return status and text."""
    sid = secrets.token_urlsafe(32)
    now = datetime.now(UTC)
    signed = WebSession(user_id=rig.user, created_at=now, expires_at=now + timedelta(hours=1))
    store = await SqlStore.open(rig.settings.database, cell=rig.settings.cell)
    async with aclosing(store):
        await store.fleet.put_session(digest(sid), signed)
    headers = {
        "Accept": "text/html",
        "Cookie": f"{'__Host-sf' if rig.settings.cookie_secure else 'sf'}={sid}",
        "Sec-Fetch-Site": "same-origin",
        TOKEN_HEADER: session_token(session_key(rig.settings), digest(sid)),
    }
    async with (
        aiohttp.ClientSession(headers=headers) as session,
        session.request(method, rig.address() + path, data=form, allow_redirects=False) as response,
    ):
        return response.status, await response.text()
