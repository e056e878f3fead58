"""The worker: its shared services and the manager of its bots."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from signalfleet.adapters.metaapi.broker import MetaApiBroker
from signalfleet.adapters.metaapi.client import MetaApiClient
from signalfleet.adapters.metaapi.urls import MetaApiUrls
from signalfleet.adapters.telegram.gate import ConnectGate
from signalfleet.adapters.telegram.reader import TelethonChatSource
from signalfleet.bootstrap.drill import with_crash_points
from signalfleet.bootstrap.language import load_parser
from signalfleet.bootstrap.lock import one_worker
from signalfleet.bootstrap.platform import Platform
from signalfleet.bootstrap.settings import ConfigurationError, Settings
from signalfleet.bootstrap.telegram import telegram_settings
from signalfleet.bots.manager import UserBotManager
from signalfleet.bots.services import BotServices
from signalfleet.domain.ids import UserId
from signalfleet.domain.trading.settle import DRILL, SettleRules
from signalfleet.ports.broker import Broker
from signalfleet.ports.chat_source import ChatSource
from signalfleet.ports.errors import RefusedError, SignInRequiredError
from signalfleet.ports.secrets import Secret
from signalfleet.ports.store import Account


@asynccontextmanager
async def open_worker(platform: Platform) -> AsyncIterator[UserBotManager]:
    """Open what bots share and yield their manager; the caller runs it."""
    settings = platform.settings
    with one_worker(settings.data_dir):
        client = MetaApiClient(clock=platform.clock, metrics=platform.metrics)
        async with client:
            services = with_crash_points(_services(platform, client))
            yield UserBotManager(
                services,
                cell=settings.cell,
                worker=f"{os.uname().nodename}.{os.getpid()}",
                max_bots=settings.max_bots_per_server,
            )


def metaapi_urls(settings: Settings) -> MetaApiUrls:
    given = {
        "provisioning": settings.metaapi_provisioning_url,
        "client": settings.metaapi_client_url,
    }
    chosen = {name: url for name, url in given.items() if url}
    return MetaApiUrls(public_only=settings.is_production, **chosen)


def _services(platform: Platform, client: MetaApiClient) -> BotServices:
    settings = platform.settings
    if platform.credentials is None:
        raise ConfigurationError("a worker needs ENCRYPTION_KEY to open its users' sessions")
    telegram = telegram_settings(settings)
    gate = ConnectGate(platform.clock, connects_per_s=settings.telegram_connects_per_s)
    urls = metaapi_urls(settings)

    def make_chat_source(user: UserId, session: Secret) -> ChatSource:
        del user  # The session alone says whose it is.
        return TelethonChatSource(
            session,
            telegram,
            clock=platform.clock,
            chance=platform.chance,
            metrics=platform.metrics,
            gate=gate,
        )

    def make_broker(account: Account, token: Secret | None) -> Broker:
        if account.broker != "metaapi" or account.metaapi_account_id is None:
            raise RefusedError(f"there is no broker for accounts of kind {account.broker}")
        return MetaApiBroker(
            client,
            account_id=account.metaapi_account_id,
            token=token or _platform_token(settings),
            region=account.region or "",
            urls=urls,
            clock=platform.clock,
            metrics=platform.metrics,
        )

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


def _platform_token(settings: Settings) -> Secret:
    token = settings.metaapi_token.get_secret_value()
    if settings.require_user_metaapi or not token:
        raise SignInRequiredError("the user has not connected MetaApi", reason="metaapi_token")
    return Secret(token)
