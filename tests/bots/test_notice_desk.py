"""Places for notices are connected by proof that they are the user's own."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from kit.builders import USER
from kit.notice_post import NoticePost
from signalfleet.adapters.secrets import IntakeOpener, IntakeSealer, new_intake_keys
from signalfleet.app.notice_targets import linked_targets
from signalfleet.bots.notice_desk import NoticeDesk, Outside
from signalfleet.bots.notice_links import CONNECTED, UNKNOWN, NoticeLinks
from signalfleet.domain.accounts.delivery import TargetKind
from signalfleet.domain.ids import UserId
from signalfleet.ports.errors import PortError, RefusedError, TemporaryError
from signalfleet.ports.messenger import RetryLater, Started, TargetGone
from signalfleet.ports.secrets import IntakeBinding, Secret

ADDRESS = "mail-canary@example.org"


@dataclass(kw_only=True)
class ScriptedBot:
    """The operator's bot, with whoever pressed Start."""

    answers: list[tuple[int, str]] = field(default_factory=list)

    async def username(self) -> str:
        return "fleet_bot"

    async def starts(self) -> tuple[Started, ...]:
        return ()

    async def answer(self, chat: int, text: str) -> None:
        self.answers.append((chat, text))


class Scene:
    """A desk and the watcher of the bot, as one worker has them."""

    def __init__(self, post: NoticePost) -> None:
        private, public = new_intake_keys()
        self.post = post
        self.sealer = IntakeSealer(public)
        self.bot = ScriptedBot()
        self.changed: list[UserId] = []
        self.desk = NoticeDesk(
            store=post.store,
            bus=post.bus,
            clock=post.clock,
            credentials=post.credentials,
            targets=post.targets,
            outside=Outside(
                lines=post.lines(), bot=self.bot, push_key="public", opener=IntakeOpener(private)
            ),
            changed=self.changed.append,
        )
        self.links = NoticeLinks(
            bot=self.bot,
            store=post.store,
            clock=post.clock,
            targets=post.targets,
            asks=lambda: True,
            changed=self.changed.append,
        )

    async def ask(self, op: str, **more: str) -> Mapping[str, object]:
        return await self.desk.answer({"op": op, "user": USER, **more})

    def sealed(self, name: str, typed: str) -> dict[str, str]:
        attempt = secrets.token_urlsafe(24)
        binding = IntakeBinding(user=USER, field=name, attempt=attempt)
        return {"attempt": attempt, "box": self.sealer.seal(Secret(typed), binding)}

    async def word(self) -> str:
        link = str((await self.ask("telegram"))["link"])
        return link.removeprefix("https://t.me/fleet_bot?start=")

    async def state(self, kind: TargetKind) -> str:
        known = (await linked_targets(self.post.store.user(USER))).get(kind)
        return "" if known is None else known.state


@pytest.fixture
async def scene() -> Scene:
    post = NoticePost()
    await post.begin()
    return Scene(post)


async def test_whoever_opens_the_link_is_connected_and_nobody_after_them(scene: Scene) -> None:
    word = await scene.word()
    assert len(word) <= 64
    await scene.links.take(Started(chat=7, name="@me", word=word))
    assert await scene.state(TargetKind.TELEGRAM) == "on"
    await scene.links.take(Started(chat=8, name="@thief", word=word))
    assert scene.bot.answers == [(7, CONNECTED), (8, UNKNOWN)]
    kept = await scene.post.credentials.get(USER, "notify_telegram")
    assert kept == Secret("7")
    assert scene.changed == [USER]


async def test_a_link_is_of_no_use_when_it_is_old_or_another_was_made(scene: Scene) -> None:
    first = await scene.word()
    second = await scene.word()
    await scene.links.take(Started(chat=7, name="@me", word=first))
    await scene.post.clock.sleep(timedelta(minutes=16))
    await scene.links.take(Started(chat=7, name="@me", word=second))
    assert await scene.state(TargetKind.TELEGRAM) == ""


@pytest.mark.parametrize(
    "word", ["", "x", "-" * 64, "mfrggzdfmztwq2lk-" + "A" * 24, "../../u-" + "A" * 24], ids=str
)
async def test_words_that_nobody_gave_connect_nothing(scene: Scene, word: str) -> None:
    await scene.word()
    await scene.links.take(Started(chat=7, name="@me", word=word))
    assert scene.bot.answers == [(7, UNKNOWN)]
    assert await scene.state(TargetKind.TELEGRAM) == ""


