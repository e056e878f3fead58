"""The worker: its shared services and the manager of its bots."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import cast

import structlog

from signalfleet.adapters.calendar.feed import CalendarFeed, NoCalendar
from signalfleet.adapters.emergency import EmergencyStore
from signalfleet.adapters.metaapi.client import MetaApiClient
from signalfleet.adapters.metaapi.known_symbols import KnownSymbols
from signalfleet.adapters.paper.memory import StorePaperMemory
from signalfleet.adapters.re2.client import Re2Compiler
from signalfleet.app.connect_mt5 import ConnectMt5
from signalfleet.app.sign_in import SignIn
from signalfleet.bootstrap.brokers import Brokers, brokers_of
from signalfleet.bootstrap.budgets import budgets_of
from signalfleet.bootstrap.calendar import calendar_of
from signalfleet.bootstrap.departures import delete_account
from signalfleet.bootstrap.drill import with_crash_points
from signalfleet.bootstrap.language import load_parser
from signalfleet.bootstrap.large_pages import LargePages
from signalfleet.bootstrap.local_terminal import open_local_terminal
from signalfleet.bootstrap.messengers import Notifier, make_notifier
from signalfleet.bootstrap.place import OneOf, capacity, named, ownership_of
from signalfleet.bootstrap.plants import with_plants
from signalfleet.bootstrap.platform import Platform
from signalfleet.bootstrap.prop_packs import load_packs
from signalfleet.bootstrap.settings import ConfigurationError, Settings
from signalfleet.bootstrap.telegram_kit import TelegramKit
from signalfleet.bootstrap.worker_id import WorkerName
from signalfleet.bots.account_desk import AccountDesk
from signalfleet.bots.departure_desk import DepartureDesk
from signalfleet.bots.health import DESK as HEALTH_DESK
from signalfleet.bots.health import HealthDesk
from signalfleet.bots.login import LoginServices, LoginWorker
from signalfleet.bots.manager import UserBotManager
from signalfleet.bots.picker import Picker
from signalfleet.bots.questions import Questions
from signalfleet.bots.services import BotServices
from signalfleet.bots.session_use import SessionUse
from signalfleet.bots.slot_bots import Ownership
from signalfleet.bots.upkeep import Upkeep
from signalfleet.domain.accounts.keys import user_key
from signalfleet.domain.accounts.tiers import UserQuota, limits_of
from signalfleet.domain.ids import UserId
from signalfleet.domain.trading.settle import DRILL, SettleRules
from signalfleet.ports.broker import Broker
from signalfleet.ports.chat_source import ChatSource
from signalfleet.ports.secrets import Opener, Secret
from signalfleet.ports.store import Account, Store

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """The bots, and the desk where people sign in; `logins` is None without a key for intake."""

    name: WorkerName
    manager: UserBotManager
    ownership: Ownership
    logins: LoginWorker | None
    accounts: AccountDesk | None
    departures: DepartureDesk
    notifier: Notifier
    calendar: CalendarFeed | NoCalendar
    upkeep: Upkeep
    use: SessionUse
    pages: LargePages

    async def run(self) -> None:
        """Run until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.upkeep.run(), name="upkeep")
            tasks.create_task(self.pages.run(), name="large_pages")
            tasks.create_task(self.use.run(), name="session_holds")
            tasks.create_task(self.manager.run(self.ownership), name="bots")
            if self.logins is not None:
                tasks.create_task(self.logins.run(), name="sign_ins")
            tasks.create_task(self.departures.run(), name="departure_desk")
            tasks.create_task(self.notifier.run(), name="notices")
            tasks.create_task(self.calendar.run(), name="calendar")
            if self.accounts is not None:
                tasks.create_task(self.accounts.run(), name="account_desk")


@asynccontextmanager
async def open_worker(
    platform: Platform, opener: Opener | None = None, one_of: OneOf | None = None
) -> AsyncIterator[Worker]:
    """Open what bots share and yield who runs them; the caller runs it.

    Without an `opener` for what users type nobody can sign in here. Without `one_of` this is the
    only worker of its data: it owns all users.
    """
    settings = platform.settings
    kit = TelegramKit.of(settings, platform.clock, platform.chance, platform.metrics)

    def epoch_of(user: UserId) -> int:
        return worker.manager.epoch_of(user)

    def notified(user: UserId) -> None:
        worker.notifier.courier.wake(user)

    use = SessionUse(platform.store, platform.clock, epoch_of)
    with named(settings, one_of) as name:
        ownership = ownership_of(platform, name, one_of)
        client = MetaApiClient(clock=platform.clock, metrics=platform.metrics)
        async with client, AsyncExitStack() as stack:
            brokers = brokers_of(settings, client, platform.clock, platform.metrics)
            await open_local_terminal(settings, platform.store, brokers, stack)
            calendar = calendar_of(settings, platform.clock)
            services = replace(
                _services(platform, brokers, kit, use),
                entries_not_before=(await platform.armed.arming()).entries_not_before,
                notified=notified,
                calendar=calendar,
                lease_of=ownership.lease_of,
            )
            parts = _Parts(platform, kit, use, brokers, opener, one_of)
            worker = _staffed(parts, services, name, ownership, calendar)
            yield worker


