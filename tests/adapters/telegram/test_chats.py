"""The marks of a chat: they never pass over something that was not seen."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signalfleet.adapters.telegram.chats import ChatBook, ChatState, Marks, Sync
from signalfleet.adapters.telegram.mapping import Change, ChangeKind
from signalfleet.domain.ids import ChannelId, MessageId
from signalfleet.ports.chat_source import WatchedChat

CHAT = ChannelId(-1_001)
NOW = datetime(2026, 3, 1, tzinfo=UTC)


def a_chat(kind: str = "channel", **marks: object) -> ChatState:
    fields = {"checkpoint": 10, "pts_seen": 20, **marks}
    watched = WatchedChat(chat=CHAT, kind=kind, access_hash=1, title="", **fields)  # type: ignore[arg-type]
    state = ChatState.of(watched)
    state.end_repair(state.begin_repair(), complete=True)
    return state


def a_post(number: int, pts: int, count: int = 1) -> Change:
    return Change(
        kind=ChangeKind.NEW, chat=CHAT, ids=(MessageId(number),), pts=pts, pts_count=count
    )


def test_the_next_event_moves_both_marks() -> None:
    assert a_chat().marks_after(a_post(11, 21)) == Marks(checkpoint=11, pts_seen=21)


def test_an_edit_moves_the_counter_only() -> None:
    edit = Change(kind=ChangeKind.EDIT, chat=CHAT, ids=(MessageId(11),), pts=21, pts_count=1)
    assert a_chat().marks_after(edit) == Marks(pts_seen=21)


@pytest.mark.parametrize("pts", [22, 0, 1_000])
def test_an_event_after_a_gap_moves_nothing(pts: int) -> None:
    assert a_chat().marks_after(a_post(12, pts)) is None


@pytest.mark.parametrize("pts", [20, 3])
def test_a_repeat_moves_nothing_and_is_no_gap(pts: int) -> None:
    assert a_chat().marks_after(a_post(10, pts)) == Marks()


@pytest.mark.parametrize("sync", [Sync.DIRTY, Sync.REPAIRING, Sync.LOST])
def test_only_a_synced_chat_moves(sync: Sync) -> None:
    state = a_chat()
    state.sync = sync
    assert state.marks_after(a_post(11, 21)) is None


def test_groups_have_no_counter_of_their_own() -> None:
    assert a_chat("group", pts_seen=None).marks_after(a_post(11, 900)) == Marks(checkpoint=11)
    assert a_chat("group", pts_seen=None).marks_after(a_post(11, 0)) is None


@given(st.lists(st.booleans(), min_size=1, max_size=30))
def test_with_any_events_lost_the_checkpoint_stops_before_the_first(arrives: list[bool]) -> None:
    state = a_chat()
    for step, is_there in enumerate(arrives, start=1):
        if not is_there:
            continue
        marks = state.marks_after(a_post(10 + step, 20 + step))
        if marks is None:
            state.doubt("gap")
        else:
            state.move(marks)
    unbroken = arrives.index(False) if False in arrives else len(arrives)
    assert (state.checkpoint, state.pts_seen) == (10 + unbroken, 20 + unbroken)
    assert (state.sync is Sync.SYNCED) == (True not in arrives[unbroken:])


@given(st.lists(st.booleans(), min_size=1, max_size=10))
def test_several_at_once_move_the_marks_as_one_after_the_other_would(arrives: list[bool]) -> None:
    together, alone = a_chat(), a_chat()
    changes = [a_post(10 + n, 20 + n) for n, there in enumerate(arrives) if there]
    found = together.marks_after(*changes)
    unbroken = 0
    for change in changes:
        marks = alone.marks_after(change)
        if marks is None:
            break
        alone.move(marks)
        unbroken += 1
    assert (found is None) == (unbroken < len(changes))
    if found is not None:
        together.move(found)
        assert (together.checkpoint, together.pts_seen) == (alone.checkpoint, alone.pts_seen)


def test_a_doubt_while_repairing_asks_for_another_round() -> None:
    state = a_chat()
    state.doubt("gap")
    generation = state.begin_repair()
    state.doubt("difference")
    assert not state.end_repair(generation, complete=True)
    assert not state.synced.is_set()
    assert state.end_repair(state.begin_repair(), complete=True)
    assert state.synced.is_set()


def test_three_failures_within_ten_minutes_open_the_breaker_for_an_hour() -> None:
    book = ChatBook()
    book.replace([WatchedChat(chat=CHAT, kind="channel", access_hash=1, title="")])
    [state] = book
    now = 0.0
    opened = []
    for _ in range(3):
        assert book.in_doubt(now) == [state]
        state.begin_repair()
        opened.append(state.note_failure(now))
        state.end_repair(state.generation, complete=False)
        assert book.in_doubt(now) == []
        now += 90
    assert opened == [False, False, True]
    assert state.sync is Sync.LOST
    assert book.in_doubt(now + 3_000) == []
    assert book.in_doubt(now + 3_600) == [state]
    state.doubt("membership")
    assert book.in_doubt(now) == [state]


def test_what_is_tracked_is_bounded_but_keeps_what_was_asked_for() -> None:
    state = a_chat(tracked=(MessageId(1), MessageId(2)))
    state.note_stored([MessageId(n) for n in range(11, 400)], NOW)
    assert len(state.tracked) == 200
    assert {1, 2, 399} <= set(state.tracked)
    state.note_stored([MessageId(400)], NOW + timedelta(hours=49))
    assert set(state.tracked) == {1, 2, 400}


def test_watching_again_keeps_what_is_known_and_forgets_the_others() -> None:
    book = ChatBook()
    one, two = (
        WatchedChat(chat=ChannelId(-n), kind="channel", access_hash=1, title="") for n in (1, 2)
    )
    book.replace([one, two])
    state = book.get(one.chat)
    assert state is not None
    state.move(Marks(checkpoint=50, pts_seen=60))
    book.replace([one])
    again = book.get(one.chat)
    assert again is state
    assert again.checkpoint == 50
    assert book.get(two.chat) is None


def test_chats_with_live_trades_are_repaired_first() -> None:
    book = ChatBook()
    plain = WatchedChat(chat=ChannelId(-1), kind="channel", access_hash=1, title="")
    traded = WatchedChat(
        chat=ChannelId(-2), kind="channel", access_hash=1, title="", tracked=(MessageId(5),)
    )
    book.replace([plain, traded])
    assert [state.chat for state in book.in_doubt(0)] == [-2, -1]
