"""While the sink takes no new posts they wait by chat, and what is said of older ones comes."""

import pytest

from kit.telegram_city import eventually
from kit.telegram_reader import Reading, reading, watched
from signalfleet.adapters.telegram.limits import (
    FEW_POSTS,
    GAP_REPAIRS,
    PACED_AT_ONCE,
    QUEUE_OVERFLOWS,
    WAITING_MAX,
)
from signalfleet.adapters.telegram.settings import TelegramSettings
from signalfleet.ports.chat_source import LinkState
from signalfleet.ports.secrets import Secret
from signalfleet_sim.telegram import SimChannel, SimUser, World

pytestmark = pytest.mark.loopback

PAUSE_S = 0.05


@pytest.fixture
def noisy(world: World, ann: SimUser) -> SimChannel:
    channel = world.channel("Noise")
    channel.join(ann)
    return channel


def gaps(now: Reading) -> int:
    return sum(now.metrics.of(GAP_REPAIRS, one) for one in ("gap", "overflow", "difference"))


async def test_an_answer_in_another_chat_does_not_wait_for_posts_that_do(
    settings: TelegramSettings,
    session: Secret,
    world: World,
    ann: SimUser,
    gold: SimChannel,
    noisy: SimChannel,
) -> None:
    chats = [watched(gold, ann, world), watched(noisy, ann, world)]
    async with reading(settings, session, chats) as now:
        await now.until_live()
        signal = gold.post("BUY")
        await eventually(lambda: now.inbox.posted() == ["BUY"])
        now.inbox.pause = PAUSE_S
        noisy.post("hello")
        gold.post("Close now", reply_to=signal)
        await eventually(lambda: now.inbox.posted() == ["BUY", "Close now"])
        now.inbox.pause = 0.0
        await eventually(lambda: now.inbox.posted() == ["BUY", "Close now", "hello"])
        assert gaps(now) == 0


async def test_a_chat_whose_posts_wait_keeps_its_order(
    settings: TelegramSettings, session: Secret, world: World, ann: SimUser, gold: SimChannel
) -> None:
    async with reading(settings, session, [watched(gold, ann, world)]) as now:
        await now.until_live()
        now.inbox.pause = PAUSE_S
        signal = gold.post("BUY")
        gold.edit(signal, "BUY GOLD")
        gold.post("Close now", reply_to=signal)
        gold.delete(signal)
        await eventually(lambda: len(paced(now, gold)) == 4)
        now.inbox.pause = 0.0
        await eventually(lambda: now.inbox.deleted == [(gold.chat_id, signal)])
        assert [kind for kind, *_ in now.inbox.items()] == ["posted", "edited", "posted", "deleted"]
        assert gaps(now) == 0
        gold.post("after")
        await eventually(lambda: now.inbox.posted()[-1] == "after")


async def test_posts_that_waited_are_stored_together_up_to_the_first_that_is_none(
    settings: TelegramSettings, session: Secret, world: World, ann: SimUser, gold: SimChannel
) -> None:
    async with reading(settings, session, [watched(gold, ann, world)]) as now:
        await now.until_live()
        now.inbox.pause = PAUSE_S
        texts = [f"hello {number}" for number in range(PACED_AT_ONCE + 2)]
        signal = [gold.post(text) for text in texts][-1]
        gold.edit(signal, "BUY GOLD")
        gold.post("after")
        await eventually(lambda: len(paced(now, gold)) == len(texts) + 2)
        now.inbox.pause = 0.0
        await eventually(lambda: now.inbox.posted() == [*texts, "after"])
        batches = [batch for batch in now.inbox.batches if batch.items]
        assert [len(batch.items) for batch in batches] == [PACED_AT_ONCE, 2, 1, 1]
        assert [batch.checkpoint for batch in batches] == [signal - 2, signal, None, signal + 1]
        assert now.inbox.edited() == ["BUY GOLD"]
        assert gaps(now) == 0


async def test_posts_that_waited_round_a_gap_are_stored_and_what_was_missed_is_read(
    settings: TelegramSettings, session: Secret, world: World, ann: SimUser, gold: SimChannel
) -> None:
    async with reading(settings, session, [watched(gold, ann, world)]) as now:
        await now.until_live()
        now.inbox.pause = PAUSE_S
        gold.post("one")
        gold.post("two")
        await eventually(lambda: len(paced(now, gold)) == 2)
        state = next(one for one in now.source._book if one.chat == gold.chat_id)
        del state.paced[0]
        last = gold.post("three")
        await eventually(lambda: len(paced(now, gold)) == 2)
        now.inbox.pause = 0.0
        await eventually(lambda: sorted(now.inbox.posted()) == ["one", "three", "two"])
        await now.until_live()
        assert now.inbox.checkpoints[gold.chat_id] == last


async def test_more_than_may_wait_is_read_when_the_pause_is_over(
    settings: TelegramSettings, session: Secret, world: World, ann: SimUser, gold: SimChannel
) -> None:
    async with reading(settings, session, [watched(gold, ann, world)]) as now:
        await now.until_live()
        now.inbox.pause = PAUSE_S
        texts = [f"hello {number}" for number in range(WAITING_MAX + 5)]
        for text in texts:
            gold.post(text)
        await eventually(lambda: now.metrics.of(QUEUE_OVERFLOWS) >= 5)
        assert now.inbox.posted() == []
        now.inbox.pause = 0.0
        await eventually(lambda: sorted(now.inbox.posted()) == sorted(texts))


async def test_a_long_gap_waits_for_the_sink_and_a_short_one_of_another_chat_does_not(
    settings: TelegramSettings,
    session: Secret,
    world: World,
    ann: SimUser,
    gold: SimChannel,
    noisy: SimChannel,
) -> None:
    chats = [watched(gold, ann, world), watched(noisy, ann, world)]
    async with reading(settings, session, chats) as now:
        await now.until_live()
        signal = gold.post("BUY")
        await eventually(lambda: now.inbox.posted() == ["BUY"])
        now.inbox.pause = PAUSE_S
        with world.faults.lost_updates(gold), world.faults.lost_updates(noisy):
            missed = [f"hello {number}" for number in range(FEW_POSTS + 1)]
            for text in missed:
                noisy.post(text)
            gold.post("Close now", reply_to=signal)
        world.faults.cut()
        await eventually(lambda: now.inbox.posted() == ["BUY", "Close now"])
        assert now.source.health().state is not LinkState.LIVE, "a chat is behind"
        now.inbox.pause = 0.0
        await now.until_live()
        assert now.inbox.posted() == ["BUY", "Close now", *missed]


async def test_what_waits_when_the_reader_ends_holds_nothing_back_afterwards(
    settings: TelegramSettings, session: Secret, world: World, ann: SimUser, gold: SimChannel
) -> None:
    async with reading(settings, session, [watched(gold, ann, world)]) as now:
        await now.until_live()
        now.inbox.pause = PAUSE_S
        gold.post("BUY")
        await eventually(lambda: len(paced(now, gold)) == 1)
    assert paced(now, gold) == []


def paced(now: Reading, chat: SimChannel) -> list[object]:
    state = next(one for one in now.source._book if one.chat == chat.chat_id)
    return [*state.paced]
