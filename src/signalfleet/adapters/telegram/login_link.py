"""The connection of one sign-in: a fresh key, a client that can do nothing else."""

import asyncio
from typing import Any, Final

from telethon import errors, events, functions, types
from telethon.client.telegrambaseclient import (
    DEFAULT_DC_ID,
    DEFAULT_IPV4_IP,
    DEFAULT_PORT,
)

from signalfleet.adapters.telegram.client import GuardedClient, within
from signalfleet.adapters.telegram.connection import Link
from signalfleet.adapters.telegram.gate import ConnectGate, SessionTurn
from signalfleet.adapters.telegram.guard import Role
from signalfleet.adapters.telegram.login_words import in_port_words
from signalfleet.adapters.telegram.session import FleetSession, StoredSession
from signalfleet.adapters.telegram.settings import TelegramSettings
from signalfleet.ports.clock import Chance, Clock
from signalfleet.ports.errors import TemporaryError
from signalfleet.ports.metrics import Metrics
from signalfleet.ports.secrets import Secret

_PATIENCE: Final = 1.5
_LEFT_TO_CALLERS: Final = (
    errors.SessionPasswordNeededError,
    errors.PhoneCodeInvalidError,
    errors.PasswordHashInvalidError,
    errors.SrpIdInvalidError,
)
"""Not the end of a sign-in: these leave `ask` as they are."""


class LoginLink:
    """Connects at the first request and keeps its key until it is closed."""

    def __init__(
        self,
        settings: TelegramSettings,
        *,
        clock: Clock,
        chance: Chance,
        metrics: Metrics,
        gate: ConnectGate,
    ) -> None:
        self.settings = settings
        self.scanned = asyncio.Event()
        self._clock = clock
        self._metrics = metrics
        self._link = Link(SessionTurn(gate, clock, chance, metrics), metrics)
        self._session = FleetSession()
        self._client: GuardedClient | None = None
        self._is_closed = False

    async def ask(self, request: Any) -> Any:
        """Send a request. Raises port errors, and those of `_LEFT_TO_CALLERS`."""
        pace = self.settings.pace
        try:
            # Somebody waits in front of a screen: no endless tries here.
            async with asyncio.timeout(pace.start_limit_s * _PATIENCE):
                client = await self._connected()
            async with asyncio.timeout(pace.request_limit_s):
                return await client(request)
        except _LEFT_TO_CALLERS:
            raise
        except Exception as error:
            known = in_port_words(error)
            if known is None:
                raise
            raise known from None

    async def move(self, dc: int) -> None:
        """Go on at another data centre, with a new key."""
        limit_s = self.settings.pace.start_limit_s
        try:
            async with asyncio.timeout(limit_s * _PATIENCE):
                client = await self._connected()
                await client._switch_dc(dc)  # noqa: SLF001 - the library does it by phone only
        except Exception as error:
            known = in_port_words(error)
            if known is None:
                raise
            raise known from None

    async def log_out(self) -> None:
        """Leave nothing signed in behind; never raises for what Telegram or the network says."""
        if self._client is None:
            return
        try:
            async with asyncio.timeout(self.settings.pace.request_limit_s):
                await self._client(functions.auth.LogOutRequest())
        except Exception as error:
            # A key that never signed in has nothing to end, and Telegram says so.
            if in_port_words(error) is None:
                raise

    async def aclose(self) -> None:
        self._is_closed = True
        client, self._client = self._client, None
        if client is not None:
            await client.close(self._link, self.settings.pace.close_limit_s)

    def stored(self, telegram_user_id: int) -> Secret:
        """Return the finished session as it is sealed and stored."""
        session = self._session
        key = session.auth_key
        # The library drops leading zero bytes: 255 bytes would be a key of another account.
        stored = StoredSession(
            dc=session.dc_id,
            host=session.server_address,
            port=session.port,
            key=b"" if key is None else bytes(key.key),
            telegram_user_id=telegram_user_id,
            signed_in_at=self._clock.now().isoformat(),
            device_model=self.settings.device_model,
            api_id=self.settings.api_id,
        )
        return Secret(stored.dump())

    async def _connected(self) -> GuardedClient:
        if self._is_closed:
            raise TemporaryError("this sign-in is over; start again")
        if self._client is not None:
            return self._client
        server = self.settings.server
        if server is not None:
            self._session.set_dc(server.dc, server.host, server.port)
        else:
            self._session.set_dc(DEFAULT_DC_ID, DEFAULT_IPV4_IP, DEFAULT_PORT)
        self._client = GuardedClient(
            self._session, self.settings, self._link, self._metrics, role=Role.LOGIN
        )
        # Listens for the whole sign-in: a code can be scanned between two of them.
        self._client.add_event_handler(self._on_token, events.Raw(types.UpdateLoginToken))
        limit_s = self.settings.pace.start_limit_s
        await within(limit_s, self._link, self._client.connect())
        return self._client

    async def _on_token(self, _update: Any) -> None:
        self.scanned.set()
