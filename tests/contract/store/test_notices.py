"""What a user is told is kept once, in order, for a while, and read or not."""

import asyncio
from datetime import UTC, timedelta

import pytest

from kit.store_rows import ME, NOW, World, a_notice, after
from signalfleet.domain.accounts.notices import Notice, NoticeKind, NoticeLevel
from signalfleet.domain.errors import DomainError
from signalfleet.ports.errors import RefusedError
from signalfleet.ports.notices import KEPT

TEN_MINUTES = 600.0


async def test_a_notice_is_kept_as_it_was_told(world: World) -> None:
    facts = {"first": 41, "names": ["Gold", None], "late": True}
    told = Notice(kind=NoticeKind.POSTS_MISSED, at=NOW, about="chat:-5", facts=facts)
    assert await world.mine.notices.add(told)
    (kept,) = await world.mine.notices.recent()
    assert (kept.number, kept.notice, kept.read_at) == (1, told, None)
    assert kept.notice.level is NoticeLevel.MONEY


async def test_the_same_about_the_same_is_told_once_in_ten_minutes(world: World) -> None:
    notices = world.mine.notices
    told = [await notices.add(a_notice(at=at)) for at in (0, 1, TEN_MINUTES - 1, TEN_MINUTES + 1)]
    assert told == [True, False, False, True]
    assert [one.number for one in await notices.recent()] == [2, 1]


async def test_another_kind_or_object_is_told_beside_it(world: World) -> None:
    notices = world.mine.notices
    assert await notices.add(a_notice())
    assert await notices.add(a_notice(about="chat:-7"))
    assert await notices.add(a_notice(NoticeKind.POSTS_MISSED))
    assert not await notices.add(a_notice(about="chat:-7"))


async def test_a_longer_silence_may_be_asked_for(world: World) -> None:
    notices = world.mine.notices
    day = timedelta(days=1)
    assert await notices.add(a_notice(), quiet=day)
    assert not await notices.add(a_notice(at=80_000), quiet=day)
    assert await notices.add(a_notice(at=90_000), quiet=day)


async def test_two_that_tell_the_same_at_once_add_one_row(world: World) -> None:
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(world.mine.notices.add(a_notice())) for _ in range(8)]
    assert sum(task.result() for task in tasks) == 1
    assert await world.mine.notices.unread() == 1


async def test_what_was_seen_is_read_and_what_came_meanwhile_is_not(world: World) -> None:
    notices = world.mine.notices
    for number in range(3):
        await notices.add(a_notice(about=f"chat:{number}"))
    await notices.mark_read(2, after(60))
    assert await notices.unread() == 1
    assert [one.read_at for one in await notices.recent()] == [None, after(60), after(60)]
    await notices.mark_read(3, after(90))
    assert [one.read_at for one in await notices.recent()] == [after(90), after(60), after(60)]


async def test_the_newest_are_listed_first_and_as_many_as_wanted(world: World) -> None:
    for number in range(4):
        await world.mine.notices.add(a_notice(about=f"chat:{number}"))
    assert [one.number for one in await world.mine.notices.recent(limit=2)] == [4, 3]


async def test_only_so_many_are_kept_and_numbers_are_not_given_again(world: World) -> None:
    for number in range(KEPT + 3):
        await world.mine.notices.add(a_notice(about=f"chat:{number}"))
    kept = await world.mine.notices.recent(limit=10 * KEPT)
    assert (len(kept), kept[0].number, kept[-1].number) == (KEPT, KEPT + 3, 4)
    assert await world.mine.notices.unread() == KEPT


async def test_facts_that_json_cannot_hold_are_refused(world: World) -> None:
    told = Notice(kind=NoticeKind.CHAT_LOST, at=NOW, facts={"when": NOW})
    with pytest.raises(DomainError):
        await world.mine.notices.add(told)
    with pytest.raises(DomainError):
        Notice(kind=NoticeKind.CHAT_LOST, at=NOW.replace(tzinfo=None))
    with pytest.raises(DomainError):
        Notice(kind=NoticeKind.CHAT_LOST, at=NOW.astimezone(UTC), about="x" * 81)


async def test_nobody_is_told_who_does_not_exist(world: World) -> None:
    nobody = type(ME)("u_nobody0000000000000")
    with pytest.raises(RefusedError):
        await world.store.user(nobody).notices.add(a_notice())
