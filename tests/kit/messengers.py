"""Every messenger with its other side on loopback, by its kind."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from kit.messenger_houses import (
    CHAT,
    MAIL_PASSWORD,
    MAIL_USER,
    RECEIVER,
    SENDER,
    TOKEN,
    BotApiHouse,
    MailHouse,
    PushHouse,
    a_bot_api,
    a_mail_server,
    a_push_service,
)
from kit.wall_clock import WallClock
from signalfleet.adapters.bot_api import BotApi
from signalfleet.adapters.smtp import SmtpMessenger, SmtpSettings
from signalfleet.adapters.web_push import VapidKey, WebPush, new_vapid_key
from signalfleet.ports.messenger import Messenger
from signalfleet.ports.secrets import Secret

QUICK_S = 0.3


@dataclass(kw_only=True)
class Post:
    """A messenger, a place that it can reach, and what came there."""

    messenger: Messenger
    target: Secret
    house: BotApiHouse | MailHouse | PushHouse
    secrets: tuple[str, ...]

    def answer_with(self, *replies: str) -> None:
        self.house.replies.queue.extend(replies)


@asynccontextmanager
async def open_post(kind: str, folder: Path) -> AsyncIterator[Post]:
    async with AsyncExitStack() as stack:
        match kind:
            case "telegram":
                bot_api = await stack.enter_async_context(a_bot_api())
                bot = BotApi(Secret(TOKEN), address=bot_api.url, call_timeout_s=QUICK_S)
                target = Secret(str(CHAT))
                yield Post(messenger=bot, target=target, house=bot_api, secrets=(TOKEN, str(CHAT)))
            case "email":
                mail = await stack.enter_async_context(a_mail_server(folder))
                known = SmtpSettings(
                    host="127.0.0.1",
                    port=mail.port,
                    security="starttls",
                    sender=SENDER,
                    user=MAIL_USER,
                    password=Secret(MAIL_PASSWORD),
                    ca_file=str(mail.ca_file),
                    step_timeout_s=2.0,
                )
                yield Post(
                    messenger=SmtpMessenger(known, WallClock()),
                    target=Secret(RECEIVER),
                    house=mail,
                    secrets=(MAIL_PASSWORD, RECEIVER),
                )
            case _:
                push = await stack.enter_async_context(a_push_service())
                key = new_vapid_key()
                yield Post(
                    messenger=WebPush(
                        key=VapidKey(key),
                        subject="mailto:fleet@example.com",
                        clock=WallClock(),
                        services=("127.0.0.1",),
                        schemes=("http",),
                        call_timeout_s=QUICK_S,
                    ),
                    target=Secret(push.subscription),
                    house=push,
                    secrets=(key.reveal(), push.subscription),
                )
