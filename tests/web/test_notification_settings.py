"""The page where a user says what is told where, with a worker's desk behind it."""

import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import pytest

from kit.notice_post import NoticePost
from kit.owner_desks import owner_desks
from kit.scripted_messenger import ScriptedMessenger
from kit.wall_clock import WallClock
from kit.web_scene import USER, a_full_day
from kit.web_site import OURS, PAGE, Site, serve
from signalfleet.adapters.secrets import IntakeOpener, IntakeSealer, new_intake_keys
from signalfleet.app.notice_targets import (
    CHOICES_SCOPE,
    NoticeTargets,
    linked_targets,
    unsubscribe_word,
)
from signalfleet.bots.notice_desk import NoticeDesk, Outside
from signalfleet.domain.accounts.delivery import TargetKind
from signalfleet.ports.secrets import Secret

pytestmark = pytest.mark.loopback

HOME = "/settings/notifications"
ADDRESS = "mail-canary@example.org"


@dataclass(kw_only=True)
class Bot:
    async def username(self) -> str:
        return "fleet_bot"

    async def starts(self) -> tuple[()]:
        return ()

    async def answer(self, chat: int, text: str) -> None:
        """Say nothing: nobody listens here."""


@dataclass(kw_only=True)
class Home:
    site: Site
    post: NoticePost

    @property
    def mail(self) -> ScriptedMessenger:
        return self.post.messengers[TargetKind.EMAIL]

    async def linked(self, kind: TargetKind) -> str:
        known = (await linked_targets(self.site.store.user(USER))).get(kind)
        return "" if known is None else known.state


@asynccontextmanager
async def a_home(*, desk: bool = True) -> AsyncIterator[Home]:
    private, public = new_intake_keys()
    async with serve(sealer=IntakeSealer(public)) as site:
        await a_full_day(site.store, WallClock().now())
        await site.sign_in()
        post = NoticePost(store=site.store, bus=site.bus)
        async with AsyncExitStack() as stack:
            serving = NoticeDesk(
                store=site.store,
                bus=site.bus,
                clock=post.clock,
                credentials=post.credentials,
                targets=NoticeTargets(site.store, post.credentials),
                outside=Outside(
                    lines=post.lines(), bot=Bot(), push_key="abc", opener=IntakeOpener(private)
                ),
                changed=lambda _user: None,
            )
            if desk:
                desks = owner_desks(site.bus, USER, notify=serving.answer)
                await stack.enter_async_context(desks)
            yield Home(site=site, post=post)


async def test_wishes_are_kept_and_shown_again() -> None:
    async with a_home() as home:
        form = {"telegram-money": "on", "email-money": "on", "email-info": "on"}
        times = {"quiet_from": "22:00", "quiet_until": "07:00", "summary_at": ""}
        answer = await home.site.press(HOME, **form, **times)
        assert answer.headers["Location"] == f"{HOME}?saved=1"
        doc, _ = await home.site.store.user(USER).settings.get(CHOICES_SCOPE)
        assert doc == {
            "levels": {"telegram": ["money"], "email": ["money", "info"], "push": []},
            **times,
        }
        page = (await home.site.page(answer.headers["Location"])).text
        assert re.findall(r'name="(\w+-\w+)"[^>]* checked', page) == [
            "telegram-money",
            "email-money",
            "email-info",
        ]
        assert 'value="22:00"' in page


@pytest.mark.parametrize(
    "form",
    [
        {"quiet_from": "22:00"},
        {"quiet_from": "22:00", "quiet_until": "22:00"},
        {"quiet_from": "25:00", "quiet_until": "07:00"},
        {"summary_at": "<script>"},
    ],
    ids=["half", "none", "hour", "script"],
)
async def test_times_that_make_no_sense_are_refused_in_words(form: dict[str, str]) -> None:
    async with a_home() as home:
        answer = await home.site.press(HOME, **form)
        assert answer.status == 422
        assert 'class="error"' in answer.text
        assert "<script>" not in answer.text


async def test_telegram_is_connected_by_a_link_that_the_page_shows_once() -> None:
    async with a_home() as home:
        answer = await home.site.press(f"{HOME}/telegram")
        assert answer.status == 200
        assert 'href="https://t.me/fleet_bot?start=' in answer.text
        assert "t.me" not in (await home.site.page(HOME)).text


async def test_an_address_is_connected_by_its_code_and_shown_masked() -> None:
    async with a_home() as home:
        answer = await home.site.press(f"{HOME}/email", address=ADDRESS)
        assert 'name="code"' in answer.text
        code = home.mail.taken[-1].lines[0].removeprefix("Your code is ").rstrip(".")
        wrong = await home.site.press(f"{HOME}/code", code="WRONG")
        assert (wrong.status, 'name="code"' in wrong.text) == (422, True)
        assert (await home.site.press(f"{HOME}/code", code=code)).status == 303
        page = (await home.site.page(HOME)).text
        assert "s...@example.org" in page
        assert ADDRESS not in answer.text + page
        assert (await home.site.press(f"{HOME}/test", kind="email")).status == 303
        assert (await home.site.press(f"{HOME}/off", kind="email")).status == 303
        assert await home.linked(TargetKind.EMAIL) == ""


async def test_without_a_worker_the_page_says_so_and_wishes_can_still_be_kept() -> None:
    async with a_home(desk=False) as home:
        page = await home.site.page(HOME)
        assert page.status == 200
        assert "does not answer just now" in page.text
        assert (await home.site.press(HOME, summary_at="08:00")).status == 303
        assert (await home.site.press(f"{HOME}/telegram")).status == 503


async def test_letters_are_ended_by_a_mail_program_without_a_sign_in() -> None:
    async with a_home() as home:
        store = home.site.store
        targets = NoticeTargets(store, home.post.credentials)
        now = home.post.clock.now()
        await targets.link(USER, TargetKind.EMAIL, Secret(ADDRESS), "s...@example.org", now)
        word = await unsubscribe_word(store.user(USER))
        address = f"/notifications/unsubscribe/{USER}/{word}"
        home.site.cookie = ""
        assert (await home.site.ask("GET", address, headers=PAGE)).status == 200
        assert await home.linked(TargetKind.EMAIL) == "on", "programs follow links by themselves"
        wrong = await home.site.ask("POST", f"/notifications/unsubscribe/{USER}/wrong")
        nobody = await home.site.ask("POST", f"/notifications/unsubscribe/u_x/{word}")
        assert await home.linked(TargetKind.EMAIL) == "on"
        body = {"List-Unsubscribe": "One-Click"}
        right = await home.site.ask("POST", address, form=body)
        assert [one.status for one in (wrong, nobody, right)] == [200, 200, 200]
        assert wrong.text == right.text == nobody.text
        assert await home.linked(TargetKind.EMAIL) == "off"


async def test_the_browsers_part_is_served_from_the_root() -> None:
    async with a_home(desk=False) as home:
        answer = await home.site.ask("GET", "/push-worker.js", headers=OURS)
        assert answer.status == 200
        assert answer.headers["Content-Type"].startswith("text/javascript")
        assert "showNotification" in answer.text
