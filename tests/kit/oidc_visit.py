"""A visitor who logs in with Telegram: the site, the issuer, and the steps between them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import urlsplit

from kit.oidc_issuer import CLIENT_ID, CLIENT_SECRET, Issuer, an_issuer
from kit.wall_clock import WallClock
from kit.web_site import KEY, OURS, PAGE, Answer, Site, serve
from signalfleet.adapters.memory.store import MemoryStore
from signalfleet.adapters.oidc.client import TelegramIdentity
from signalfleet.adapters.oidc.settings import OidcSettings
from signalfleet.ports.secrets import Secret

COOKIE = "__Host-sf-oidc"
START = "/auth/telegram/start"
CALLBACK = "/auth/telegram/callback"


def identity_of(issuer: Issuer, **changes: Any) -> TelegramIdentity:
    settings = OidcSettings(
        client_id=CLIENT_ID, client_secret=Secret(CLIENT_SECRET), issuer=issuer.url
    )
    return TelegramIdentity(settings, **{"key": KEY, "clock": WallClock(), **changes})


@dataclass(kw_only=True)
class Visit:
    """`site.cookie` is the visitor's jar; whoever has another jar is another browser."""

    site: Site
    issuer: Issuer

    async def start(self) -> str:
        """Press the button; return the address to which the browser is sent."""
        answer = await self.site.ask("POST", START, headers={**PAGE, **OURS})
        assert answer.status == 303, answer.text
        self.keep_cookie()
        return answer.headers["Location"]

    async def come_back(self, address: str) -> Answer:
        return await self.site.page(self.path_of(address))

    async def log_in(self) -> Answer:
        return await self.come_back(self.issuer.allow(await self.start()))

    def keep_cookie(self) -> None:
        jar = SimpleCookie(self.site.set_cookie)
        self.site.cookie = "; ".join(f"{name}={one.value}" for name, one in jar.items())

    def path_of(self, address: str) -> str:
        assert address.startswith(f"{self.issuer.return_to}?")
        parts = urlsplit(address)
        return f"{parts.path}?{parts.query}"


@asynccontextmanager
async def a_visit(store: MemoryStore | None = None, **changes: Any) -> AsyncIterator[Visit]:
    """Serve both on loopback; nobody is signed in and there is no demo."""
    async with an_issuer() as issuer:
        given: dict[str, Any] = {"demo_user": None, "identity": identity_of(issuer), **changes}
        async with serve(store, **given) as site:
            issuer.return_to = site.app.state.context.deps.origin + CALLBACK
            yield Visit(site=site, issuer=issuer)
