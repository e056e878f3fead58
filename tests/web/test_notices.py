"""Notices: a count in the header of every page, a list, and a way to say that it was seen."""

import re
from datetime import timedelta

import pytest

from kit.web_scene import GOLD, USER
from kit.web_site import Site
from signalfleet.domain.accounts.notices import Notice, NoticeKind
from signalfleet.ports.notices import Notices

pytestmark = pytest.mark.loopback


def of(site: Site) -> Notices:
    return site.store.user(USER).notices


async def tell(site: Site, kind: NoticeKind, about: str = "", **facts: object) -> None:
    now = site.app.state.context.deps.clock.now()
    assert await of(site).add(Notice(kind=kind, at=now, about=about, facts=facts))


def words_of(html: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


async def test_the_header_counts_what_is_new(home: Site) -> None:
    assert 'class="count"' not in (await home.page("/")).text
    await tell(home, NoticeKind.CHAT_LOST, f"chat:{GOLD}")
    await tell(home, NoticeKind.TELEGRAM_SIGN_IN_NEEDED, reason="revoked")
    assert "Notices 2 new" in words_of((await home.page("/signals")).text)
    assert "Notices 2 new" in words_of((await home.page("/f/live/bell")).text)


async def test_the_list_says_what_happened_and_where_to_go(home: Site) -> None:
    await tell(home, NoticeKind.POSTS_MISSED, f"chat:{GOLD}", chat=GOLD, first=41)
    await tell(home, NoticeKind.TELEGRAM_SIGN_IN_NEEDED, reason="revoked")
    page = (await home.page("/notices")).text
    said = words_of(page)
    title = next(
        one.title for one in await home.store.user(USER).channels.list() if one.chat == GOLD
    )
    assert f"more was missed in {title} than is read again: posts older than number 41" in said
    assert f'href="/signals?channel={GOLD}"' in page
    assert "Telegram ended this session on one of your devices. No channel is read" in said
    assert 'href="/connect/telegram"' in page
    assert said.index("Telegram ended") < said.index("more was missed")


async def test_marking_leaves_what_came_meanwhile_as_new(home: Site) -> None:
    await tell(home, NoticeKind.CHAT_LOST, "chat:-1")
    page = (await home.page("/notices")).text
    (until,) = re.findall(r'name="until" value="(\d+)"', page)
    await tell(home, NoticeKind.CHAT_LOST, "chat:-2")
    answer = await home.press("/notices/read", until=until)
    assert (answer.status, answer.headers["Location"]) == (303, "/notices")
    assert await of(home).unread() == 1
    assert "Notices 1 new" in words_of((await home.page("/")).text)


@pytest.mark.parametrize("until", ["", "-1", "1e9", "x", "9" * 30, "²"])
async def test_a_number_that_is_none_marks_nothing(home: Site, until: str) -> None:
    await tell(home, NoticeKind.CHAT_LOST, "chat:-1")
    assert (await home.press("/notices/read", until=until)).status == 303
    assert await of(home).unread() == 1


async def test_facts_from_outside_are_text_on_the_page(home: Site) -> None:
    await tell(home, NoticeKind.TRADE_REFUSED, text="<img src=x onerror=alert(1)>")
    await tell(home, NoticeKind.CHAT_LOST, "chat:not-a-number")
    await tell(home, NoticeKind.TRADE_OPENED, 'message:5."><script>', text="a {0.__class__}")
    page = (await home.page("/notices")).text
    assert "<img" not in page.partition('id="notices"')[2]
    assert "&lt;img src=x" in page
    assert '"><script>' not in page
    assert "Opened: a {0.__class__}." in words_of(page)


async def test_an_old_notice_is_told_again_and_an_empty_list_says_so(home: Site) -> None:
    assert "Nothing to tell" in (await home.page("/notices")).text
    now = home.app.state.context.deps.clock.now()
    for minutes in (30, 15, 10):
        at = now - timedelta(minutes=minutes)
        await of(home).add(Notice(kind=NoticeKind.FORMAT_DRIFT, at=at, about=f"chat:{GOLD}"))
    assert "Notices 2 new" in words_of((await home.page("/notices")).text)
