"""Nothing in the reader relies on how the simulator happens to behave."""

import dataclasses

import pytest

from kit.telegram_city import eventually
from kit.telegram_reader import QUICK, Inbox, reading, session_for, settings_for, watched
from signalfleet.adapters.telegram.limits import Pace
from signalfleet.domain.ids import MessageId
from signalfleet_sim.telegram import SimChannel, SimUser, TelegramServer, World
from signalfleet_sim.telegram.habits import Habits

pytestmark = pytest.mark.loopback

OTHER = dataclasses.asdict(Habits.other())
EACH = [{name: value} for name, value in OTHER.items()]


@pytest.fixture
def world(world: World, request: pytest.FixtureRequest) -> World:
    world.habits = Habits(**request.param)
    return world


@pytest.mark.parametrize("world", [*EACH, OTHER], indirect=True, ids=[*OTHER, "all"])
async def test_every_lawful_habit_of_a_server_is_borne(
    world: World, ann: SimUser, gold: SimChannel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("telethon.crypto.rsa._server_keys", {})
    pace = dataclasses.replace(QUICK, sweep_every=QUICK.ping_every)
    async with TelegramServer(world, dcs=(5, 1)) as server:
        await _live_through_a_gap(server, world, pace, ann, gold)


async def _live_through_a_gap(
    server: TelegramServer, world: World, pace: Pace, ann: SimUser, gold: SimChannel
) -> None:
    settings = dataclasses.replace(settings_for(server), pace=pace)
    ann.dc = server.dc
    session = session_for(world, ann)
    inbox = Inbox()
    gold.post("before anybody watched")
    async with reading(settings, session, [watched(gold, ann, world)], inbox) as now:
        await now.until_live()
        ids = [gold.post(f"post {number}") for number in range(30)]
        await eventually(lambda: len(inbox.posted()) == 30)
        gold.edit(ids[0], "edited live")
        await eventually(lambda: inbox.edited() == ["edited live"])
        with world.faults.lost_updates(gold):
            gold.edit(ids[1], "edited in the gap")
            gold.delete(ids[2])
            for number in range(60):
                gold.post(f"missed {number}")
        world.faults.cut()
        await eventually(lambda: _is_right(inbox, gold))
        with world.faults.lost_updates(gold):
            gold.post("missed by the sweep's finding")
        await eventually(lambda: _is_right(inbox, gold))
    gold.post("while nobody was there")
    again = watched(
        gold,
        ann,
        world,
        checkpoint=inbox.checkpoints[gold.chat_id],
        pts_seen=inbox.pts.get(gold.chat_id),
        tracked=tuple(MessageId(number) for number in ids),
    )
    async with reading(settings, session, [again], inbox) as now:
        await now.until_live()
        await eventually(lambda: _is_right(inbox, gold))
    posted = [number for kind, number, _ in inbox.items() if kind == "posted"]
    assert len(posted) == len(set(posted))
    assert world.violations == []


def _is_right(inbox: Inbox, gold: SimChannel) -> bool:
    truth = {
        number: gold.require(number).text
        for number in gold.order
        if gold.require(number).service is None
    }
    return inbox.now(gold.chat_id) == {
        number: text for number, text in truth.items() if text != "before anybody watched"
    }
