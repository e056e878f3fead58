"""Whatever chance makes of the stream, the inbox ends as the simulator's own book says.

GAP_SEEDS=60 for a longer hunt by hand; 1000 before a release.
"""

import asyncio
import os
from dataclasses import replace
from datetime import timedelta
from random import Random

import pytest

from kit.telegram_city import eventually
from kit.telegram_reader import QUICK, Inbox, reading, session_for, settings_for, watched
from signalfleet.domain.ids import MessageId
from signalfleet_sim.telegram import SimChannel, SimUser, TelegramServer, World

pytestmark = pytest.mark.loopback

SWEEPING = replace(QUICK, sweep_every=timedelta(seconds=0.15))


@pytest.mark.parametrize("seed", range(int(os.environ.get("GAP_SEEDS", "20"))))
async def test_the_inbox_is_right_in_the_end_whatever_went_wrong(
    server: TelegramServer, world: World, ann: SimUser, seed: int
) -> None:
    rng = Random(seed)
    chats = [world.channel(f"Channel {number}") for number in range(4)]
    for chat in chats:
        chat.join(ann)
        chat.post("start")
        chat.difference_limit = 30
    session = session_for(world, ann)
    inbox = Inbox()
    world.faults.drop_updates(share=0.1)
    listed = [watched(chat, ann, world) for chat in chats]
    for _ in range(3):
        async with reading(settings_for(server, SWEEPING), session, listed, inbox) as now:
            await now.until_live()
            for _ in range(40):
                _happen(rng, rng.choice(chats))
                if rng.random() < 0.05:
                    world.faults.cut()
                if rng.random() < 0.3:
                    await asyncio.sleep(0.01)
            world.faults.drop_updates(share=0)
            await eventually(lambda: _is_right(inbox, chats))
            world.faults.drop_updates(share=0.1)
        for _ in range(10):
            _happen(rng, rng.choice(chats))
        listed = [
            replace(
                watched(chat, ann, world),
                checkpoint=inbox.checkpoints[chat.chat_id],
                pts_seen=inbox.pts.get(chat.chat_id),
                tracked=tuple(MessageId(number) for number in inbox.now(chat.chat_id)),
            )
            for chat in chats
        ]
    assert _is_once(inbox)


def _happen(rng: Random, chat: SimChannel) -> None:
    own = [number for number in chat.order if chat.require(number).service is None][-20:]
    what = rng.random()
    if what < 0.6 or len(own) < 3:
        chat.post(f"post {rng.random()}")
    elif what < 0.85:
        chat.edit(rng.choice(own[1:]), f"edit {rng.random()}")
    else:
        chat.delete(rng.choice(own[1:]))


def _is_right(inbox: Inbox, chats: list[SimChannel]) -> bool:
    for chat in chats:
        truth = {
            number: chat.require(number).text
            for number in chat.order
            if chat.require(number).service is None
        }
        known = inbox.now(chat.chat_id)
        if {number: text for number, text in truth.items() if text != "start"} != known:
            return False
    return True


def _is_once(inbox: Inbox) -> bool:
    posted = [
        (batch.chat, item.message.message)  # type: ignore[union-attr]
        for batch in inbox.batches
        for item in batch.items
        if type(item).__name__ == "Posted"
    ]
    return len(posted) == len(set(posted))
