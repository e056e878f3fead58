"""What a bot's reader hands over, in which order, and what it holds back."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from kit.builders import CHAT, USER
from kit.chat_script import a_message
from kit.clock import LoopClock
from signalfleet.adapters.memory import MemoryStore
from signalfleet.app.claim_slots import claim_slots
from signalfleet.bots.budgets import BotBudget
from signalfleet.bots.inbox_reader import MOST, PAGE, InboxReader, Turn
from signalfleet.domain.accounts.budgets import BotLimits
from signalfleet.domain.ids import ChannelId, slot
from signalfleet.ports.chat_source import ChatBatch, Origin, Posted
from signalfleet.ports.inbox import StoredMessage
from signalfleet.ports.store import UserProfile, UserStore

OTHER = ChannelId(-1009)


@dataclass(slots=True)
class Desk:
    """Decides as it is told, and notes on what and in which order."""

    mine: UserStore
    epoch: int
    reader: InboxReader = field(init=False)
    turns: dict[int, Turn] = field(default_factory=dict)
    asked: list[int] = field(default_factory=list)
    stop_after: int | None = None

    def __post_init__(self) -> None:
        budget = BotBudget(USER, BotLimits(), LoopClock())
        self.reader = InboxReader(self.mine.inbox, budget, self._decide, self._is_stopping)

    async def post(
        self, *numbers: int, reply_to: int | None = None, chat: ChannelId = CHAT
    ) -> None:
        at = LoopClock().now()
        found = [a_message(chat, number, "hello", at, reply_to=reply_to) for number in numbers]
        items = tuple(Posted(message=one) for one in found)
        batch = ChatBatch(chat=chat, origin=Origin.LIVE, items=items)
        await self.mine.inbox.add(batch, at, self.epoch)

    async def read(self) -> Sequence[int]:
        self.asked.clear()
        await self.reader.read()
        return self.asked

    async def _decide(self, stored: StoredMessage) -> Turn:
        number = int(stored.message.message)
        self.asked.append(number)
        turn = self.turns.get(number, Turn.OVER)
        if turn is Turn.OVER:
            await self.mine.inbox.quarantine(stored.key, "decided", self.epoch)
        return turn

    def _is_stopping(self) -> bool:
        return self.stop_after is not None and len(self.asked) >= self.stop_after


@pytest.fixture
async def desk() -> Desk:
    store = MemoryStore(cell="c1")
    await store.fleet.add_user(
        UserProfile(
            user_id=USER,
            telegram_id=1,
            display_name="Ann",
            tier="FREE",
            timezone="UTC",
            slot=slot(USER),
        )
    )
    return Desk(store.user(USER), await claim_slots(store.fleet, "c1", [slot(USER)], "w1"))


async def test_a_backlog_is_worked_off_at_once(desk: Desk) -> None:
    await desk.post(*range(1, 3 * PAGE))
    assert await desk.read() == [*range(1, 3 * PAGE)]
    assert not desk.reader.has_waiting


async def test_what_waits_holds_back_its_chat_and_no_other(desk: Desk) -> None:
    desk.turns[10] = Turn.HOLDS_CHAT
    await desk.post(10, 11)
    await desk.post(5, chat=OTHER)
    assert await desk.read() == [10, 5]
    assert desk.reader.has_waiting
    desk.turns.clear()
    assert await desk.read() == [10, 11]
    assert not desk.reader.has_waiting


async def test_what_only_waits_itself_holds_back_nothing(desk: Desk) -> None:
    desk.turns[10] = Turn.WAITS
    await desk.post(10, 11)
    assert await desk.read() == [10, 11]
    assert not desk.reader.has_waiting


async def test_an_answer_passes_what_waits_if_it_is_about_something_older(desk: Desk) -> None:
    desk.turns[10] = Turn.HOLDS_CHAT
    await desk.post(10)
    await desk.post(11, reply_to=10)
    await desk.post(12, reply_to=9)
    assert await desk.read() == [10, 12]


async def test_an_answer_does_not_pass_the_entry_it_is_about_though_that_came_late(
    desk: Desk,
) -> None:
    desk.turns[10] = Turn.HOLDS_CHAT
    await desk.post(10)
    await desk.post(9)
    await desk.post(12, reply_to=9)
    assert await desk.read() == [10]


@pytest.mark.parametrize("turn", [Turn.WAITS, Turn.HOLDS_CHAT])
async def test_an_entry_behind_much_that_waits_is_found(desk: Desk, turn: Turn) -> None:
    waiting = range(1, PAGE + 51)
    desk.turns |= dict.fromkeys(waiting, turn)
    await desk.post(*waiting)
    await desk.post(900, chat=OTHER)
    assert (await desk.read())[-1] == 900


async def test_an_answer_is_found_behind_however_much(desk: Desk) -> None:
    waiting = range(1, MOST + 51)
    desk.turns |= dict.fromkeys(waiting, Turn.HOLDS_CHAT)
    await desk.post(*waiting)
    await desk.post(2000, chat=OTHER)
    await desk.post(2001, reply_to=7, chat=OTHER)
    assert await desk.read() == [1, 2001]


async def test_nothing_more_is_begun_once_the_bot_is_to_end(desk: Desk) -> None:
    await desk.post(*range(1, 2 * PAGE))
    desk.stop_after = 3
    assert await desk.read() == [1, 2, 3]
