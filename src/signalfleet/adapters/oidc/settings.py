"""How we are known to the issuer."""

import ipaddress
from dataclasses import dataclass
from urllib.parse import urlsplit

from signalfleet.adapters.oidc import limits
from signalfleet.ports.secrets import Secret


@dataclass(frozen=True, slots=True, kw_only=True)
class OidcSettings:
    """Id and secret are from @BotFather. Another issuer than Telegram is for tests."""

    client_id: str
    client_secret: Secret
    issuer: str = limits.ISSUER

    def __post_init__(self) -> None:
        if not self.client_id.isascii() or not self.client_id.isalnum():
            raise ValueError("TELEGRAM_OIDC_CLIENT_ID has letters and digits only")
        if not self.client_secret.reveal():
            raise ValueError("TELEGRAM_OIDC_CLIENT_ID needs TELEGRAM_OIDC_CLIENT_SECRET")
        if self.issuer != limits.ISSUER and not _is_loopback(self.issuer):
            raise ValueError("TELEGRAM_OIDC_ISSUER must look like http://127.0.0.1:PORT")


def _is_loopback(url: str) -> bool:
    address = urlsplit(url)
    try:
        host = ipaddress.ip_address(address.hostname or "")
        plain = f"{address.scheme}://{address.hostname}:{address.port}"
    except ValueError:
        return False
    return host.is_loopback and address.scheme == "http" and url == plain
