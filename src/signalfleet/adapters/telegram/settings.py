"""How to reach Telegram and how to introduce ourselves."""

from dataclasses import dataclass

from signalfleet.adapters.telegram.limits import Pace
from signalfleet.ports.secrets import Secret


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnServer:
    """A server that is not Telegram's: the simulator's address and public key (PKCS#1 PEM)."""

    dc: int
    host: str
    port: int
    public_key_pem: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TelegramSettings:
    """The application's own id, from my.telegram.org; it can never be replaced.

    The names are shown to the user in Telegram > Settings > Devices and stay the same for ever.
    """

    api_id: int
    api_hash: Secret
    server: OwnServer | None = None
    device_model: str = "SignalFleet copier"
    system_version: str = "Linux"
    app_version: str = "0.1"
    lang_code: str = "en"
    pace: Pace = Pace()
