"""The pages of connecting Telegram by themselves: what they refuse, and what they never trust."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import pytest

from kit.web_scene import USER
from kit.web_site import OURS, PAGE, Site, serve
from signalfleet.adapters.secrets import IntakeSealer, new_intake_keys
from signalfleet.domain.ids import UserId, slot
from signalfleet.ports.bus import Plain, owner_address
from signalfleet.ports.errors import PortError, RefusedError, SignInRequiredError, TemporaryError
from signalfleet.ports.store import UserProfile

pytestmark = pytest.mark.loopback

HOME = "/connect/telegram"
NAME = "a" * 32
OTHER = "u_mfrggzdfmztwq2lk"


class Worker:
    """Answers as told, and keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[dict[str, object]] = []
        self.answers: dict[str, Mapping[str, object] | PortError] = {}

    async def answer(self, question: Plain) -> Plain:
        self.asked.append(dict(question))
        answer = self.answers.get(str(question["op"]), {"step": "starting"})
        if isinstance(answer, PortError):
            raise answer
        return answer


@asynccontextmanager
async def a_site(worker: Worker | None = None) -> AsyncIterator[Site]:
    sealer = IntakeSealer(new_intake_keys()[1])
    async with (
        serve(demo_user=USER, sealer=sealer) as site,
        asyncio.TaskGroup() as tasks,
    ):
        own = [owner_address("c1", UserId(user)) for user in (USER, OTHER)]
        addresses = ("c1.login", f"c1.login.{NAME}", *own) if worker is not None else ()
        answer = (worker or Worker()).answer
        serving = [tasks.create_task(site.bus.serve(one, answer)) for one in addresses]
        await asyncio.sleep(0)
        yield site
        for task in serving:
            task.cancel()


async def press(site: Site, path: str, **form: str) -> tuple[int, str]:
    answer = await site.ask("POST", HOME + path, headers={**PAGE, **OURS}, form=form)
    return answer.status, answer.text


def an_attempt(site: Site, user: str = OTHER) -> None:
    site.cookie = f"__Host-sf-attempt={NAME}.{user}"


async def test_a_server_without_the_public_key_says_so() -> None:
    async with serve(demo_user=None) as site:
        assert "INTAKE_PUBLIC_KEY" in (await site.page(HOME)).text
        assert "not set up" in (await site.page("/signin")).text


async def test_a_server_of_ones_own_is_entered_by_connecting() -> None:
    async with serve(demo_user=None, sealer=IntakeSealer(new_intake_keys()[1])) as site:
        assert 'href="/connect/telegram"' in (await site.page("/signin")).text


async def test_nothing_begins_without_consent() -> None:
    worker = Worker()
    async with a_site(worker) as site:
        for form in ({}, {"agree": "no"}, {"method": "qr"}):
            status, text = await press(site, "/start", **form)
            assert (status, "Agree to the points" in text) == (422, True)
    assert worker.asked == []


async def test_a_visitor_begins_under_a_new_id_whatever_is_sent() -> None:
    worker = Worker()
    async with a_site(worker) as site:
        an_attempt(site)
        status, _ = await press(site, "/start", agree="yes", method="qr", user=OTHER, visitor="0")
        cookie = site.set_cookie
    (asked,) = worker.asked
    assert status == 303
    assert asked["visitor"] is True
    assert asked["user"] not in (OTHER, USER)
    assert str(asked["attempt"]) in cookie
    assert "127.0.0.1" not in str(asked["origin"])
    for word in ("HttpOnly", "Secure", "SameSite=lax", "Path=/"):
        assert word in cookie


async def test_a_number_leaves_the_page_s_process_sealed_only() -> None:
    worker = Worker()
    async with a_site(worker) as site:
        await press(site, "/start", agree="yes", method="code", phone="+1 555 0100")
        an_attempt(site)
        await press(site, "/code", code="12345")
        await press(site, "/password", password="hunter2")
    text = str(worker.asked)
    assert [one["op"] for one in worker.asked] == ["start", "code", "password"]
    for secret in ("555", "12345", "hunter2"):
        assert secret not in text


