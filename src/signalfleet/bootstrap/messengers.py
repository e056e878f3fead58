"""The ways out of the house that the operator has set up, and who uses them in a worker."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final

import structlog

from signalfleet.adapters.bot_api import BotApi
from signalfleet.adapters.bot_api.limits import ADDRESS
from signalfleet.adapters.smtp import SmtpMessenger, SmtpSettings
from signalfleet.adapters.web_push import VapidKey, WebPush
from signalfleet.app.daily_summary import DailySummary
from signalfleet.app.deliver_notices import DeliverNotices
from signalfleet.app.messenger_line import MessengerLine
from signalfleet.app.notice_targets import NoticeTargets
from signalfleet.bootstrap.platform import Platform
from signalfleet.bootstrap.settings import ConfigurationError, Settings
from signalfleet.bots.manager import UserBotManager
from signalfleet.bots.notice_courier import NoticeCourier
from signalfleet.bots.notice_desk import NoticeDesk, Outside
from signalfleet.bots.notice_links import NoticeLinks
from signalfleet.domain.accounts.delivery import Numbered, TargetKind
from signalfleet.domain.ids import UserId
from signalfleet.ports.messenger import Message, Messenger
from signalfleet.ports.secrets import CredentialStore, Opener, Secret
from signalfleet.web.present.formats import Times
from signalfleet.web.present.outgoing import OutgoingWords

log = structlog.get_logger()

BEGIN_AGAIN_S: Final = 10.0
PER_SECOND: Final = {TargetKind.TELEGRAM: 20.0, TargetKind.EMAIL: 2.0, TargetKind.PUSH: 20.0}
"""Telegram allows a bot 30 messages in a second; a mail server takes letters for spam sooner."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Notifier:
    """What runs in a worker for notices; `links` is None without a bot."""

    courier: NoticeCourier
    desk: NoticeDesk
    links: NoticeLinks | None

    async def run(self) -> None:
        """Run until cancelled. What fails here is begun again: no trade waits for a notice."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(_kept("notice_courier", self.courier.run))
            if self.links is not None:
                tasks.create_task(_kept("notice_links", self.links.run))


async def _kept(name: str, run: Callable[[], Awaitable[None]]) -> None:
    while True:
        try:
            await run()
        except Exception:
            log.exception("notifier_stumbled", part=name)
        await asyncio.sleep(BEGIN_AGAIN_S)


def make_notifier(
    platform: Platform,
    manager: UserBotManager,
    credentials: CredentialStore,
    opener: Opener | None,
) -> Notifier:
    """Put together what brings notices to users; without any messenger set up it only sums up."""
    settings, store, clock = platform.settings, platform.store, platform.clock
    bot = _bot(settings)
    push = _push(platform)
    messengers: list[Messenger] = [one for one in (bot, _mail(platform), push) if one is not None]
    lines = {
        one.kind: MessengerLine(one, clock, platform.metrics, per_second=PER_SECOND[one.kind])
        for one in messengers
    }
    targets = NoticeTargets(store, credentials)
    words = OutgoingWords.english(_public_url(settings))

    async def write(user: UserId, rows: Sequence[Numbered], word: str) -> Message:
        profile = await store.fleet.get_user(user)
        times = Times("UTC" if profile is None else profile.timezone, clock.now())
        return await words.write(store.user(user), times, rows, word)

    courier = NoticeCourier(
        cell=settings.cell,
        store=store,
        clock=clock,
        owns=manager.owns,
        deliver=DeliverNotices(
            store=store,
            bus=platform.bus,
            clock=clock,
            chance=platform.chance,
            metrics=platform.metrics,
            targets=targets,
            lines=lines,
            write=write,
        ),
        summary=DailySummary(store, platform.bus),
    )
    desk = NoticeDesk(
        store=store,
        bus=platform.bus,
        clock=clock,
        credentials=credentials,
        targets=targets,
        outside=Outside(
            lines=lines,
            bot=bot,
            push_key="" if push is None else push.key.public,
            opener=opener,
        ),
        changed=courier.changed,
    )
    links = None if bot is None else _links(platform, manager, bot, targets, courier)
    return Notifier(courier=courier, desk=desk, links=links)


def _links(
    platform: Platform,
    manager: UserBotManager,
    bot: BotApi,
    targets: NoticeTargets,
    courier: NoticeCourier,
) -> NoticeLinks:
    return NoticeLinks(
        bot=bot,
        store=platform.store,
        clock=platform.clock,
        targets=targets,
        # Telegram tells one asker alone, so it is the owner of one slot.
        asks=lambda: manager.owns_slot(0),
        changed=courier.changed,
    )


def _bot(settings: Settings) -> BotApi | None:
    token = settings.notify_bot_token.get_secret_value()
    if not token:
        return None
    return BotApi(Secret(token), address=settings.notify_bot_api_url.rstrip("/") or ADDRESS)


def _mail(platform: Platform) -> SmtpMessenger | None:
    settings = platform.settings
    if not settings.smtp_host:
        return None
    known = SmtpSettings(
        host=settings.smtp_host,
        port=settings.smtp_port,
        security=settings.smtp_security,
        sender=settings.smtp_from,
        user=settings.smtp_user,
        password=Secret(settings.smtp_password.get_secret_value()),
        ca_file=None if settings.smtp_ca_file is None else str(settings.smtp_ca_file),
    )
    return SmtpMessenger(known, platform.clock)


def _push(platform: Platform) -> WebPush | None:
    settings = platform.settings
    private = settings.vapid_private_key.get_secret_value()
    if not private:
        return None
    try:
        key = VapidKey(Secret(private))
    except ValueError:
        raise ConfigurationError(
            "VAPID_PRIVATE_KEY cannot be used; make one with `signalfleet keys vapid`"
        ) from None
    return WebPush(key=key, subject=settings.vapid_subject, clock=platform.clock)


def _public_url(settings: Settings) -> str:
    return (settings.public_url or f"http://{settings.web_host}:{settings.web_port}").rstrip("/")
