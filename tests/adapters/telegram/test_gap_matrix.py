"""Whatever cut the stream, whatever happened meanwhile: it is stored once, in its right form.

Times are a three-hundredth of the product's: a sweep each 0.3 s instead of 90, a ping each 0.1 s
instead of 30. What the product has 130 s for, whatever happened, must be right after 0.45 s and
what a busy machine needs for the work itself.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TypeGuard

import pytest

from kit.telegram_reader import QUICK, Inbox, reading, session_for, settings_for, watched
from signalfleet.adapters.telegram.settings import TelegramSettings
from signalfleet.domain.ids import MessageId
from signalfleet.domain.signals.model import ChannelMessage
from signalfleet.ports.chat_source import ChatNoticeKind, Posted, WatchedChat
from signalfleet.ports.secrets import Secret
from signalfleet_sim.telegram import SimChannel, SimUser, TelegramServer, World

pytestmark = pytest.mark.loopback

SCALED = replace(
    QUICK,
    ping_every=timedelta(seconds=0.1),
    ping_limit_s=0.25,
    sweep_every=timedelta(seconds=0.3),
    sweep_settle=timedelta(seconds=0.02),
    follow_up_wait_s=0.3,
)
LIMIT_S = 0.45
WORK_S = 4.0
"""For 500 messages through a real connection, on two cores that other tests share."""
MANY = 600
READ_AT_MOST = 500


@dataclass(slots=True)
class Stage:
    """The city, one reader of it, and what the reader brought in all its lives."""

    world: World
    ann: SimUser
    gold: SimChannel
    settings: TelegramSettings
    session: Secret
    inbox: Inbox
    seen: int
    replied: int

    def chat(self) -> WatchedChat:
        """Return the chat as the store knows it, for a reader that starts."""
        chat = watched(self.gold, self.ann, self.world)
        if self.gold.chat_id not in self.inbox.checkpoints:
            return chat
        return replace(
            chat,
            checkpoint=self.inbox.checkpoints[self.gold.chat_id],
            pts_seen=self.inbox.pts.get(self.gold.chat_id),
            tracked=tuple(MessageId(number) for number in self.inbox.now(self.gold.chat_id)),
        )

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[None]:
        async with reading(self.settings, self.session, [self.chat()], self.inbox) as now:
            await now.until_live()
            yield

    def is_right(self) -> bool:
        """Compare with the simulator's own book; below the hole nothing is expected."""
        holes = [n.first for n in self.inbox.notices if n.kind is ChatNoticeKind.HOLE]
        lowest = max((int(first or 0) for first in holes), default=0)
        truth = {
            number: self.gold.require(number).text
            for number in self.gold.order
            if self.gold.require(number).service is None
        }
        known = self.inbox.now(self.gold.chat_id)
        seen = (self.seen, self.replied)
        wanted = {n: text for n, text in truth.items() if n >= lowest or n in seen}
        # Above the hole everything, below it what came live, and nothing that is not so.
        return wanted.items() <= known.items() <= truth.items()

    async def until_right(self) -> None:
        async with asyncio.timeout(LIMIT_S + WORK_S):
            while not self.is_right():  # noqa: ASYNC110 - what is waited for has no event
                await asyncio.sleep(0.01)


# What happens meanwhile


def a_post(stage: Stage) -> None:
    stage.gold.post("BUY GOLD")


def an_edit_of_a_seen_one(stage: Stage) -> None:
    stage.gold.edit(stage.seen, "seen, edited")


def an_edit_within_the_gap(stage: Stage) -> None:
    number = stage.gold.post("first form")
    stage.gold.edit(number, "last form")


def a_deletion(stage: Stage) -> None:
    stage.gold.delete(stage.seen)


def a_reply(stage: Stage) -> None:
    stage.gold.post("close it", reply_to=stage.replied)


def six_hundred_posts(stage: Stage) -> None:
    for number in range(MANY):
        stage.gold.post(f"missed {number}")


MEANWHILE = [
    a_post,
    an_edit_of_a_seen_one,
    an_edit_within_the_gap,
    a_deletion,
    a_reply,
    six_hundred_posts,
]
Happen = Callable[[Stage], None]


# What cuts the stream


async def a_reset(stage: Stage, happen: Happen) -> None:
    async with stage.reading():
        with stage.world.faults.lost_updates(stage.gold):
            stage.world.faults.cut(how="reset")
            happen(stage)
        await stage.until_right()