async def test_a_refusal_is_shown_with_when_to_try_again() -> None:
    worker = Worker()
    async with a_site(worker) as site:
        worker.answers["start"] = TemporaryError("too many QR codes were asked for", retry_after=90)
        status, text = await press(site, "/start", agree="yes", method="qr")
        assert status == 422
        assert "Too many QR codes were asked for. You can try again in 2 minutes." in text
        worker.answers["start"] = RefusedError("no <b>way</b>")
        _, text = await press(site, "/start", agree="yes", method="qr")
        assert "No &lt;b&gt;way&lt;/b&gt;." in text


@pytest.mark.parametrize(
    "cookie", ["", "x", f"{NAME}", f"{NAME}.nobody", f"{NAME}.{OTHER}.x", f"{'*' * 32}.{OTHER}"]
)
async def test_a_cookie_that_is_none_of_ours_begins_anew(cookie: str) -> None:
    worker = Worker()
    async with a_site(worker) as site:
        site.cookie = f"__Host-sf-attempt={cookie}"
        assert "I agree" in (await site.page(HOME)).text
        assert (await press(site, "/finish"))[0] == 303
        assert (await press(site, "/code", code="1"))[0] == 303
    assert worker.asked == []


async def test_a_worker_that_is_gone_ends_the_attempt_politely() -> None:
    async with a_site() as site:
        an_attempt(site)
        answer = await site.page(HOME)
        assert answer.status == 200
        assert "This sign-in is over; start again." in answer.text
        status, text = await press(site, "/start", agree="yes", method="qr")
        assert (status, "Nobody is there" in text) == (422, True)


async def test_nobody_is_signed_in_before_the_worker_says_who() -> None:
    worker = Worker()
    async with a_site(worker) as site:
        an_attempt(site, USER)
        worker.answers["claim"] = RefusedError("not finished")
        await press(site, "/finish")
        assert site.set_cookie == ""


async def test_every_step_can_be_drawn() -> None:
    worker = Worker()
    steps: tuple[tuple[dict[str, object], str], ...] = (
        ({"step": "starting"}, "Connecting to Telegram"),
        ({"step": "checking"}, "Checking with Telegram"),
        ({"step": "qr", "address": "tg://login?token=abc", "number": 1, "of": 6}, "<svg"),
        ({"step": "code", "delivery": "sms", "error": None}, "by SMS"),
        ({"step": "code", "delivery": "app", "error": "this code is wrong"}, "This code is wrong."),
        ({"step": "password", "hint": "<i>x</i>", "error": None}, "&lt;i&gt;x&lt;/i&gt;"),
        ({"step": "done", "user": OTHER, "name": "Ann"}, "connected as"),
        ({"step": "failed", "words": "no", "until": "2026-11-22T10:30:00+00:00"}, "10:30 UTC"),
    )
    async with a_site(worker) as site:
        an_attempt(site)
        for state, words in steps:
            worker.answers["state"] = state
            for path in ("", "/step"):
                text = (await site.page(HOME + path)).text
                assert words in text, state
                assert "style=" not in text
                assert "<script>" not in text


async def test_the_picker_leads_to_connecting_when_nobody_is_connected() -> None:
    worker = Worker()
    worker.answers["chats"] = SignInRequiredError("connect first", reason="never_signed_in")
    async with a_site(worker) as site:
        await site.store.fleet.add_user(a_profile())
        await site.sign_in()
        text = (await site.page(f"{HOME}/channels")).text
        assert "Telegram is not connected" in text
        worker.answers["chats"] = TemporaryError("the bot is using Telegram")
        assert "The bot is using Telegram" in (await site.page(f"{HOME}/channels")).text


def a_profile() -> UserProfile:
    return UserProfile(
        user_id=USER,
        telegram_id=1,
        display_name="Ann",
        tier="FREE",
        timezone="UTC",
        slot=slot(USER),
    )
