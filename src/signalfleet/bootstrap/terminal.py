"""What commands about Telegram stand on: the store, the keys, and the running product if any."""

import json
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from signalfleet.adapters.nats.bus import NatsBus
from signalfleet.app.sign_in import SignIn
from signalfleet.bootstrap.arming import DISARMED, armed_state
from signalfleet.bootstrap.clock import SystemChance, SystemClock
from signalfleet.bootstrap.keys import open_keys
from signalfleet.bootstrap.lock import one_worker
from signalfleet.bootstrap.platform import make_directories
from signalfleet.bootstrap.settings import ConfigurationError, Settings
from signalfleet.bootstrap.stores import connect_store, prepare_store
from signalfleet.bootstrap.telegram_kit import TelegramKit
from signalfleet.bots.picker import Picker
from signalfleet.bots.session_use import SessionUse
from signalfleet.domain.accounts.tiers import limits_of
from signalfleet.domain.ids import SLOTS, UserId
from signalfleet.observability.metrics import PrometheusMetrics
from signalfleet.ports.bus import Bus, Plain, owner_address
from signalfleet.ports.errors import RefusedError
from signalfleet.ports.secrets import CredentialStore, Secret
from signalfleet.ports.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Terminal:
    """`bus` leads to the product that runs on this data; None while nothing runs on it."""

    settings: Settings
    clock: SystemClock
    store: Store
    credentials: CredentialStore
    kit: TelegramKit
    sign_in: SignIn
    picker: Picker
    bus: Bus | None

    async def user(self, given: str | None) -> UserId:
        """Return the user that is meant: the one given, or the only one there is."""
        users = await self.store.fleet.users_of_slots(self.settings.cell, range(SLOTS))
        if given is not None:
            if given not in users:
                raise RefusedError("there is no such user")
            return UserId(given)
        if not users:
            raise RefusedError("nobody has signed in yet: `signalfleet login`")
        if len(users) > 1:
            raise RefusedError(f"there are {len(users)} users: say which one with --user")
        return users[0]

    async def about(self, user: UserId, op: str, **more: object) -> Plain:
        """Ask the running product about a user's chats, or look by ourselves."""
        question = {"op": op, "user": user, **more}
        if self.bus is None:
            return await self.picker.answer(user, question)
        address = owner_address(self.settings.cell, user)
        return await self.bus.request(address, {**question, "desk": "login"}, limit_s=45.0)


@asynccontextmanager
async def open_terminal(settings: Settings) -> AsyncIterator[Terminal]:
    """Open what a command needs. While it runs alone, the product cannot be started beside it."""
    clock, chance, metrics = SystemClock(), SystemChance(), PrometheusMetrics()
    kit = TelegramKit.of(settings, clock, chance, metrics)
    make_directories(settings.data_dir, settings.run_dir)
    async with AsyncExitStack() as stack:
        keys = await stack.enter_async_context(open_keys(settings, clock, metrics))
        bus: NatsBus | None = None
        try:
            stack.enter_context(one_worker(settings.data_dir))
        except ConfigurationError:
            url, token = bus_address(settings)
            bus = await stack.enter_async_context(await NatsBus.connect(url, token, clock=clock))
        await prepare_store(settings)
        store = await connect_store(settings)
        stack.push_async_callback(store.aclose)
        if not await (await armed_state(settings, store)).is_armed():
            raise ConfigurationError(DISARMED)
        credentials = keys.credentials(store)
        yield Terminal(
            settings=settings,
            clock=clock,
            store=store,
            credentials=credentials,
            kit=kit,
            sign_in=SignIn(store, credentials, kit.sessions()),
            picker=Picker(
                store,
                credentials,
                clock,
                SessionUse(store, clock),
                kit.directory,
                limits=lambda tier: limits_of(tier).at_least(limits_of(settings.least_tier)),
            ),
            bus=bus,
        )


def bus_address(settings: Settings) -> tuple[str, Secret | None]:
    """Find the running product's bus; only who may read its files finds the token."""
    token = settings.nats_token.get_secret_value()
    if settings.nats_url:
        return settings.nats_url, Secret(token) if token else None
    try:
        config = (settings.run_dir / "nats.conf").read_text(encoding="utf-8")
        found = re.search(r'token: ("[^"]*")', config)
        (ports,) = settings.run_dir.glob("*.ports")
        url = str(json.loads(ports.read_text(encoding="utf-8"))["nats"][0])
    except (OSError, ValueError, KeyError, IndexError):
        found, url = None, ""
    if found is None:
        raise ConfigurationError(
            "SignalFleet is running, but it cannot be reached from here: "
            "use its pages, or stop it first"
        )
    return url, Secret(str(json.loads(found[1])))
