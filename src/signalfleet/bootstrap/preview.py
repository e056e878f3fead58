"""A desk for looking: the user's store, settings and broker, and nothing that writes or sends."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from signalfleet.adapters.metaapi.client import MetaApiClient
from signalfleet.adapters.paper.memory import StorePaperMemory
from signalfleet.adapters.re2.client import Re2Compiler
from signalfleet.app.channel_profiles import ChannelProfiles
from signalfleet.app.copy_states import load_states
from signalfleet.app.desk import AccountDesk
from signalfleet.app.user_desk import UserDesk
from signalfleet.bootstrap import city as cities
from signalfleet.bootstrap.brokers import brokers_of
from signalfleet.bootstrap.clock import SystemClock
from signalfleet.bootstrap.demo import DemoOptions, demo_settings
from signalfleet.bootstrap.keys import open_keys
from signalfleet.bootstrap.language import load_parser
from signalfleet.bootstrap.settings import ConfigurationError, Settings
from signalfleet.bootstrap.store import open_store
from signalfleet.domain.accounts.tiers import limits_of
from signalfleet.domain.ids import SLOTS, AccountId, UserId
from signalfleet.domain.trading.settle import SettleRules
from signalfleet.observability.metrics import PrometheusMetrics
from signalfleet.ports.errors import RefusedError
from signalfleet.ports.store import Account, SettingsDocs, Store, UserStore


@dataclass(frozen=True, slots=True)
class _SettingsGlance:
    """Settings that are read and never written, whoever would keep something among them."""

    kept: SettingsDocs

    async def get(self, scope: str) -> tuple[Mapping[str, object], int]:
        return await self.kept.get(scope)

    async def put(self, scope: str, doc: Mapping[str, object], version: int) -> int:  # noqa: ARG002 - the port's shape
        return version

    async def list(self) -> Mapping[str, Mapping[str, object]]:
        return await self.kept.list()


class _StoreGlance:
    """The user's store, but for its settings."""

    def __init__(self, store: UserStore) -> None:
        self._store = store
        self.settings = _SettingsGlance(store.settings)

    def __getattr__(self, name: str) -> object:
        return getattr(self._store, name)


@dataclass(frozen=True, slots=True)
class _PaperGlance:
    """A paper book that is read and never written: its account may be trading meanwhile."""

    kept: StorePaperMemory

    async def load(self) -> Mapping[str, object] | None:
        return await self.kept.load()

    async def save(self, book: Mapping[str, object]) -> None:
        """Keep nothing."""


async def settings_of_demo(root: Path) -> Settings:
    """Return the settings of the demo that runs, or ran a moment ago, on this directory."""
    city = await cities.find(root / "city")
    if city is None:
        raise ConfigurationError(
            "no demo runs here: start `signalfleet demo` in another terminal, or name its --root"
        )
    return demo_settings(DemoOptions(root=root), city)


@asynccontextmanager
async def open_preview(
    settings: Settings, *, user: str | None, account: str | None
) -> AsyncIterator[tuple[UserDesk, AccountId]]:
    """Open a desk with one account; RefusedError says which one to name."""
    clock, metrics = SystemClock(), PrometheusMetrics()
    client = MetaApiClient(clock=clock, metrics=metrics)
    async with (
        open_store(settings) as store,
        open_keys(settings, clock, metrics) as keys,
        client,
    ):
        owner = await _user(store, settings, user)
        mine = cast("UserStore", _StoreGlance(store.user(owner)))
        chosen = _account(await mine.accounts.list(), account)
        token = await keys.credentials(store).get(owner, "metaapi_token")
        broker = brokers_of(settings, client, clock, metrics).make(
            chosen, token, _PaperGlance(StorePaperMemory(mine.settings, chosen.account_id))
        )
        profile = await store.fleet.get_user(owner)
        quota = limits_of(profile.tier if profile is not None else "")
        yield (
            UserDesk(
                user=owner,
                installation=await store.fleet.installation(),
                store=mine,
                epoch=0,
                clock=clock,
                metrics=metrics,
                parser=load_parser(),
                profiles=ChannelProfiles(mine.settings, load_parser(), Re2Compiler()),
                settle_rules=SettleRules(),
                accounts={chosen.account_id: AccountDesk(chosen, broker, clock)},
                states=await load_states(mine.settings),
                quota=quota.at_least(limits_of(settings.least_tier)),
            ),
            chosen.account_id,
        )


async def _user(store: Store, settings: Settings, given: str | None) -> UserId:
    users = await store.fleet.users_of_slots(settings.cell, range(SLOTS))
    if given is not None:
        if given not in users:
            raise RefusedError("there is no such user")
        return UserId(given)
    if len(users) != 1:
        raise RefusedError(f"there are {len(users)} users: say which one with --user")
    return users[0]


def _account(accounts: Sequence[Account], given: str | None) -> Account:
    named = [one for one in accounts if given in (None, one.account_id)]
    if len(named) == 1:
        return named[0]
    if given is not None:
        raise RefusedError("there is no such account")
    known = ", ".join(one.account_id for one in accounts) or "none is connected"
    raise RefusedError(f"say which account with --account: {known}")
