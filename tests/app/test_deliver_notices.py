"""Stored notices reach the user's places: at least once, seldom twice, and never past a wish."""

import asyncio
from datetime import timedelta

import pytest

from kit.builders import USER
from kit.clock import settle_down, until
from kit.notice_post import NoticePost
from signalfleet.app.deliver_notices import TAKEN, DeliverNotices
from signalfleet.app.notice_targets import (
    keep_choices,
    linked_targets,
    mark_scope,
    switch_off_letters,
    unsubscribe_word,
)
from signalfleet.domain.accounts.delivery import TargetKind, mark_from
from signalfleet.domain.accounts.notices import NoticeKind, NoticeLevel
from signalfleet.ports.errors import StoreUnavailableError
from signalfleet.ports.messenger import Delivered, DeliveryOutcome, Message, RetryLater, TargetGone
from signalfleet.ports.secrets import Secret

TELEGRAM, MAIL = TargetKind.TELEGRAM, TargetKind.EMAIL
OPENED, MOVED = NoticeKind.TRADE_OPENED, NoticeKind.STOP_MOVED


async def all_of(deliver: DeliverNotices, rounds: int = 20) -> timedelta | None:
    """Deliver until nothing is due at once."""
    for _ in range(rounds):
        again = await deliver.run(USER)
        if again is None or again > timedelta(0):
            return again
    raise AssertionError("it never came to rest")


async def test_what_was_told_before_a_place_was_connected_stays_on_the_page() -> None:
    post = NoticePost()
    await post.begin()
    await post.tell(OPENED, "trade:1", text="the old one")
    await post.begin(TELEGRAM)
    await post.tell(OPENED, "trade:2", text="the new one")
    await all_of(post.deliver())
    assert [line for line in post.telegram.lines if "old" in line] == []
    assert len(post.telegram.taken) == 1


async def test_legs_of_one_signal_are_one_message_and_many_notices_a_few() -> None:
    post = NoticePost()
    await post.begin(TELEGRAM)
    for number in range(25):
        await post.tell(OPENED, f"trade:{number}", text=f"leg {number}")
    await all_of(post.deliver())
    assert [len(message.lines) for message in post.telegram.taken] == [10, 10, 5]
    assert len(set(post.telegram.lines)) == 25


async def test_a_place_that_is_busy_gets_the_same_message_when_it_said_so() -> None:
    post = NoticePost()
    await post.begin(TELEGRAM)
    await post.tell(OPENED, "trade:1", text="it")
    post.telegram.outcomes.append(RetryLater(reason="too_many", after=timedelta(seconds=40)))
    deliver = post.deliver()
    again = await all_of(deliver)
    assert again is not None
    assert again >= timedelta(seconds=39)
    assert await deliver.run(USER) is not None
    assert len(post.telegram.asked) == 1, "it is left in peace for so long"
    await post.clock.sleep(again)
    await all_of(deliver)
    assert [message.key for message in post.telegram.asked] == ["1-1", "1-1"]


class _DiesMidway:
    """Takes the message, and the process is gone before it hears of it."""

    def __init__(self, post: NoticePost) -> None:
        self.post = post

    async def once(self) -> None:
        telegram = self.post.telegram
        taking = telegram.deliver
        began = asyncio.Event()

        async def deliver(target: Secret, message: Message) -> DeliveryOutcome:
            await taking(target, message)
            began.set()
            await asyncio.Event().wait()
            return Delivered()

        telegram.deliver = deliver  # type: ignore[method-assign]
        task = asyncio.create_task(self.post.deliver().run(USER))
        await began.wait()
        task.cancel()
        await asyncio.wait([task])
        await self.post.clock.sleep(TAKEN)
        telegram.deliver = taking  # type: ignore[method-assign]


