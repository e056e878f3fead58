"""Two users of one site: A has a full day behind, B is somebody else."""

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from kit.wall_clock import WallClock
from kit.web_scene import CELL, USER, a_full_day
from kit.web_site import OURS, PAGE, Answer, Site, serve
from signalfleet.adapters.memory.store import MemoryStore
from signalfleet.bootstrap.language import load_profile_editor
from signalfleet.domain.ids import UserId, slot
from signalfleet.ports.fleet_rows import WebSession
from signalfleet.ports.store import UserProfile
from signalfleet.web.auth.csrf import session_token
from signalfleet.web.auth.sessions import digest

OTHER = UserId("u_nbswy3dpo5xxe3de")
SID = "b" * 43


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenants:
    """`site` acts as A; `b` acts as B on the same server."""

    site: Site
    b: Site
    store: MemoryStore

    def rows_of_a(self) -> str:
        """Return all that the store holds of A, for comparing; A's own trail aside."""
        rows = self.store._state.rows[USER]
        return re.sub(r"0x[0-9a-f]+", "", repr(replace(rows, events=[])))

    async def sign_b_in(self) -> None:
        """Make B's session, or make it anew."""
        now = WallClock().now()
        signed = WebSession(user_id=OTHER, created_at=now, expires_at=now + timedelta(hours=1))
        await self.store.fleet.put_session(digest(SID), signed)

    async def misses_of_b(self) -> int:
        rows = await self.store.user(OTHER).events.list()
        return sum(1 for row in rows if row.entry.action == "object_not_found")


async def send(
    site: Site,
    method: str,
    path: str,
    *,
    form: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Answer:
    """Send what our own page would send."""
    given = {**PAGE, **OURS, **(headers or {})}
    if method == "GET":
        return await site.ask("GET", path, headers=given)
    return await site.ask(
        method, path, headers=given, form={"csrf_token": site.token, **(form or {})}
    )


@asynccontextmanager
async def two_tenants(**changes: Any) -> AsyncIterator[Tenants]:
    store = MemoryStore(cell=CELL)
    now = WallClock().now()
    await a_full_day(store, now)
    await store.fleet.add_user(
        UserProfile(
            user_id=OTHER,
            telegram_id=77,
            display_name="Somebody else",
            tier="FREE",
            timezone="UTC",
            slot=slot(OTHER),
        )
    )
    async with serve(store, profiles=load_profile_editor(), **changes) as site:
        await site.sign_in()
        deps = site.app.state.context.deps
        b = replace(
            site,
            cookie=f"{site.app.state.context.sessions.cookie}={SID}",
            token=session_token(deps.session_key, digest(SID)),
        )
        tenants = Tenants(site=site, b=b, store=store)
        await tenants.sign_b_in()
        yield tenants
