"""What the web role is given at start, checked once."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

from signalfleet.app.edit_profile import EditProfile
from signalfleet.domain.accounts.tiers import FREE, UserQuota
from signalfleet.domain.ids import UserId
from signalfleet.domain.risk.prop_packs import PropPack
from signalfleet.ports.bus import Bus
from signalfleet.ports.clock import Clock
from signalfleet.ports.identity import IdentityProvider
from signalfleet.ports.secrets import Sealer
from signalfleet.ports.store import Store
from signalfleet.web.limit_settings import LimitSettings
from signalfleet.web.visitors import Network

MIN_KEY_BYTES: Final = 32
LOOPBACK_NAMES: Final = frozenset({"127.0.0.1", "localhost", "::1"})


async def always() -> bool:
    return True


class WebConfigError(ValueError):
    """The web role must not start like this; the message says what to change."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WebDeps:
    """Ports and facts for `create_app`. `demo_user` None means that no demo button exists.

    `session_key` signs the tokens against forged requests. `public_url` is the address that
    browsers use. `cookie_secure` False is for browsers that refuse Secure cookies on loopback.
    Without `sealer`, for what users type, nobody can connect Telegram; `cell` is whom to ask.
    Without `identity` nobody can log in with Telegram, without `profiles` no channel has a page.
    `least_quota` is what the operator gives to everybody, whatever their tier.
    Only `trusted_proxies` are believed when they say whom they speak for.
    """

    store: Store
    bus: Bus
    clock: Clock
    metrics_text: Callable[[], bytes]
    environment: str
    demo_user: UserId | None
    bound_to_loopback: bool
    session_key: bytes = field(repr=False)
    public_url: str
    version: str
    cookie_secure: bool = True
    cell: str = "c1"
    trusted_proxies: tuple[Network, ...] = ()
    limits: LimitSettings | None = None
    sealer: Sealer | None = None
    identity: IdentityProvider | None = None
    profiles: EditProfile | None = None
    least_quota: UserQuota = FREE
    packs: Mapping[str, PropPack] = field(default_factory=dict)

    is_armed: Callable[[], Awaitable[bool]] = always

    def __post_init__(self) -> None:
        if len(self.session_key) < MIN_KEY_BYTES:
            raise WebConfigError(f"the session key needs at least {MIN_KEY_BYTES} random bytes")
        address = urlsplit(self.public_url)
        if address.scheme not in ("http", "https") or not address.hostname:
            raise WebConfigError("PUBLIC_URL must look like https://host or http://127.0.0.1:8080")
        if address.scheme == "http" and address.hostname not in LOOPBACK_NAMES:
            raise WebConfigError("PUBLIC_URL must start with https:// unless it is on loopback")
        if not self.cookie_secure and not self.bound_to_loopback:
            raise WebConfigError("COOKIE_SECURE=false is for loopback only; serve over https")
        self._check_limits()
        if self.demo_user is not None:
            self._check_demo()

    def _check_limits(self) -> None:
        if self.limits is None and self.environment == "production":
            raise WebConfigError("rate limits are not optional with ENVIRONMENT=production")

    def _check_demo(self) -> None:
        if not self.bound_to_loopback:
            raise WebConfigError("the demo signs in without proof: bind it to 127.0.0.1")
        if self.environment == "production":
            raise WebConfigError("the demo does not run with ENVIRONMENT=production")

    @property
    def origin(self) -> str:
        """Return scheme, host and port of the public address, as browsers send them."""
        address = urlsplit(self.public_url)
        return f"{address.scheme}://{address.netloc}".lower()

    @property
    def hosts(self) -> frozenset[str]:
        """Return the host names under which pages are served."""
        public = urlsplit(self.public_url).hostname or ""
        return LOOPBACK_NAMES | {public} if self.bound_to_loopback else frozenset({public})

    @property
    def is_https(self) -> bool:
        return self.public_url.lower().startswith("https:")
