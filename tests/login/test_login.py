"""The login worker: who gets in, who does not, how often, and what is left behind."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from kit.login_desk import CELL, Desk, another_worker, open_desk
from kit.telegram_city import PHONE, eventually
from signalfleet.adapters.telegram.session import load_session
from signalfleet.app.connect_telegram import ENDING_FIELD
from signalfleet.app.copy_states import load_states
from signalfleet.domain.accounts.exits import ExitCause
from signalfleet.domain.ids import UserId
from signalfleet.domain.settings.choices import ExitPolicy
from signalfleet.ports.chat_source import ChatSink
from signalfleet.ports.errors import RefusedError, SignInRequiredError, TemporaryError
from signalfleet.ports.store import CopyMode
from signalfleet_sim.telegram import SimUser, TelegramServer, World

pytestmark = pytest.mark.loopback

CARA = "+1 555 0155"
PASSWORD = "correct horse"


async def a_user(desk: Desk, phone: str = PHONE) -> UserId:
    """Sign somebody in for the first time."""
    page = desk.page(origin=f"ip-{phone[-4:]}")
    done = await page.scanned_by(phone)
    assert done["step"] == "done", done
    return UserId(done["user"])


def live_keys(world: World, user: SimUser) -> int:
    return len(world.sessions(user))


async def test_a_stranger_who_scans_becomes_a_user(desk: Desk, ann: SimUser) -> None:
    page = desk.page()
    done = await page.scanned_by(PHONE)
    assert (done["user"], done["name"]) == (page.fresh, "Ann")
    profile = await desk.store.fleet.get_user(page.fresh)
    assert profile is not None
    assert profile.telegram_id == ann.user_id
    session = await desk.session(page.fresh)
    assert session is not None
    assert load_session(session).telegram_user_id == ann.user_id
    assert desk.world.sockets(load_session(session).key) == 0
    consent, _ = await desk.store.user(page.fresh).settings.get("consent")
    given = consent["telegram"]
    assert isinstance(given, dict)
    assert given["version"] == "2026-11"
    assert str(given["at"]).startswith("20")


async def test_a_finished_sign_in_is_handed_over_once(desk: Desk, ann: SimUser) -> None:
    page = desk.page()
    with pytest.raises(TemporaryError):
        await page.ask("claim")
    await page.scanned_by(PHONE)
    assert (await page.ask("claim"))["user"] == page.fresh
    with pytest.raises(RefusedError, match="used already"):
        await page.ask("claim")


async def test_a_phone_code_signs_in(desk: Desk, ann: SimUser) -> None:
    page = desk.page()
    await page.start(phone=PHONE)
    asked = await page.until("code")
    assert (asked["delivery"], asked["error"]) == ("app", None)
    code = desk.world.code_for(PHONE)
    await page.enter("code", "00000" if code != "00000" else "11111")
    asked = await page.until("code")
    assert "wrong" in asked["error"]
    await page.enter("code", code)
    assert (await page.until("done"))["user"] == page.fresh


async def test_a_two_step_password_is_asked_for(desk: Desk, world: World) -> None:
    world.user(CARA, "Cara", password=PASSWORD)
    page = desk.page()
    asked = await page.scanned_by(CARA)
    assert (asked["step"], asked["hint"]) == ("password", "the name of the city")
    await page.enter("password", "wrong horse")
    asked = await page.until("password")
    assert "2 tries are left" in asked["error"]
    await page.enter("password", PASSWORD)
    assert (await page.until("done"))["name"] == "Cara"


async def test_three_wrong_passwords_end_the_attempt(desk: Desk, world: World) -> None:
    cara = world.user(CARA, "Cara", password=PASSWORD)
    page = desk.page()
    await page.scanned_by(CARA)
    for number in range(3):
        await page.enter("password", f"wrong {number}")
        await page.until("password", "failed")
    state = await page.ask("state")
    assert state["step"] == "failed"
    assert "three times" in state["words"]
    assert live_keys(world, cara) == 0


async def test_the_same_account_again_is_the_same_user(desk: Desk, ann: SimUser) -> None:
    user = await a_user(desk)
    first = await desk.session(user)
    again = desk.page(origin="ip-2")
    assert (await again.scanned_by(PHONE))["user"] == user
    assert await desk.store.fleet.get_user(again.fresh) is None
    # The stored session lives, so the new one is not kept: one device stays in the list.
    assert await desk.session(user) == first
    assert live_keys(desk.world, ann) == 1


async def test_a_session_that_was_revoked_is_replaced(desk: Desk, ann: SimUser) -> None:
    user = await a_user(desk)
    first = await desk.session(user)
    desk.world.sessions(ann)[0].revoke()
    before = (await desk.store.user(user).bot.status()).wish_rev
    done = await desk.page(user).scanned_by(PHONE)
    assert done["user"] == user
    assert await desk.session(user) != first
    status = await desk.store.user(user).bot.status()
    assert status.wish_rev > before
    assert not status.wish_on


async def test_another_account_than_ones_own_is_refused_and_logged_out(
    desk: Desk, world: World, ann: SimUser
) -> None:
    user = await a_user(desk)
    bob = world.user("+1 555 0144", "Bob")
    ended = await desk.page(user).scanned_by("+1 555 0144")
    assert ended["step"] == "failed"
    assert "another Telegram account" in ended["words"]
    assert live_keys(world, bob) == 0
    assert await desk.store.fleet.user_by_telegram(bob.user_id) is None
    assert live_keys(world, ann) == 1


async def test_nobody_signs_in_for_a_user_that_does_not_exist(desk: Desk, ann: SimUser) -> None:
    ghost = desk.page()
    page = desk.page(ghost.fresh)
    assert (await page.scanned_by(PHONE))["step"] == "failed"
    assert live_keys(desk.world, ann) == 0


async def test_a_visitor_who_comes_with_somebodys_id_does_not_become_them(
    desk: Desk, world: World, ann: SimUser
) -> None:
    user = await a_user(desk)
    thief = world.user("+1 555 0188", "Thief")
    page = desk.page(origin="ip-9")
    page.fresh = user
    ended = await page.scanned_by("+1 555 0188")
    assert ended["step"] == "failed"
    assert live_keys(world, thief) == 0
    assert await desk.session(user) is not None


async def test_an_account_belongs_to_one_user(desk: Desk, world: World, ann: SimUser) -> None:
    user = await a_user(desk)
    world.user("+1 555 0144", "Bob")
    other = await a_user(desk, "+1 555 0144")
    assert other != user
    ended = await desk.page(other).scanned_by(PHONE)
    assert ended["step"] == "failed"


async def test_three_qr_codes_an_hour_and_no_more(desk: Desk, ann: SimUser) -> None:
    for _ in range(3):
        page = desk.page(origin="ip-7")
        await page.start()
        await page.until("qr")
    assert "too many QR codes" in await desk.page(origin="ip-7").refused()
    with pytest.raises(TemporaryError) as caught:
        await desk.page(origin="ip-7").start()
    assert caught.value.retry_after is not None
    assert 3000 < caught.value.retry_after <= 3600
    await desk.page(origin="ip-8").start()


async def test_three_codes_an_hour_for_a_number_whoever_asks(desk: Desk, ann: SimUser) -> None:
    for number in range(3):
        await desk.page(origin=f"ip-{number}").start(phone=PHONE)
    words = await desk.page(origin="ip-9").refused(phone="+1 (555) 0100")
    assert "too many codes for this number" in words
    assert "555" not in words


async def test_one_visitor_cannot_have_codes_sent_to_everybody(desk: Desk, world: World) -> None:
    for number in range(6):
        await desk.page().start(phone=f"+1 555 03{number:02}")
    assert "too many codes" in await desk.page().refused(phone="+1 555 0399")


async def test_a_user_has_one_attempt_at_a_time(desk: Desk, ann: SimUser) -> None:
    user = await a_user(desk)
    first = desk.page(user)
    await first.start()
    await first.until("qr")
    second = desk.page(user)
    await second.start()
    await second.until("qr")
    with pytest.raises(TemporaryError):
        await first.ask("state")


async def test_an_attempt_ends_after_its_time(
    tmp_path: Path, world: World, server: TelegramServer
) -> None:
    async with open_desk(tmp_path, world, server, life=timedelta(seconds=0.4)) as desk:
        page = desk.page()
        await page.start()
        ended = await page.until("failed")
    assert "five minutes" in ended["words"]


async def test_nothing_begins_without_consent(desk: Desk) -> None:
    for consent in (None, "", 7, "x" * 50):
        assert "agree" in await desk.page().refused(consent=consent)


@pytest.mark.parametrize(
    "changes",
    [
        {"attempt": "short"},
        {"attempt": "a" * 30 + "."},
        {"attempt": 5},
        {"user": "nobody"},
        {"user": None},
        {"op": "dump"},
    ],
)
async def test_what_makes_no_sense_is_refused(desk: Desk, changes: dict[str, object]) -> None:
    assert await desk.page().refused(**changes)


async def test_a_box_of_another_attempt_is_not_opened(desk: Desk, ann: SimUser) -> None:
    one, other = desk.page(origin="ip-1"), desk.page(origin="ip-2")
    await one.start(phone=PHONE)
    await one.until("code")
    box = other.sealed("code", desk.world.code_for(PHONE))
    with pytest.raises(RefusedError, match="cannot be opened"):
        await one.ask("code", box=box)
    assert (await one.ask("state"))["step"] == "code"


async def test_a_number_that_is_not_sealed_is_refused(desk: Desk, ann: SimUser) -> None:
    page = desk.page()
    plain = {"op": "start", "attempt": page.attempt, "user": page.user, "visitor": True}
    with pytest.raises(RefusedError, match="cannot be opened"):
        await desk.bus.request(f"{CELL}.login", {**plain, "consent": "1", "phone": PHONE})
    assert desk.world.calls(None) == []


async def test_a_box_is_used_once(desk: Desk, world: World) -> None:
    world.user(CARA, "Cara", password=PASSWORD)
    page = desk.page()
    await page.scanned_by(CARA)
    box = page.sealed("password", "wrong horse")
    await page.ask("password", box=box)
    await page.until("password")
    for _ in range(5):
        await page.ask("password", box=box)
    await asyncio.sleep(0.1)
    assert "2 tries are left" in (await page.ask("state"))["error"]


async def test_a_flood_wait_says_until_when(desk: Desk, ann: SimUser) -> None:
    desk.world.faults.flood("auth.sendCode", 600, times=1)
    page = desk.page()
    await page.start(phone=PHONE)
    ended = await page.until("failed")
    assert "wait" in ended["words"]
    assert ended["until"] is not None


# Signing out


async def sign_out(desk: Desk, user: UserId) -> None:
    await desk.about({"op": "sign_out", "user": user})


async def test_signing_out_ends_the_session_first_and_then_deletes_it(
    desk: Desk, ann: SimUser
) -> None:
    user = await a_user(desk)
    await desk.store.user(user).bot.set_wish(on=True, by="test")
    await sign_out(desk, user)
    assert live_keys(desk.world, ann) == 0
    assert await desk.session(user) is None
    # What is open at the broker stays managed: only Telegram ends.
    assert (await desk.store.user(user).bot.status()).wish_on


async def test_a_sign_out_takes_the_wish_for_open_trades_until_the_user_is_back(
    desk: Desk, ann: SimUser
) -> None:
    user = await a_user(desk)
    settings = desk.store.user(user).settings
    with pytest.raises(RefusedError, match="open trades"):
        await desk.about({"op": "sign_out", "user": user, "exit_policy": "sell"})
    assert (await load_states(settings)).exits == {}
    await desk.about({"op": "sign_out", "user": user, "exit_policy": "flatten"})
    ending = (await load_states(settings)).exits["user"]
    assert (ending.cause, ending.policy) == (ExitCause.TELEGRAM, ExitPolicy.FLATTEN)
    assert await a_user(desk) == user
    assert (await load_states(settings)).exits == {}


async def test_a_session_stays_stored_until_telegram_was_told(
    desk: Desk, server: TelegramServer, ann: SimUser
) -> None:
    user = await a_user(desk)
    desk.world.faults.error("auth.logOut", 500, "INTERNAL", times=2)
    with pytest.raises(TemporaryError, match="Devices"):
        await sign_out(desk, user)
    assert await desk.session(user) is None  # No bot may use it any more.
    assert await desk.credentials.get(user, ENDING_FIELD) is not None
    await sign_out(desk, user)
    assert await desk.credentials.get(user, ENDING_FIELD) is None
    assert live_keys(desk.world, ann) == 0


async def test_signing_out_waits_for_the_bot_to_let_go(desk: Desk, ann: SimUser) -> None:
    user = await a_user(desk)
    async with asyncio.TaskGroup() as tasks, desk.use.alone(user):
        leaving = tasks.create_task(sign_out(desk, user))
        await asyncio.sleep(0.2)
        assert not leaving.done()
        assert live_keys(desk.world, ann) == 1
    assert live_keys(desk.world, ann) == 0


# Choosing channels


@pytest.fixture
def chats(world: World, ann: SimUser) -> dict[str, int]:
    made = {}
    for number, (title, kind, name) in enumerate(
        (
            ("Gold signals", "channel", "goldsig"),
            ("VIP room", "supergroup", None),
            ("Pals", "group", None),
        )
    ):
        chat = world.channel(title, kind=kind, username=name)  # type: ignore[arg-type]
        chat.join(ann)
        chat.post(f"BUY GOLD {number}", at=1_700_000_000 + number)
        made[title] = chat.chat_id
    return made


async def ask_login(desk: Desk, user: UserId, op: str, **more: object) -> dict[str, object]:
    question = {"op": op, "user": user, **more}
    return dict(await desk.about(question))


async def test_the_picker_shows_what_a_person_chooses_by(desk: Desk, chats: dict[str, int]) -> None:
    user = await a_user(desk)
    found = await ask_login(desk, user, "chats")
    rows = found["chats"]
    assert isinstance(rows, list)
    by_title = {row["title"]: row for row in rows}
    gold = by_title["Gold signals"]
    assert gold["chat"] == chats["Gold signals"]
    assert (gold["kind"], gold["username"], gold["mode"]) == ("channel", "goldsig", "off")
    assert gold["members"] == 2
    assert gold["has_photo"] is False
    assert gold["last_post"] == "BUY GOLD 0"
    assert gold["join"] == "joined"
    assert not any("hash" in key for key in gold)
    assert found["of"] == found["found"] == 3


async def test_a_search_finds_titles_and_names(desk: Desk, chats: dict[str, int]) -> None:
    user = await a_user(desk)
    for words, titles in (
        ("vip", {"VIP room"}),
        ("@GoldSig", {"Gold signals"}),
        ("silver", set()),
    ):
        found = await ask_login(desk, user, "chats", search=words)
        rows = found["chats"]
        assert isinstance(rows, list)
        assert {row["title"] for row in rows} == titles
        assert found["of"] == 3


async def test_choosing_turns_on_what_is_ticked_and_off_what_was_shown_and_is_not(
    desk: Desk, chats: dict[str, int]
) -> None:
    user = await a_user(desk)
    gold, vip, pals = chats["Gold signals"], chats["VIP room"], chats["Pals"]
    shown = [gold, vip]
    told = await ask_login(desk, user, "choose", chosen=[gold, vip], shown=shown, mode="paper")
    assert told == {"chosen": 2, "changed": 2}
    await ask_login(desk, user, "choose", chosen=[vip, pals], shown=[gold, pals], mode="on")
    modes = {one.chat: one.mode for one in await desk.store.user(user).channels.list()}
    assert modes == {gold: CopyMode.OFF, vip: CopyMode.PAPER, pals: CopyMode.ON}
    stored = await desk.store.user(user).channels.get(gold)  # type: ignore[arg-type]
    assert stored is not None
    assert stored.access_hash != 0


async def test_nobody_chooses_a_chat_that_is_not_theirs(
    desk: Desk, chats: dict[str, int], world: World
) -> None:
    user = await a_user(desk)
    foreign = world.channel("Foreign").chat_id
    await ask_login(desk, user, "choose", chosen=[foreign, "x", 0], shown=[], mode="on")
    assert await desk.store.user(user).channels.list() == ()
    for broken in ({"mode": "live"}, {"chosen": "all"}, {"chosen": list(range(300))}):
        question = {"chosen": [], "shown": [], "mode": "on", **broken}
        with pytest.raises(RefusedError):
            await ask_login(desk, user, "choose", **question)


async def test_a_link_is_looked_up(desk: Desk, chats: dict[str, int], world: World) -> None:
    user = await a_user(desk)
    public = world.channel("Public", username="public_one")
    hidden = world.channel("Hidden", kind="supergroup")
    invite = world.invite(hidden, needs_approval=True)
    for link, title, join in (
        ("https://t.me/goldsig", "Gold signals", "joined"),
        ("@public_one", "Public", "open"),
        (f"t.me/+{invite}", "Hidden", "by_request"),
    ):
        chat = (await ask_login(desk, user, "find", link=link))["chat"]
        assert isinstance(chat, dict)
        assert (chat["title"], chat["join"]) == (title, join), link
    assert public.chat_id
    for link in ("@nobody_here", "not a link", "t.me/+AAAAAAAAAAAA"):
        with pytest.raises(RefusedError):
            await ask_login(desk, user, "find", link=link)


async def test_the_last_posts_of_a_chat_are_shown(desk: Desk, chats: dict[str, int]) -> None:
    user = await a_user(desk)
    told = await ask_login(desk, user, "latest", chat=chats["Gold signals"])
    posts = told["posts"]
    assert isinstance(posts, list)
    assert [post["text"] for post in posts] == ["BUY GOLD 0"]
    with pytest.raises(RefusedError):
        await ask_login(desk, user, "latest", chat=-100)


async def test_without_a_session_the_user_is_told_to_connect(desk: Desk, ann: SimUser) -> None:
    user = await a_user(desk)
    await sign_out(desk, user)
    with pytest.raises(SignInRequiredError, match="connect Telegram"):
        await ask_login(desk, user, "chats")


async def test_a_running_bot_lists_over_its_own_connection(
    desk: Desk, chats: dict[str, int], ann: SimUser
) -> None:
    user = await a_user(desk)
    session = await desk.session(user)
    assert session is not None
    source = desk.use.watched(user, desk.kit.source(session))
    key = load_session(session).key
    async with asyncio.TaskGroup() as tasks:
        reading = tasks.create_task(source.run(_Deaf()))
        await eventually(lambda: source.health().state.value == "live")
        found = await ask_login(desk, user, "chats")
        assert found["of"] == 3
        assert desk.world.sockets(key) == 1
        reading.cancel()
    assert desk.use.directory(user) is None
    assert not [one for one in desk.world.violations if "socket" in str(one)]


async def test_a_chat_is_joined_by_one_click_and_no_second_one(
    desk: Desk, ann: SimUser, world: World
) -> None:
    user = await a_user(desk)
    world.channel("Public", username="public_one")
    hidden = world.channel("Hidden", kind="supergroup")
    closed = world.channel("Closed", kind="supergroup")
    for link, title in (
        ("@public_one", "Public"),
        (f"t.me/+{world.invite(hidden)}", "Hidden"),
    ):
        found = await ask_login(desk, user, "find", link=link)
        joined = (await ask_login(desk, user, "join", click=found["click"]))["chat"]
        assert isinstance(joined, dict)
        assert (joined["title"], joined["join"]) == (title, "joined")
        with pytest.raises(RefusedError, match="look the link up again"):
            await ask_login(desk, user, "join", click=found["click"])
    link = f"t.me/+{world.invite(closed, needs_approval=True)}"
    found = await ask_login(desk, user, "find", link=link)
    with pytest.raises(RefusedError, match="has to let you in"):
        await ask_login(desk, user, "join", click=found["click"])
    listed = (await ask_login(desk, user, "chats"))["chats"]
    assert isinstance(listed, list)
    assert {row["title"] for row in listed} == {"Public", "Hidden"}


async def test_nobody_joins_by_a_click_of_somebody_else_or_too_often(
    desk: Desk, ann: SimUser, world: World
) -> None:
    world.user(CARA, "Cara")
    user, other = await a_user(desk), await a_user(desk, CARA)
    world.channel("Public", username="public_one")
    found = await ask_login(desk, user, "find", link="@public_one")
    for click in (found["click"], "", "x"):
        with pytest.raises(RefusedError, match="look the link up again"):
            await ask_login(desk, other, "join", click=click)
    for number in range(4):
        name = f"public_of_{number}"
        world.channel(name, username=name)
        click = (await ask_login(desk, user, "find", link=name))["click"]
        if number < 3:
            await ask_login(desk, user, "join", click=click)
            continue
        with pytest.raises(TemporaryError, match="joined several chats"):
            await ask_login(desk, user, "join", click=click)
    assert "joinChannel" not in str(world.violations)


async def test_a_plan_reads_so_many_channels_and_others_can_always_be_left_out(
    desk: Desk, chats: dict[str, int]
) -> None:
    user = await a_user(desk)
    every = list(chats.values())
    with pytest.raises(RefusedError, match="reads 2 channels at once, and this would be 3"):
        await ask_login(desk, user, "choose", chosen=every, shown=every, mode="paper")
    assert await desk.store.user(user).channels.list() == ()
    told = await ask_login(desk, user, "choose", chosen=every[:2], shown=every, mode="paper")
    assert told["chosen"] == 2
    await ask_login(desk, user, "choose", chosen=every[1:], shown=every, mode="paper")
    assert (await ask_login(desk, user, "chats"))["most"] == 2


async def test_a_new_sign_in_renews_how_the_chosen_chats_are_addressed(
    desk: Desk, chats: dict[str, int]
) -> None:
    user = await a_user(desk)
    gold = chats["Gold signals"]
    await ask_login(desk, user, "choose", chosen=[gold], shown=[gold], mode="paper")
    channels = desk.store.user(user).channels
    (chosen,) = await channels.list()
    await sign_out(desk, user)
    await channels.put(replace(chosen, access_hash=chosen.access_hash ^ 1))
    done = await desk.page(user).scanned_by(PHONE)
    assert done["step"] == "done", done
    (renewed,) = await channels.list()
    assert renewed.access_hash == chosen.access_hash
    assert renewed.mode is CopyMode.PAPER


async def test_only_the_process_whose_bot_has_the_connection_uses_it(
    desk: Desk, chats: dict[str, int], tmp_path: Path
) -> None:
    user = await a_user(desk)
    session = await desk.session(user)
    assert session is not None
    key = load_session(session).key
    source = desk.use.watched(user, desk.kit.source(session))
    async with asyncio.TaskGroup() as tasks:
        reading = tasks.create_task(source.run(_Deaf()))
        await eventually(lambda: source.health().state.value == "live")
        question = {"op": "chats", "user": user}
        async with another_worker(desk) as other:
            with pytest.raises(TemporaryError, match="moving"):
                await other.answer(question)
        assert (await desk.about(question))["of"] == 3
        assert desk.world.sockets(key) == 1
        await sign_out(desk, user)
        await reading
    assert await desk.session(user) is None
    assert desk.world.sockets(key) == 0
    assert not [one for one in desk.world.violations if "socket" in str(one)]


class _Deaf(ChatSink):
    """A sink that keeps nothing."""

    async def store(self, batch: object) -> None: ...

    def pause_s(self) -> float:
        return 0.0

    async def known_revision(self, chat: object, message: object) -> None: ...

    async def link_changed(self, health: object) -> None: ...

    async def chat_noticed(self, notice: object) -> None: ...


async def test_the_topics_of_a_forum_are_listed_and_chosen(
    desk: Desk, ann: SimUser, world: World
) -> None:
    user = await a_user(desk)
    forum = world.channel("Forum", kind="supergroup", forum=True)
    forum.join(ann)
    forum.topics |= {5: "Gold", 9: "Chat"}
    chat = forum.chat_id
    (row,) = await listed_chats(desk, user)
    assert row["is_forum"] is True
    with pytest.raises(RefusedError, match="choose the chat itself first"):
        await ask_login(desk, user, "choose_topics", chat=chat, topics=[5])
    await ask_login(desk, user, "choose", chosen=[chat], shown=[chat], mode="paper")
    await ask_login(desk, user, "choose_topics", chat=chat, topics=[5, "x"])
    told = await ask_login(desk, user, "topics", chat=chat)
    assert told["title"] == "Forum"
    assert told["topics"] == [
        {"topic": 9, "title": "Chat", "read": False},
        {"topic": 5, "title": "Gold", "read": True},
        {"topic": 1, "title": "General", "read": False},
    ]
    for op in ("topics", "choose_topics"):
        with pytest.raises(RefusedError, match="not among yours"):
            await ask_login(desk, user, op, chat=-1, topics=[1])


async def listed_chats(desk: Desk, user: UserId) -> list[dict[str, object]]:
    rows = (await ask_login(desk, user, "chats"))["chats"]
    assert isinstance(rows, list)
    return rows
