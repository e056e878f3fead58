"""Where a visitor comes from, also behind proxies that we were told to trust."""

import ipaddress
from collections.abc import Sequence
from typing import Final, TypeAlias

from starlette.requests import Request

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network

HOPS_MAX: Final = 16
_V6_PREFIX: Final = 64
_V6: Final = 6


def networks_of(text: str) -> tuple[Network, ...]:
    """Read a list of addresses and networks, separated by commas; ValueError if one is neither."""
    return tuple(
        ipaddress.ip_network(part.strip(), strict=False) for part in text.split(",") if part.strip()
    )


def visitor_of(request: Request, trusted: Sequence[Network]) -> str:
    """Name the visitor's address, of IPv6 the network of a household; `unknown` without one.

    Of X-Forwarded-For only what trusted proxies have written is believed: it is read from the
    right, and the first address that is no proxy of ours is the visitor. Whatever stands left of
    it the visitor may have made up.
    """
    peer = _address(request.client.host if request.client else "")
    if peer is None:
        return "unknown"
    named = ",".join(request.headers.getlist("x-forwarded-for")).split(",")[-HOPS_MAX:]
    while named and _is_in(peer, trusted):
        before = _address(named.pop().strip())
        if before is None:
            break
        peer = before
    if peer.version == _V6:
        return str(ipaddress.ip_network(f"{peer}/{_V6_PREFIX}", strict=False))
    return str(peer)


def _is_in(address: Address, networks: Sequence[Network]) -> bool:
    return any(address.version == one.version and address in one for one in networks)


def _address(text: str) -> Address | None:
    try:
        parsed = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = getattr(parsed, "ipv4_mapped", None)
    return mapped or parsed