async def test_after_a_crash_a_notice_comes_a_second_time_and_never_a_third() -> None:
    post = NoticePost()
    await post.begin(TELEGRAM)
    await post.tell(OPENED, "trade:1", text="it")
    await _DiesMidway(post).once()
    await _DiesMidway(post).once()
    await post.tell(OPENED, "trade:2", text="the next")
    await all_of(post.deliver())
    assert [message.key for message in post.telegram.taken] == ["1-1", "1-1", "2-2"]
    assert post.metrics.labels_of("signalfleet_notices_given_up_total") == [{"kind": "telegram"}]


async def test_two_processes_that_both_believe_to_own_a_user_send_once() -> None:
    post = NoticePost()
    await post.begin(TELEGRAM)
    await post.tell(OPENED, "trade:1", text="it")
    taking = post.telegram.deliver

    async def deliver_slowly(target: Secret, message: Message) -> DeliveryOutcome:
        await asyncio.sleep(1)
        return await taking(target, message)

    post.telegram.deliver = deliver_slowly  # type: ignore[method-assign]
    async with asyncio.TaskGroup() as tasks:
        for deliver in (post.deliver(), post.deliver()):
            tasks.create_task(deliver.run(USER))
    assert len(post.telegram.taken) == 1


async def test_a_store_that_is_lost_after_the_message_left_makes_no_second_one() -> None:
    post = NoticePost()
    await post.begin(TELEGRAM)
    await post.tell(OPENED, "trade:1", text="it")
    taking = post.telegram.deliver

    async def deliver_and_lose(target: Secret, message: Message) -> DeliveryOutcome:
        post.store.is_down = True
        return await taking(target, message)

    post.telegram.deliver = deliver_and_lose  # type: ignore[method-assign]
    deliver = post.deliver()
    assert await deliver.run(USER) is not None
    with pytest.raises(StoreUnavailableError):
        await deliver.run(USER)
    post.store.is_down = False
    await post.clock.sleep(timedelta(seconds=10))
    assert await all_of(deliver) is None
    assert len(post.telegram.taken) == 1


async def test_a_place_that_is_gone_is_forgotten_and_told_on_the_page_and_elsewhere() -> None:
    post = NoticePost()
    await post.begin(TELEGRAM, MAIL)
    await post.tell(OPENED, "trade:1", text="it")
    post.telegram.outcomes.append(TargetGone(reason="blocked"))
    deliver = post.deliver()
    await all_of(deliver)
    await all_of(deliver)
    linked = await linked_targets(post.store.user(USER))
    assert linked[TELEGRAM].state == "blocked"
    assert await post.credentials.get(USER, "notify_telegram") is None
    assert len(post.telegram.asked) == 1
    assert any("Telegram chat" in line for line in post.messengers[MAIL].lines)


async def test_a_messenger_that_is_away_is_a_metric_a_notice_and_no_flood() -> None:
    post = NoticePost()
    await post.begin(TELEGRAM)
    await post.tell(OPENED, "trade:1", text="it")
    post.telegram.outcomes += [RetryLater(reason="status_500")] * 60
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(post.courier().run())
        await settle_down(1800)
        assert post.metrics.gauges["signalfleet_messenger_away"] == 1
        told = [one.notice.kind for one in await post.store.user(USER).notices.recent()]
        assert told.count(NoticeKind.MESSENGER_AWAY) == 1
        assert len(post.telegram.asked) < 20
        post.telegram.outcomes.clear()
        await settle_down(1800)
        running.cancel()
    assert post.metrics.gauges["signalfleet_messenger_away"] == 0
    assert len([line for line in post.telegram.lines if "it" in line]) == 1


async def test_quiet_hours_of_the_users_zone_hold_information_until_they_end() -> None:
    post = NoticePost(timezone="Pacific/Auckland")  # 10:00 UTC is 23:00 there.
    await post.begin(TELEGRAM)
    quiet = {"quiet_from": "22:00", "quiet_until": "23:30", "summary_at": ""}
    await keep_choices(post.store.user(USER), quiet)
    await post.tell(MOVED, "trade:1", text="calm")
    await post.tell(OPENED, "trade:2", text="urgent")
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(post.courier().run())
        await settle_down(300)
        assert ["urgent" in line for line in post.telegram.lines] == [True]
        await settle_down(1800)
        running.cancel()
    assert ["calm" in line for line in post.telegram.lines] == [False, True]


