"""Where a token may go."""

import pytest

from signalfleet.adapters.metaapi.urls import MetaApiUrls, UnsafeUrlError


def test_the_defaults_are_safe() -> None:
    assert (
        MetaApiUrls().terminal("new-york", "agiliumtrade.ai")
        == "https://mt-client-api-v1.new-york.agiliumtrade.ai"
    )


@pytest.mark.parametrize(
    "url",
    [
        "http://mt.example.com",
        "https://localhost",
        "https://metaapi.localhost",
        "https://127.0.0.1:8080",
        "https://10.0.0.8",
        "https://8.8.8.8",
        "https://[::1]",
        "https://metaapi",
        "https://metaapi.internal",
        "https://user:word@mt.example.com",
        "ftp://mt.example.com",
        "",
    ],
)
def test_production_refuses_what_is_not_a_public_https_host(url: str) -> None:
    with pytest.raises(UnsafeUrlError, match="METAAPI_PROVISIONING_URL"):
        MetaApiUrls(provisioning=url)
    with pytest.raises(UnsafeUrlError, match="METAAPI_CLIENT_URL"):
        MetaApiUrls(client=url)


def test_outside_production_a_simulator_on_loopback_is_allowed() -> None:
    urls = MetaApiUrls(
        provisioning="http://127.0.0.1:9/prov",
        client="http://127.0.0.1:9/client/{region}",
        public_only=False,
    )
    assert urls.terminal("london", "") == "http://127.0.0.1:9/client/london"
    assert not urls.needs_domain


@pytest.mark.parametrize("domain", ["", "evil.com/x", "a@b.com", "a b", "evil.com:80", "?x", "-a"])
def test_a_forged_domain_is_refused(domain: str) -> None:
    with pytest.raises(UnsafeUrlError, match="domain"):
        MetaApiUrls().terminal("new-york", domain)


def test_a_forged_region_is_refused() -> None:
    with pytest.raises(UnsafeUrlError, match="region"):
        MetaApiUrls().terminal("x/../y", "agiliumtrade.ai")


def test_a_private_domain_is_refused_in_production() -> None:
    urls = MetaApiUrls(client="https://{domain}")
    with pytest.raises(UnsafeUrlError):
        urls.terminal("new-york", "127.0.0.1")
