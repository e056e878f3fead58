"""The worker: its shared services and the manager of its bots."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

from signalfleet.adapters.metaapi.client import MetaApiClient
from signalfleet.adapters.metaapi.provisioning import FailedLogins
from signalfleet.adapters.metaapi.urls import MetaApiUrls
from signalfleet.adapters.paper.memory import StorePaperMemory
from signalfleet.app.sign_in import SignIn
from signalfleet.bootstrap.brokers import Brokers
from signalfleet.bootstrap.drill import with_crash_points
from signalfleet.bootstrap.language import load_parser
from signalfleet.bootstrap.lock import one_worker
from signalfleet.bootstrap.platform import Platform
from signalfleet.bootstrap.settings import ConfigurationError, Settings
from signalfleet.bootstrap.telegram_kit import TelegramKit
from signalfleet.bots.login import LoginServices, LoginWorker
from signalfleet.bots.manager import UserBotManager
from signalfleet.bots.picker import Picker
from signalfleet.bots.services import BotServices
from signalfleet.bots.session_use import SessionUse
from signalfleet.domain.ids import UserId
from signalfleet.domain.trading.settle import DRILL, SettleRules
from signalfleet.ports.broker import Broker
from signalfleet.ports.chat_source import ChatSource
from signalfleet.ports.secrets import Opener, Secret
from signalfleet.ports.store import Account


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """The bots, and the desk where people sign in; `logins` is None without a key for intake."""

    manager: UserBotManager
    logins: LoginWorker | None

    async def run(self) -> None:
        """Run until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.manager.run(), name="bots")
            if self.logins is not None:
                tasks.create_task(self.logins.run(), name="sign_ins")


@asynccontextmanager
async def open_worker(platform: Platform, opener: Opener | None = None) -> AsyncIterator[Worker]:
    """Open what bots share and yield who runs them; the caller runs it.

    Without an `opener` for what users type nobody can sign in here.
    """
    settings = platform.settings
    kit = TelegramKit.of(settings, platform.clock, platform.chance, platform.metrics)
    use = SessionUse()
    with one_worker(settings.data_dir):
        client = MetaApiClient(clock=platform.clock, metrics=platform.metrics)
        async with client:
            services = with_crash_points(_services(platform, client, kit, use))
            manager = UserBotManager(
                services,
                cell=settings.cell,
                worker=f"{os.uname().nodename}.{os.getpid()}",
                max_bots=settings.max_bots_per_server,
            )
            logins = None if opener is None else _logins(platform, services, kit, use, opener)
            yield Worker(manager=manager, logins=logins)


def _logins(
    platform: Platform, services: BotServices, kit: TelegramKit, use: SessionUse, opener: Opener
) -> LoginWorker:
    picker = Picker(platform.store, services.credentials, platform.clock, use, kit.directory)
    return LoginWorker(
        LoginServices(
            cell=platform.settings.cell,
            store=platform.store,
            bus=platform.bus,
            clock=platform.clock,
            metrics=platform.metrics,
            opener=opener,
            sign_in=SignIn(platform.store, services.credentials, kit.sessions()),
            use=use,
            picker=picker,
            make_sign_in=kit.sign_in,
        )
    )


def metaapi_urls(settings: Settings) -> MetaApiUrls:
    given = {
        "provisioning": settings.metaapi_provisioning_url,
        "client": settings.metaapi_client_url,
    }
    chosen = {name: url for name, url in given.items() if url}
    return MetaApiUrls(public_only=settings.is_production, **chosen)


def _services(
    platform: Platform, client: MetaApiClient, kit: TelegramKit, use: SessionUse
) -> BotServices:
    settings = platform.settings
    if platform.credentials is None:
        raise ConfigurationError("a worker needs ENCRYPTION_KEY to open its users' sessions")

    def make_chat_source(user: UserId, session: Secret) -> ChatSource:
        return use.watched(user, kit.source(session))

    brokers = Brokers(
        client=client,
        urls=metaapi_urls(settings),
        clock=platform.clock,
        metrics=platform.metrics,
        is_production=settings.is_production,
        platform_token=_platform_token(settings),
        failed_logins=FailedLogins(os.urandom(32), platform.clock),
    )

    def make_broker(user: UserId, account: Account, token: Secret | None) -> Broker:
        documents = platform.store.user(user).settings
        return brokers.make(account, token, StorePaperMemory(documents, account.account_id))

    return BotServices(
        store=platform.store,
        bus=platform.bus,
        clock=platform.clock,
        chance=platform.chance,
        metrics=platform.metrics,
        parser=load_parser(),
        credentials=platform.credentials,
        installation=platform.installation,
        settle_rules=DRILL if settings.settle_profile == "drill" else SettleRules(),
        look_interval=timedelta(seconds=settings.look_interval_s),
        wake_by_bus=settings.work_lane == "bus",
        make_chat_source=make_chat_source,
        make_broker=make_broker,
    )


def _platform_token(settings: Settings) -> Secret | None:
    token = settings.metaapi_token.get_secret_value()
    return None if settings.require_user_metaapi or not token else Secret(token)