async def test_only_wished_levels_go_to_a_place() -> None:
    post = NoticePost()
    await post.begin(TELEGRAM, MAIL)
    await keep_choices(post.store.user(USER), {"levels": {"email": ["money"], "telegram": []}})
    await post.tell(MOVED, "trade:1", text="calm")
    await post.tell(OPENED, "trade:2", text="urgent")
    await all_of(post.deliver())
    assert post.telegram.asked == []
    assert ["urgent" in line for line in post.messengers[MAIL].lines] == [True]


async def test_a_letter_carries_the_word_that_ends_letters_and_it_works_once_for_all() -> None:
    post = NoticePost()
    await post.begin(MAIL)
    await post.tell(OPENED, "trade:1", text="it")
    deliver = post.deliver()
    await all_of(deliver)
    mine = post.store.user(USER)
    word = await unsubscribe_word(mine)
    (letter,) = post.messengers[MAIL].taken
    assert letter.unsubscribe.endswith(f"/{USER}/{word}")
    assert not await switch_off_letters(mine, "wrong")
    assert await switch_off_letters(mine, word)
    await post.tell(OPENED, "trade:2", text="it")
    await all_of(deliver)
    assert len(post.messengers[MAIL].taken) == 1
    assert await post.credentials.get(USER, "notify_email") is None


async def test_all_users_together_keep_the_pace_of_a_messenger() -> None:
    post = NoticePost(per_second=2.0)
    line = post.lines()[TELEGRAM]
    message = Message(key="1", level=NoticeLevel.MONEY, title="t", lines=("l",))
    begun = post.clock.monotonic()
    async with asyncio.TaskGroup() as tasks:
        for _ in range(10):
            tasks.create_task(line.deliver(Secret("1"), message))
    assert post.clock.monotonic() - begun >= 4.5


async def test_a_messenger_in_trouble_is_left_in_peace_by_everybody() -> None:
    post = NoticePost()
    line = post.lines()[TELEGRAM]
    post.telegram.outcomes += [RetryLater(reason="status_500")] * 1000
    message = Message(key="1", level=NoticeLevel.MONEY, title="t", lines=("l",))
    for _ in range(60):
        async with asyncio.TaskGroup() as tasks:
            for _ in range(5):
                tasks.create_task(line.deliver(Secret("1"), message))
        await asyncio.sleep(1)
    assert len(post.telegram.asked) < 20
    post.telegram.outcomes.clear()
    await asyncio.sleep(60)
    assert await line.deliver(Secret("1"), message) == Delivered()
    assert not line.is_away


async def test_a_notice_leaves_within_seconds_of_being_told() -> None:
    post = NoticePost()
    await post.begin(TELEGRAM)
    courier = post.courier()
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(courier.run())
        await settle_down(5)
        await post.tell(OPENED, "trade:1", text="it")
        courier.wake(USER)
        await until(lambda: bool(post.telegram.taken), limit=3)
        running.cancel()
    doc, _ = await post.store.user(USER).settings.get(mark_scope(TELEGRAM))
    assert mark_from(doc).done == 1


async def test_the_day_is_summed_up_once_at_the_chosen_hour() -> None:
    post = NoticePost()
    await post.begin(TELEGRAM)
    mine = post.store.user(USER)
    await mine.bot.set_wish(on=True, by="user")
    await keep_choices(mine, {"summary_at": "10:30", "quiet_from": "10:00", "quiet_until": "12:00"})
    async with asyncio.TaskGroup() as tasks:
        couriers = [tasks.create_task(post.courier().run()) for _ in range(2)]
        await settle_down(25 * 60)
        assert post.telegram.lines == []
        await settle_down(2 * 3600)
        for courier in couriers:
            courier.cancel()
    (line,) = post.telegram.lines
    assert "0 signals, 0 copied, 0 trades opened, 0 closed; 0 open now" in line
