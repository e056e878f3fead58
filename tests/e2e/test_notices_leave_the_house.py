"""A worker as it is started, with all three messengers: from a link to a message outside."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import structlog
from cryptography.fernet import Fernet

from kit.builders import USER
from kit.clock import until
from kit.messenger_houses import (
    CHAT,
    MAIL_PASSWORD,
    MAIL_USER,
    RECEIVER,
    SENDER,
    TOKEN,
    BotApiHouse,
    MailHouse,
    a_bot_api,
    a_mail_server,
)
from signalfleet.adapters.secrets import IntakeSealer
from signalfleet.adapters.web_push import new_vapid_key
from signalfleet.bootstrap.intake import own_intake
from signalfleet.bootstrap.platform import Platform, open_platform
from signalfleet.bootstrap.settings import Settings
from signalfleet.bootstrap.worker import open_worker
from signalfleet.domain.accounts.notices import Notice, NoticeKind
from signalfleet.domain.ids import slot
from signalfleet.ports.bus import Plain, owner_address
from signalfleet.ports.errors import TemporaryError
from signalfleet.ports.secrets import IntakeBinding, Secret
from signalfleet.ports.store import UserProfile

pytestmark = pytest.mark.loopback

PATIENCE_S = 20.0
VAPID = new_vapid_key()


@dataclass(kw_only=True)
class House:
    platform: Platform
    sealer: IntakeSealer
    bot: BotApiHouse
    mail: MailHouse

    async def ask(self, op: str, **more: str) -> Plain:
        question = {"desk": "notify", "op": op, "user": USER, **more}
        for _ in range(100):
            try:
                return await self.platform.bus.request(owner_address("c1", USER), question)
            except TemporaryError:
                await asyncio.sleep(0.1)
        raise AssertionError("the desk never answered")

    async def give(self, op: str, name: str, typed: str) -> Plain:
        attempt = "a" * 30
        binding = IntakeBinding(user=USER, field=name, attempt=attempt)
        return await self.ask(op, attempt=attempt, box=self.sealer.seal(Secret(typed), binding))


@asynccontextmanager
async def a_house(folder: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[House]:
    monkeypatch.chdir(folder)
    async with AsyncExitStack() as stack:
        bot = await stack.enter_async_context(a_bot_api())
        (folder / "mail").mkdir()
        mail = await stack.enter_async_context(a_mail_server(folder / "mail"))
        settings = Settings(
            data_dir=folder / "data",
            run_dir=folder / "run",
            encryption_key=Fernet.generate_key().decode(),
            telegram_api_id=1,
            telegram_api_hash="0" * 32,
            notify_bot_token=TOKEN,
            notify_bot_api_url=bot.url,
            smtp_host="127.0.0.1",
            smtp_port=mail.port,
            smtp_user=MAIL_USER,
            smtp_password=MAIL_PASSWORD,
            smtp_from=SENDER,
            smtp_ca_file=mail.ca_file,
            vapid_private_key=VAPID.reveal(),
            vapid_subject="mailto:fleet@example.com",
        )
        platform = await stack.enter_async_context(open_platform(settings))
        await platform.armed.arm_if_new()
        profile = UserProfile(
            user_id=USER,
            telegram_id=1,
            display_name="Some",
            tier="FREE",
            timezone="UTC",
            slot=slot(USER),
        )
        await platform.store.fleet.add_user(profile)
        intake = own_intake(settings)
        worker = await stack.enter_async_context(open_worker(platform, intake.opener))
        running = asyncio.create_task(worker.run(), name="worker")
        try:
            yield House(
                platform=platform,
                sealer=IntakeSealer(intake.opener.public_key),  # type: ignore[attr-defined]
                bot=bot,
                mail=mail,
            )
        finally:
            await worker.manager.drain()
            running.cancel()
            await asyncio.wait([running])


async def test_a_notice_reaches_telegram_and_the_mail_box_and_no_secret_leaves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with structlog.testing.capture_logs() as logged:
        async with a_house(tmp_path, monkeypatch) as house, asyncio.timeout(PATIENCE_S):
            state = await house.ask("state")
            assert state["offered"] == ["telegram", "email", "push"]
            link = str((await house.ask("telegram"))["link"])
            house.bot.press_start(link.partition("?start=")[2])
            await until(lambda: bool(house.bot.sent))
            await house.give("email", "notify_email_new", RECEIVER)
            code = house.mail.texts[-1].partition("Your code is ")[2][:9]
            await house.ask("code", code=code)
            mine = house.platform.store.user(USER)
            now = house.platform.clock.now()
            facts = {"text": "buy 0.10 XAUUSD at 2350.00, leg 1"}
            await mine.notices.add(
                Notice(kind=NoticeKind.TRADE_OPENED, at=now, about="trade:1", facts=facts)
            )
            await house.ask("changed")
            await until(lambda: len(house.bot.sent) > 1 and len(house.mail.letters) > 1)
            documents = await mine.settings.list()
            shown = json.dumps({**documents, "state": dict(await house.ask("state"))}, default=str)
            metrics = house.platform.metrics.text().decode()
    assert "Opened: buy 0.10 XAUUSD at 2350.00, leg 1." in house.bot.texts[1]
    assert house.bot.sent[1]["chat_id"] == CHAT
    assert "/notifications/unsubscribe/" in house.mail.texts[1]
    assert 'signalfleet_messenger_away{kind="telegram"} 0.0' in metrics
    told = json.dumps(logged, default=str) + shown + metrics
    stored = b"".join(one.read_bytes() for one in (tmp_path / "data").rglob("*") if one.is_file())
    for canary in (TOKEN, MAIL_PASSWORD, RECEIVER, VAPID.reveal(), code):
        assert canary not in told
        assert canary.encode() not in stored
