"""MetaApi's addresses: defaults, overrides, and what production refuses."""

import ipaddress
import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from signalfleet.adapters.metaapi import limits

_HOST_PART: Final = re.compile(r"[a-z0-9]([a-z0-9.-]{0,200}[a-z0-9])?")


class UnsafeUrlError(ValueError):
    """An address to which no token and no order may be sent."""


def require_public(url: str, setting: str) -> None:
    """Refuse an address that is not https to a public host name."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.scheme != "https":
        raise UnsafeUrlError(f"{setting} must be https in production: a token travels with it")
    if parts.username or parts.password:
        raise UnsafeUrlError(f"{setting} must not hold a user name or password")
    if "." not in host or host.endswith((".localhost", ".local", ".internal", ".test")):
        raise UnsafeUrlError(f"{setting} must name a public host in production, not {host!r}")
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return
    raise UnsafeUrlError(f"{setting} must name a host, not the address {address}, in production")


@dataclass(frozen=True, slots=True, kw_only=True)
class MetaApiUrls:
    """Where MetaApi is. `client` may hold {region} and {domain}; {domain} is then looked up.

    `public_only` (production) refuses plain http, loopback and private hosts.
    """

    provisioning: str = limits.PROVISIONING_URL
    client: str = limits.CLIENT_URL
    profile: str = limits.PROFILE_URL
    public_only: bool = True

    def __post_init__(self) -> None:
        if self.public_only:
            require_public(self.provisioning, "METAAPI_PROVISIONING_URL")
            require_public(self.profile, "METAAPI_PROFILE_URL")
            require_public(
                self.client.replace("{region}", "region").replace("{domain}", "example.com"),
                "METAAPI_CLIENT_URL",
            )

    @property
    def needs_domain(self) -> bool:
        return "{domain}" in self.client

    def terminal(self, region: str, domain: str) -> str:
        """Return the terminal service's address; UnsafeUrlError if a part of it looks forged."""
        for name, part in (("region", region), ("domain", domain)):
            if f"{{{name}}}" in self.client and not _HOST_PART.fullmatch(part):
                raise UnsafeUrlError(f"MetaApi named a {name} that is not a host name")
        url = self.client.replace("{region}", region).replace("{domain}", domain).rstrip("/")
        if self.public_only:
            require_public(url, "METAAPI_CLIENT_URL")
        return url