async def test_words_cannot_be_tried_without_end(scene: Scene) -> None:
    word = await scene.word()
    whose = word.partition("-")[0]
    for number in range(5):
        guess = f"{whose}-{'B' * 23}{number}"
        await scene.links.take(Started(chat=8, name="@thief", word=guess))
    await scene.links.take(Started(chat=7, name="@me", word=word))
    assert await scene.state(TargetKind.TELEGRAM) == ""


async def code_of(scene: Scene) -> str:
    letter = scene.post.messengers[TargetKind.EMAIL].taken[-1]
    return letter.lines[0].removeprefix("Your code is ").rstrip(".")


async def test_an_address_counts_when_its_owner_has_read_the_code(scene: Scene) -> None:
    await scene.ask("email", **scene.sealed("notify_email_new", ADDRESS))
    assert await scene.state(TargetKind.EMAIL) == ""
    with pytest.raises(RefusedError, match="not the code"):
        await scene.ask("code", code="AAAA-AAAA")
    await scene.ask("code", code=(await code_of(scene)).lower())
    assert await scene.state(TargetKind.EMAIL) == "on"
    assert await scene.post.credentials.get(USER, "notify_email") == Secret(ADDRESS)
    assert await scene.post.credentials.get(USER, "notify_email_new") is None
    documents = await scene.post.store.user(USER).settings.list()
    assert ADDRESS not in str(documents)


async def test_a_code_works_once_and_can_be_guessed_a_few_times_only(scene: Scene) -> None:
    await scene.ask("email", **scene.sealed("notify_email_new", ADDRESS))
    code = await code_of(scene)
    for _ in range(5):
        with pytest.raises(RefusedError):
            await scene.ask("code", code="BBBBBBBB")
    with pytest.raises(RefusedError):
        await scene.ask("code", code=code)


async def test_letters_to_strangers_are_limited(scene: Scene) -> None:
    for _ in range(5):
        await scene.ask("email", **scene.sealed("notify_email_new", ADDRESS))
    with pytest.raises(TemporaryError, match="too many"):
        await scene.ask("email", **scene.sealed("notify_email_new", ADDRESS))


async def test_what_was_sealed_for_something_else_or_sent_twice_is_refused(scene: Scene) -> None:
    box = scene.sealed("notify_email_new", ADDRESS)
    await scene.ask("email", **box)
    with pytest.raises(RefusedError, match="twice"):
        await scene.ask("email", **box)
    with pytest.raises(RefusedError):
        await scene.ask("email", **scene.sealed("metaapi_token", ADDRESS))


async def test_a_browser_is_connected_tested_and_taken_away(scene: Scene) -> None:
    await scene.ask("push", **scene.sealed("notify_push", ADDRESS))
    assert await scene.state(TargetKind.PUSH) == "on"
    await scene.ask("test", kind="push")
    assert len(scene.post.messengers[TargetKind.PUSH].taken) == 1
    await scene.ask("off", kind="push")
    assert await scene.state(TargetKind.PUSH) == ""
    assert await scene.post.credentials.get(USER, "notify_push") is None
    with pytest.raises(RefusedError, match="not connected"):
        await scene.ask("test", kind="push")


async def test_a_test_that_does_not_arrive_says_why(scene: Scene) -> None:
    await scene.ask("push", **scene.sealed("notify_push", ADDRESS))
    messenger = scene.post.messengers[TargetKind.PUSH]
    messenger.outcomes += [RetryLater(reason="odd", is_theirs=False), TargetGone(reason="gone")]
    with pytest.raises(TemporaryError):
        await scene.ask("test", kind="push")
    with pytest.raises(RefusedError, match="connect it again"):
        await scene.ask("test", kind="push")
    assert await scene.state(TargetKind.PUSH) == "gone"


@pytest.mark.parametrize(
    "question",
    [
        {},
        {"user": "u_x"},
        {"user": USER},
        {"user": USER, "op": "test", "kind": "fax"},
        {"user": USER, "op": "email"},
        {"user": USER, "op": "email", "box": "x", "attempt": "y"},
    ],
    ids=["empty", "user", "op", "kind", "nothing", "attempt"],
)
async def test_questions_that_make_no_sense_are_refused(
    scene: Scene, question: dict[str, object]
) -> None:
    with pytest.raises(PortError):
        await scene.desk.answer(question)