@dataclass(frozen=True, slots=True)
class _Parts:
    """What was opened for a worker, and its place among others."""

    platform: Platform
    kit: TelegramKit
    use: SessionUse
    brokers: Brokers
    opener: Opener | None
    one_of: OneOf | None


def _staffed(
    parts: _Parts,
    services: BotServices,
    name: WorkerName,
    ownership: Ownership,
    calendar: CalendarFeed | NoCalendar,
) -> Worker:
    """Make the manager and the desks, and tell who answers which questions."""
    platform, kit, use, brokers = parts.platform, parts.kit, parts.use, parts.brokers
    settings, opener, one_of = platform.settings, parts.opener, parts.one_of
    processes = one_of.workers if one_of is not None else 1
    budgets = budgets_of(settings, platform.clock, platform.metrics, processes=processes)
    services = with_crash_points(
        replace(services, budgets=budgets), is_production=settings.is_production
    )
    services = with_plants(services, settings.data_dir, is_production=settings.is_production)
    questions = Questions()
    places = capacity(settings, one_of)
    manager = UserBotManager(services, cell=settings.cell, max_bots=places, answer=questions.answer)
    logins = None if opener is None else _logins(platform, services, kit, use, opener)
    accounts = None if opener is None else _accounts(platform, services, brokers, opener)
    leaving = _departures(platform, services, kit, use, brokers, manager.owns)
    notifier = make_notifier(platform, manager, services.credentials, opener)
    questions.add({"account": leaving.answer, "notify": notifier.desk.answer})
    questions.add({HEALTH_DESK: HealthDesk(manager.seats, budgets).answer})
    if logins is not None and accounts is not None:
        questions.add({"login": logins.answer, "mt5": accounts.answer})
    budgets.share([services, platform, manager])
    return Worker(
        name=name,
        manager=manager,
        ownership=ownership,
        logins=logins,
        accounts=accounts,
        departures=leaving,
        notifier=notifier,
        calendar=calendar,
        use=use,
        pages=LargePages(platform.clock),
        upkeep=Upkeep(
            budgets,
            platform.clock,
            platform.metrics,
            manager.states,
            is_replaceable=one_of is not None,
        ),
    )


def _logins(
    platform: Platform, services: BotServices, kit: TelegramKit, use: SessionUse, opener: Opener
) -> LoginWorker:
    picker = Picker(
        platform.store,
        services.credentials,
        platform.clock,
        use,
        kit.directory,
        limits=services.limits_of,
    )
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


def _departures(
    platform: Platform,
    services: BotServices,
    kit: TelegramKit,
    use: SessionUse,
    brokers: Brokers,
    owns: Callable[[UserId], bool],
) -> DepartureDesk:
    return DepartureDesk(
        owns=owns,
        store=platform.store,
        bus=platform.bus,
        clock=platform.clock,
        delete=delete_account(
            platform.store,
            services.credentials,
            platform.clock,
            sign_in=SignIn(platform.store, services.credentials, kit.sessions()),
            use=use,
            brokers=brokers,
            armed=platform.armed,
            settings=platform.settings,
        ),
    )


def _accounts(
    platform: Platform, services: BotServices, brokers: Brokers, opener: Opener
) -> AccountDesk:
    return AccountDesk(
        store=platform.store,
        bus=platform.bus,
        clock=platform.clock,
        opener=opener,
        connect=ConnectMt5(
            platform.store,
            services.credentials,
            platform.clock,
            provisioning=brokers.provisioning,
            broker=services.make_broker,
        ),
        needs_token=brokers.platform_token is None,
    )


def _limits(settings: Settings) -> Callable[[str], UserQuota]:
    """Return what a tier allows here: at least what the operator gives to everybody."""
    least = limits_of(settings.least_tier)
    return lambda tier: limits_of(tier).at_least(least)


def _services(
    platform: Platform, brokers: Brokers, kit: TelegramKit, use: SessionUse
) -> BotServices:
    settings = platform.settings
    if platform.credentials is None:
        raise ConfigurationError("a worker needs ENCRYPTION_KEY to open its users' sessions")

    def make_chat_source(user: UserId, session: Secret) -> ChatSource:
        return use.watched(user, kit.source(session))

    def make_broker(user: UserId, account: Account, token: Secret | None) -> Broker:
        documents = platform.store.user(user).settings
        # The account at MetaApi is in the key: another one has other symbols.
        key = user_key(user, "symbols", account.account_id, account.metaapi_account_id or "none")
        return brokers.make(
            account,
            token,
            StorePaperMemory(documents, account.account_id),
            KnownSymbols(cache=platform.cache, key=key),
        )

    folder = settings.data_dir / "emergency"
    store = EmergencyStore(platform.store, folder, platform.clock, platform.metrics)
    return BotServices(
        store=cast("Store", store),
        recover=store.recover,
        bus=platform.bus,
        clock=platform.clock,
        chance=platform.chance,
        metrics=platform.metrics,
        parser=load_parser(),
        patterns=Re2Compiler(),
        credentials=platform.credentials,
        installation=platform.installation,
        settle_rules=DRILL if settings.settle_profile == "drill" else SettleRules(),
        look_interval=timedelta(seconds=settings.look_interval_s),
        wake_by_bus=settings.work_lane == "bus",
        limits_of=_limits(settings),
        packs=load_packs(),
        make_chat_source=make_chat_source,
        make_broker=make_broker,
    )
