"""Each notice goes to a place once, held ones later, and nothing is lost between two marks."""

from datetime import UTC, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signalfleet.domain.accounts.delivery import (
    MAX_UNSURE,
    TOGETHER,
    TOO_OLD,
    Choices,
    Mark,
    Numbered,
    QuietHours,
    TargetKind,
    choices_document,
    choices_from,
    mark_document,
    mark_from,
    next_batch,
    read_time,
)
from signalfleet.domain.accounts.notices import Notice, NoticeKind, NoticeLevel
from signalfleet.domain.errors import DomainError

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
NIGHT = QuietHours(begin=time(22), end=time(7))
MAIL = TargetKind.EMAIL
kinds = st.sampled_from(sorted(NoticeKind))


def row(number: int, kind: NoticeKind = NoticeKind.TRADE_OPENED, at: datetime = NOON) -> Numbered:
    return Numbered(number=number, notice=Notice(kind=kind, at=at, about=f"trade:{number}"))


def rows_of(*of: NoticeKind) -> list[Numbered]:
    return [row(number, kind) for number, kind in enumerate(of, start=1)]


@given(st.lists(kinds, max_size=40), st.sets(st.sampled_from(sorted(NoticeLevel))), st.booleans())
def test_every_wished_notice_goes_out_once_and_in_order(
    of: list[NoticeKind], levels: set[NoticeLevel], is_quiet_first: bool
) -> None:
    rows = rows_of(*of)
    choices = Choices(levels={MAIL: frozenset(levels)}, quiet=NIGHT)
    mark, sent = Mark(), list[int]()
    hours = [NOON.replace(hour=23)] if is_quiet_first else []
    for local in [*hours, NOON]:
        while True:
            batch = next_batch(mark, rows, choices, MAIL, NOON, local)
            assert len(batch.rows) <= TOGETHER
            mark = batch.arrived
            if not batch.rows:
                break
            sent += [one.number for one in batch.rows]
    wished = [one.number for one in rows if one.notice.level in levels]
    assert sorted(sent) == wished
    assert len(set(sent)) == len(sent)
    assert mark == Mark(done=len(rows))


@given(st.lists(kinds, max_size=20), st.integers(0, 23))
def test_quiet_hours_hold_back_information_alone(of: list[NoticeKind], hour: int) -> None:
    local = NOON.replace(hour=hour)
    batch = next_batch(Mark(), rows_of(*of), Choices(quiet=NIGHT), MAIL, NOON, local)
    held = [rows_of(*of)[number - 1].notice for number in batch.mark.held]
    assert all(one.level is NoticeLevel.INFO for one in held)
    if not (hour >= 22 or hour < 7):
        assert held == []


def test_what_may_have_arrived_goes_out_a_second_time_and_never_a_third() -> None:
    rows = rows_of(NoticeKind.TRADE_OPENED, NoticeKind.TRADE_CLOSED)
    mark, crashes = Mark(), 0
    while True:
        batch = next_batch(mark, rows, Choices(), MAIL, NOON, NOON)
        if not batch.rows:
            break
        mark = batch.sending  # The process dies here, with the message on its way.
        crashes += 1
    assert crashes == MAX_UNSURE
    assert batch.given_up == 2


def test_a_message_that_was_refused_is_tried_again_as_the_same_one() -> None:
    rows = rows_of(NoticeKind.TRADE_OPENED)
    first = next_batch(Mark(), rows, Choices(), MAIL, NOON, NOON)
    rows.append(row(2))
    again = next_batch(first.mark, rows, Choices(), MAIL, NOON, NOON)
    assert again.rows == first.rows


def test_what_is_a_day_old_is_left_to_the_page() -> None:
    late = NOON + TOO_OLD + timedelta(seconds=1)
    rows = [row(1), row(2, at=late)]
    batch = next_batch(Mark(under_way=(1,), done=1), rows, Choices(), MAIL, late, late)
    assert ([one.number for one in batch.rows], batch.given_up) == ([2], 1)


def test_the_trouble_of_a_place_is_told_at_the_others() -> None:
    notice = Notice(kind=NoticeKind.TARGET_GONE, at=NOON, about="target:email")
    assert not Choices().wants(MAIL, notice)
    assert Choices().wants(TargetKind.TELEGRAM, notice)


@given(
    st.dictionaries(
        st.sampled_from(sorted(TargetKind)),
        st.frozensets(st.sampled_from(sorted(NoticeLevel))),
    ),
    st.none() | st.tuples(st.integers(0, 11), st.integers(12, 23)),
    st.none() | st.integers(0, 23),
)
def test_choices_are_read_as_they_were_written(
    levels: dict[TargetKind, frozenset[NoticeLevel]],
    quiet: tuple[int, int] | None,
    summary: int | None,
) -> None:
    choices = Choices(
        levels=levels,
        quiet=None if quiet is None else QuietHours(begin=time(quiet[0]), end=time(quiet[1])),
        summary_at=None if summary is None else time(summary),
    )
    assert choices_from(choices_document(choices)) == choices


@given(st.integers(0), st.lists(st.integers(1)), st.lists(st.integers(1)), st.integers(0, 3))
def test_marks_are_read_as_they_were_written(
    done: int, held: list[int], under_way: list[int], unsure: int
) -> None:
    mark = Mark(done=done, held=tuple(held), under_way=tuple(under_way), unsure=unsure)
    assert mark_from(mark_document(mark)) == mark


@pytest.mark.parametrize(
    "text", ["", "24:00", "7", "7:60", "٠7:30", "07:30:00", "-1:00", "1_0:00"], ids=str
)
def test_what_is_no_time_of_day_is_refused(text: str) -> None:
    with pytest.raises(DomainError):
        read_time(text)
