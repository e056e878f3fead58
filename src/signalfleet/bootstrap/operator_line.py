"""How an operator's command reaches the product that runs: its bus, and the store to read."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from signalfleet.adapters.nats.bus import NatsBus
from signalfleet.bootstrap.clock import SystemClock
from signalfleet.bootstrap.settings import Settings
from signalfleet.bootstrap.stores import connect_store
from signalfleet.bootstrap.terminal import bus_address
from signalfleet.ports.bus import Bus, Plain, slot_address
from signalfleet.ports.store import Store

LIMIT_S = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorLine:
    cell: str
    store: Store
    bus: Bus

    async def ask(self, slot: int, question: Plain) -> Plain:
        """Ask the owner of a slot; TemporaryError if nobody owns it just now."""
        return await self.bus.request(slot_address(self.cell, slot), question, limit_s=LIMIT_S)


@asynccontextmanager
async def open_operator_line(settings: Settings) -> AsyncIterator[OperatorLine]:
    """Find the running product; ConfigurationError if it cannot be reached from here."""
    url, token = bus_address(settings)
    async with await NatsBus.connect(url, token, clock=SystemClock()) as bus:
        store = await connect_store(settings)
        try:
            yield OperatorLine(cell=settings.cell, store=store, bus=bus)
        finally:
            await store.aclose()
