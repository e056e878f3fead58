"""Visitors are counted by where they come from, and nobody can pretend to come from elsewhere."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request

from signalfleet.web.visitors import networks_of, visitor_of

TRUSTED = networks_of("10.0.0.0/8, 192.0.2.7, fd00::/8")


def coming_from(peer: str | None, *forwarded: str) -> Request:
    headers = [(b"x-forwarded-for", one.encode("latin-1")) for one in forwarded]
    client = None if peer is None else (peer, 5000)
    return Request({"type": "http", "headers": headers, "client": client})


@pytest.mark.parametrize(
    ("peer", "forwarded", "visitor"),
    [
        ("203.0.113.9", (), "203.0.113.9"),
        ("203.0.113.9", ("198.51.100.1",), "203.0.113.9"),
        ("10.1.2.3", (), "10.1.2.3"),
        ("10.1.2.3", ("198.51.100.1",), "198.51.100.1"),
        ("10.1.2.3", ("1.1.1.1, 198.51.100.1",), "198.51.100.1"),
        ("10.1.2.3", ("1.1.1.1", "198.51.100.1"), "198.51.100.1"),
        ("10.1.2.3", ("198.51.100.1, 192.0.2.7",), "198.51.100.1"),
        ("10.1.2.3", ("198.51.100.1, junk",), "10.1.2.3"),
        ("10.1.2.3", ("10.9.9.9, 10.8.8.8",), "10.9.9.9"),
        ("::ffff:10.1.2.3", ("198.51.100.1",), "198.51.100.1"),
        ("fd00::1", ("2001:db8:1:2:3::4",), "2001:db8:1:2::/64"),
        ("2001:db8:1:2::1", ("198.51.100.1",), "2001:db8:1:2::/64"),
        (None, ("198.51.100.1",), "unknown"),
        ("a-socket-file", ("198.51.100.1",), "unknown"),
    ],
    ids=[
        "direct", "stranger-names-somebody", "proxy-alone", "behind-a-proxy", "made-up-before",
        "two-headers", "two-proxies", "junk-from-the-proxy", "only-proxies", "mapped-peer",
        "behind-v6-proxy", "v6-household", "no-peer", "unreadable-peer",
    ],
)  # fmt: skip
def test_only_trusted_proxies_are_believed(
    peer: str | None, forwarded: tuple[str, ...], visitor: str
) -> None:
    assert visitor_of(coming_from(peer, *forwarded), TRUSTED) == visitor


def test_without_trusted_proxies_the_header_means_nothing() -> None:
    assert visitor_of(coming_from("127.0.0.1", "198.51.100.1"), ()) == "127.0.0.1"


@given(st.lists(st.text(alphabet="0123456789abcdef.:,% x", max_size=30), max_size=4))
def test_whatever_a_stranger_writes_changes_nothing(forwarded: list[str]) -> None:
    assert visitor_of(coming_from("203.0.113.9", *forwarded), TRUSTED) == "203.0.113.9"


@pytest.mark.parametrize("text", ["10.0.0.0/33", "proxy.example", "10.0.0.1;10.0.0.2"])
def test_what_is_no_network_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="appear"):
        networks_of(text)
