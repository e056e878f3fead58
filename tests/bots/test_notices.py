"""What a bot learns about its chats and its session reaches the user as a notice."""

import asyncio

import pytest

from kit.builders import CHAT, USER
from kit.clock import settle_down, until
from kit.fleet import Fleet
from signalfleet.domain.accounts.bot_state import BotState
from signalfleet.domain.accounts.notices import NoticeKind
from signalfleet.domain.ids import MessageId
from signalfleet.ports.chat_source import ChatNotice, ChatNoticeKind
from signalfleet.ports.errors import SignInRequiredError

REVOKED = SignInRequiredError("revoked", reason="revoked")


async def told(fleet: Fleet) -> list[tuple[NoticeKind, str, dict[str, object]]]:
    stored = await fleet.mine.notices.recent()
    return [(one.notice.kind, one.notice.about, dict(one.notice.facts)) for one in stored]


@pytest.mark.parametrize(
    ("kind", "shown", "facts"),
    [
        (ChatNoticeKind.LOST, NoticeKind.CHAT_LOST, {}),
        (ChatNoticeKind.BACK, NoticeKind.CHAT_BACK, {}),
        (ChatNoticeKind.HOLE, NoticeKind.POSTS_MISSED, {"first": 41}),
        (ChatNoticeKind.UNREADABLE, NoticeKind.POSTS_UNREADABLE, {"count": 3}),
    ],
    ids=["lost", "back", "hole", "unreadable"],
)
async def test_the_user_is_told_of_a_chats_trouble_once(
    fleet: Fleet, kind: ChatNoticeKind, shown: NoticeKind, facts: dict[str, int]
) -> None:
    first = facts.get("first")
    notice = ChatNotice(
        chat=CHAT,
        kind=kind,
        first=None if first is None else MessageId(first),
        count=facts.get("count", 0),
    )
    bot = fleet.manager.active_bots[USER]
    async with fleet.bus.events(USER) as events:
        await bot.chat_noticed(notice)
        await bot.chat_noticed(notice)
        async with asyncio.timeout(5):
            event = await anext(events)
    assert event.kind == "notice"
    assert await told(fleet) == [(shown, f"chat:{CHAT}", {"chat": CHAT, **facts})]


async def test_the_user_is_told_that_telegram_needs_a_sign_in_but_not_again_after_a_restart(
    fleet: Fleet,
) -> None:
    await fleet.bring(REVOKED)
    await until(lambda: fleet.state is BotState.SIGN_IN_NEEDED)
    expected = [(NoticeKind.TELEGRAM_SIGN_IN_NEEDED, "", {"reason": "revoked"})]
    assert await told(fleet) == expected
    await settle_down(3600)
    await fleet.kill()
    await fleet.start(wait=False)
    await until(lambda: fleet.state is BotState.SIGN_IN_NEEDED)
    await settle_down(60)
    assert await told(fleet) == expected


async def test_a_store_that_is_away_for_a_notice_does_not_end_the_bot(fleet: Fleet) -> None:
    bot = fleet.manager.active_bots[USER]
    fleet.store.is_down = True
    await bot.chat_noticed(ChatNotice(chat=CHAT, kind=ChatNoticeKind.LOST))
    fleet.store.is_down = False
    assert await told(fleet) == []
    assert fleet.manager.active_bots[USER] is bot