async def an_orderly_close(stage: Stage, happen: Happen) -> None:
    async with stage.reading():
        with stage.world.faults.lost_updates(stage.gold):
            stage.world.faults.cut(how="fin")
            happen(stage)
        await stage.until_right()


async def a_short_black_hole(stage: Stage, happen: Happen) -> None:
    async with stage.reading():
        stage.world.faults.blackhole(None, 0.2)
        happen(stage)
        await stage.until_right()


async def a_black_hole_for_ever(stage: Stage, happen: Happen) -> None:
    async with stage.reading():
        stage.world.faults.blackhole(None, 3600)
        happen(stage)
        await stage.until_right()


async def updates_that_come_late(stage: Stage, happen: Happen) -> None:
    async with stage.reading():
        stage.world.faults.hold(stage.gold)
        happen(stage)
        await asyncio.sleep(0.1)  # Long enough that a reader may look for them by itself.
        stage.world.faults.release(stage.gold)
        await stage.until_right()


async def updates_that_never_come(stage: Stage, happen: Happen) -> None:
    async with stage.reading():
        with stage.world.faults.lost_updates(stage.gold):
            happen(stage)
        await stage.until_right()


async def a_difference_that_is_too_long(stage: Stage, happen: Happen) -> None:
    async with stage.reading():
        stage.world.faults.too_long(stage.gold)
        with stage.world.faults.lost_updates(stage.gold):
            happen(stage)
        stage.gold.service()  # Makes the library see the gap and ask.
        await stage.until_right()


async def a_lost_server_session(stage: Stage, happen: Happen) -> None:
    async with stage.reading():
        for session in stage.world.sessions(stage.ann):
            stage.world.faults.server_session_lost(session)
        with stage.world.faults.lost_updates(stage.gold):
            happen(stage)
        await stage.until_right()


async def a_restart(stage: Stage, happen: Happen) -> None:
    async with stage.reading():
        pass
    happen(stage)
    async with stage.reading():
        await stage.until_right()


async def a_restart_after_eight_hours(stage: Stage, happen: Happen) -> None:
    async with stage.reading():
        pass
    happen(stage)
    stage.world.faults.clock(8 * 3600)
    async with stage.reading():
        await stage.until_right()


async def an_object_that_cannot_be_decoded(stage: Stage, happen: Happen) -> None:
    async with stage.reading():
        stage.world.faults.unknown_object()
        happen(stage)
        await stage.until_right()


CUTS = [
    a_reset,
    an_orderly_close,
    a_short_black_hole,
    a_black_hole_for_ever,
    updates_that_come_late,
    updates_that_never_come,
    a_difference_that_is_too_long,
    a_lost_server_session,
    a_restart,
    a_restart_after_eight_hours,
    an_object_that_cannot_be_decoded,
]


@pytest.fixture
async def stage(server: TelegramServer, world: World, ann: SimUser, gold: SimChannel) -> Stage:
    made = Stage(
        world=world,
        ann=ann,
        gold=gold,
        settings=settings_for(server, SCALED),
        session=session_for(world, ann),
        inbox=Inbox(),
        seen=0,
        replied=0,
    )
    async with made.reading():
        made.seen, made.replied = gold.post("seen"), gold.post("SELL GOLD")
        await made.until_right()
    return made


@pytest.mark.parametrize("happen", MEANWHILE, ids=lambda happen: happen.__name__)
@pytest.mark.parametrize("cut", CUTS, ids=lambda cut: cut.__name__)
async def test_it_is_delivered_once_and_in_its_right_form(
    stage: Stage, cut: Callable[[Stage, Happen], Awaitable[None]], happen: Happen
) -> None:
    await cut(stage, happen)
    posted = [item for batch in stage.inbox.batches for item in batch.items if _is_post(item)]
    assert len(posted) == len({item.message.message for item in posted})
    assert len(stage.inbox.deleted) == len(set(stage.inbox.deleted))
    for revisions in stage.inbox.messages.values():
        assert len(set(_texts(revisions))) == len(revisions)
    if happen is six_hundred_posts:
        assert len(stage.inbox.now(stage.gold.chat_id)) >= READ_AT_MOST
    else:
        assert stage.inbox.notices == []
    assert stage.world.violations == []


def _is_post(item: object) -> TypeGuard[Posted]:
    return isinstance(item, Posted)


def _texts(revisions: list[ChannelMessage]) -> list[str]:
    return [message.text for message in revisions]
