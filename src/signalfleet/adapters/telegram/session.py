"""A signed-in session: the text that is sealed and stored, and what the library sees of it."""

import base64
import binascii
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NoReturn

from telethon.crypto import AuthKey
from telethon.sessions import MemorySession

from signalfleet.adapters.telegram.limits import AUTH_KEY_BYTES
from signalfleet.adapters.telegram.settings import TelegramSettings
from signalfleet.ports.errors import SignInRequiredError
from signalfleet.ports.secrets import Secret

FORMAT = 1
PORT_MAX = 65_535


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredSession:
    """What is kept of a sign-in. The key is the whole account, so nothing of it is shown."""

    dc: int
    host: str
    port: int
    key: bytes
    telegram_user_id: int
    signed_in_at: str = ""
    device_model: str = ""
    api_id: int = 0

    def __post_init__(self) -> None:
        if len(self.key) != AUTH_KEY_BYTES or not any(self.key):
            raise ValueError("an authorization key has 256 bytes")

    def __repr__(self) -> str:
        return "StoredSession(***)"

    def dump(self) -> str:
        """Return the text to seal and store."""
        return json.dumps(
            {
                "v": FORMAT,
                "dc": self.dc,
                "host": self.host,
                "port": self.port,
                "key": base64.b64encode(self.key).decode(),
                "telegram_user_id": self.telegram_user_id,
                "signed_in_at": self.signed_in_at,
                "device_model": self.device_model,
                "api_id": self.api_id,
            }
        )


def load_session(secret: Secret) -> StoredSession:
    """Read a stored session. A damaged one is a sign-in that the user has to repeat."""
    try:
        fields = json.loads(secret.reveal())
        if fields["v"] != FORMAT:
            _refuse()
        return StoredSession(
            dc=_positive(fields["dc"]),
            host=_text(fields["host"]),
            port=_positive(fields["port"], PORT_MAX),
            key=base64.b64decode(fields["key"], validate=True),
            telegram_user_id=_positive(fields["telegram_user_id"]),
            signed_in_at=str(fields.get("signed_in_at", "")),
            device_model=str(fields.get("device_model", "")),
            api_id=int(fields.get("api_id", 0)),
        )
    except (ValueError, KeyError, TypeError, AttributeError, binascii.Error):
        # The cause is left out: it could quote the text, and the text is the account.
        _refuse()


def _refuse() -> NoReturn:
    raise SignInRequiredError(
        "the stored Telegram session cannot be read; sign in again", reason="unregistered"
    ) from None


def _positive(value: object, at_most: int = 2**63) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < value <= at_most:
        raise ValueError
    return value


def _text(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError
    return value


class FleetSession(MemorySession):
    """What the library may keep of a session: the address and the key, in memory, nothing else.

    The base class would remember every user and chat ever seen; our requests carry their peers
    with them, so nothing has to be looked up here.
    """

    def __init__(self, *, key: bytes | None = None) -> None:
        super().__init__()
        self.is_fixed = key is not None
        self.was_rekeyed = False
        self.was_deleted = False
        if key is not None:
            self._auth_key = AuthKey(key)

    @classmethod
    def of(cls, stored: StoredSession, settings: TelegramSettings) -> "FleetSession":
        """Make the session of a reader: its key never changes."""
        session = cls(key=stored.key)
        server = settings.server
        if server is not None and server.dc == stored.dc:
            # A simulator that was started again has another port but knows the same keys.
            session.set_dc(stored.dc, server.host, server.port)
        else:
            session.set_dc(stored.dc, stored.host, stored.port)
        return session

    @property
    def auth_key(self) -> AuthKey | None:
        return self._auth_key

    @auth_key.setter
    def auth_key(self, value: AuthKey | None) -> None:
        if not self.is_fixed:
            self._auth_key = value
        elif value is None or value.key != self._auth_key.key:
            self.was_rekeyed = True

    def delete(self) -> None:
        self.was_deleted = True

    def process_entities(self, tlo: Any) -> None: ...

    def get_input_entity(self, key: Any) -> NoReturn:  # noqa: ARG002
        raise ValueError("peers are given with each request")

    def get_update_state(self, entity_id: int) -> None: ...

    def set_update_state(self, entity_id: int, state: Any) -> None: ...

    def get_update_states(self) -> Iterable[Any]:
        return ()

    def cache_file(self, md5_digest: bytes, file_size: int, instance: Any) -> None: ...

    def clone(self, to_instance: Any = None) -> "FleetSession":  # noqa: ARG002
        return FleetSession()

    def __repr__(self) -> str:
        return "FleetSession(***)"
