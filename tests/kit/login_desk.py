"""A login worker over a real store, bus and Telegram simulator, and a page that talks to it."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

from cryptography.fernet import Fernet

from kit.telegram_reader import QUICK, CountingMetrics, settings_for
from kit.wall_clock import WallClock
from signalfleet.adapters.nats.bus import NatsBus
from signalfleet.adapters.nats.server import EmbeddedNats
from signalfleet.adapters.secrets import (
    FernetKeyService,
    IntakeOpener,
    IntakeSealer,
    SecureCredentialStore,
    new_intake_keys,
)
from signalfleet.adapters.sql import SqlStore, migrate
from signalfleet.adapters.telegram.gate import ConnectGate
from signalfleet.adapters.telegram.settings import TelegramSettings
from signalfleet.app.connect_telegram import SESSION_FIELD
from signalfleet.app.sign_in import SignIn
from signalfleet.bootstrap.telegram_kit import TelegramKit
from signalfleet.bots.login import LoginServices, LoginWorker
from signalfleet.bots.picker import Picker
from signalfleet.bots.session_use import SessionUse
from signalfleet.domain.ids import UserId, new_user_id
from signalfleet.ports.bus import Plain
from signalfleet.ports.errors import PortError
from signalfleet.ports.secrets import IntakeBinding, Secret
from signalfleet_sim.telegram import TelegramServer, World

CELL = "c1"
PATIENCE_S = 10.0


@dataclass(kw_only=True)
class Desk:
    """What a test may look at, and the page's half of the talk."""

    world: World
    telegram: TelegramSettings
    store: SqlStore
    bus: NatsBus
    credentials: SecureCredentialStore
    use: SessionUse
    kit: TelegramKit
    sealer: IntakeSealer
    services: LoginServices
    worker: LoginWorker
    nats: EmbeddedNats
    folder: Path

    def page(self, user: UserId | None = None, origin: str = "ip-1") -> "Page":
        """Open a page: of a signed-in user, or of a visitor."""
        return Page(desk=self, known=user, origin=origin)

    async def about(self, question: Plain) -> Plain:
        """Ask about a user whose owner the worker is."""
        return await self.worker.answer(question)

    async def session(self, user: UserId) -> Secret | None:
        return await self.credentials.get(user, SESSION_FIELD)


@dataclass(kw_only=True)
class Page:
    desk: Desk
    known: UserId | None
    origin: str
    attempt: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    fresh: UserId = field(default_factory=lambda: new_user_id(secrets.token_bytes(16)))

    @property
    def user(self) -> UserId:
        return self.known or self.fresh

    def sealed(self, name: str, text: str) -> str:
        binding = IntakeBinding(user=self.user, field=name, attempt=self.attempt)
        return self.desk.sealer.seal(Secret(text), binding)

    async def start(self, phone: str | None = None, **changes: object) -> Plain:
        question = {
            "op": "start",
            "attempt": self.attempt,
            "user": self.user,
            "visitor": self.known is None,
            "origin": self.origin,
            "consent": "2026-11",
            **({} if phone is None else {"phone": self.sealed("phone", phone)}),
            **changes,
        }
        if self.known is not None:
            return await self.desk.about(question)
        return await self.desk.bus.request(f"{CELL}.login", question)

    async def ask(self, op: str, **more: object) -> Mapping[str, Any]:
        address = f"{CELL}.login.{self.attempt}"
        return await self.desk.bus.request(address, {"op": op, **more})

    async def enter(self, name: str, text: str) -> Mapping[str, Any]:
        return await self.ask(name, box=self.sealed(name, text))

    async def until(self, *steps: str) -> Mapping[str, Any]:
        """Look again until the attempt is at one of the steps."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                state = await self.ask("state")
                if state["step"] in steps:
                    return state
                await asyncio.sleep(0.02)

    async def scanned_by(self, phone: str) -> Mapping[str, Any]:
        """Show a QR code, scan it with that phone, and wait for how it ends."""
        await self.start()
        shown = await self.until("qr")
        owner = self.desk.world.user_by_phone(phone)
        assert owner is not None
        self.desk.world.scan(shown["address"], owner)
        return await self.until("done", "failed", "password")

    async def refused(self, **more: object) -> str:
        try:
            await self.start(**more)  # type: ignore[arg-type]
        except PortError as error:
            return str(error)
        raise AssertionError("it was not refused")


@asynccontextmanager
async def open_desk(
    folder: Path, world: World, server: TelegramServer, *, life: timedelta = timedelta(minutes=5)
) -> AsyncIterator[Desk]:
    """Open everything; the worker runs for the length of the block."""
    clock, metrics = WallClock(), CountingMetrics()
    database = str(folder / "store.db")
    await asyncio.to_thread(migrate, database)
    store = await SqlStore.open(database, cell=CELL)
    telegram = replace(settings_for(server), pace=replace(QUICK, qr_renew_s=2.0))
    kit = TelegramKit(
        clock=clock,
        chance=Random(1),
        metrics=metrics,
        telegram=telegram,
        gate=ConnectGate(clock, connects_per_s=1000),
    )
    keys = FernetKeyService(Secret(Fernet.generate_key().decode()))
    credentials = SecureCredentialStore(store, keys)
    private, public = new_intake_keys()
    use = SessionUse(store, clock)
    try:
        async with (
            EmbeddedNats(
                data_dir=folder / "data", run_dir=folder / "run", clock=clock
            ) as nats_server,
            await NatsBus.connect(nats_server.url, nats_server.token, clock=clock) as bus,
            asyncio.TaskGroup() as tasks,
        ):
            services = LoginServices(
                cell=CELL,
                store=store,
                bus=bus,
                clock=clock,
                metrics=metrics,
                opener=IntakeOpener(private),
                sign_in=SignIn(store, credentials, kit.sessions()),
                use=use,
                picker=Picker(store, credentials, clock, use, kit.directory),
                make_sign_in=kit.sign_in,
                life=life,
            )
            worker = LoginWorker(services)
            running = tasks.create_task(worker.run(), name="sign_ins")
            async with asyncio.timeout(PATIENCE_S):
                await worker.ready.wait()
            try:
                yield Desk(
                    world=world,
                    telegram=telegram,
                    store=store,
                    bus=bus,
                    credentials=credentials,
                    use=use,
                    kit=kit,
                    sealer=IntakeSealer(public),
                    services=services,
                    worker=worker,
                    nats=nats_server,
                    folder=folder,
                )
            finally:
                running.cancel()
    finally:
        await store.aclose()


@asynccontextmanager
async def another_worker(desk: Desk) -> AsyncIterator[LoginWorker]:
    """Run a second login worker over the same store and bus, as another process would."""
    clock = WallClock()
    use = SessionUse(desk.store, clock)
    picker = Picker(desk.store, desk.credentials, clock, use, desk.kit.directory)
    yield LoginWorker(replace(desk.services, use=use, picker=picker))
