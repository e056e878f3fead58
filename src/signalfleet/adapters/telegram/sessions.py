"""What is done with a stored session that no bot uses: ask whether it lives, end it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from telethon import functions

from signalfleet.adapters.telegram.client import GuardedClient, within
from signalfleet.adapters.telegram.connection import Link
from signalfleet.adapters.telegram.errors import translated
from signalfleet.adapters.telegram.gate import ConnectGate, SessionTurn
from signalfleet.adapters.telegram.guard import Role
from signalfleet.adapters.telegram.requests import Asker
from signalfleet.adapters.telegram.session import FleetSession, load_session
from signalfleet.adapters.telegram.settings import TelegramSettings
from signalfleet.ports.clock import Chance, Clock
from signalfleet.ports.errors import SignInRequiredError
from signalfleet.ports.metrics import Metrics
from signalfleet.ports.secrets import Secret


class TelethonSessions:
    """Implements ports.chat_sign_in.ChatSessions over connections of a moment each."""

    def __init__(
        self,
        settings: TelegramSettings,
        *,
        clock: Clock,
        chance: Chance,
        metrics: Metrics,
        gate: ConnectGate,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._chance = chance
        self._metrics = metrics
        self._gate = gate

    async def is_alive(self, session: Secret) -> bool:
        try:
            await self._ask_once(session, functions.updates.GetStateRequest())
        except SignInRequiredError:
            return False
        return True

    async def log_out(self, session: Secret) -> None:
        try:
            await self._ask_once(session, functions.auth.LogOutRequest())
        except SignInRequiredError:
            # It has ended already, or its text cannot be read: nothing is left to end.
            return

    async def _ask_once(self, session: Secret, request: Any) -> None:
        async with short_connection(
            session,
            self._settings,
            role=Role.LOGIN,
            clock=self._clock,
            chance=self._chance,
            metrics=self._metrics,
            gate=self._gate,
        ) as asker:
            await asker.ask(request)


@asynccontextmanager
async def short_connection(
    session: Secret,
    settings: TelegramSettings,
    *,
    role: Role,
    clock: Clock,
    chance: Chance,
    metrics: Metrics,
    gate: ConnectGate,
) -> AsyncIterator[Asker]:
    """Connect with a stored session for the length of the block; nothing else may use it."""
    link = Link(SessionTurn(gate, clock, chance, metrics), metrics)
    stored = FleetSession.of(load_session(session), settings)
    client = GuardedClient(stored, settings, link, metrics, role=role)
    asker = Asker(clock, metrics, settings.pace)
    limit_s = settings.pace.start_limit_s
    try:
        try:
            # Somebody waits in front of a screen: no endless tries here.
            async with asyncio.timeout(limit_s * 1.5):
                await within(limit_s, link, client.connect())
        except Exception as error:
            known = translated(error)
            if known is None:
                raise
            raise known from None
        asker.client = client
        yield asker
    finally:
        asker.client = None
        await client.close(link, settings.pace.close_limit_s)
