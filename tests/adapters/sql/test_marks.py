"""Marks of all users, made of the rows of one look after the other."""

from typing import Any

from signalfleet.adapters.sql.marks import KeptMarks
from signalfleet.domain.ids import new_user_id

ANN, BEN = new_user_id(b"\1" * 16), new_user_id(b"\2" * 16)
SAID = {
    "tier": "FREE",
    "timezone": "UTC",
    "wish_rev": 1,
    "halted": 0,
    "accounts": 1,
    "account": "a_1",
    "channels": 2,
    "chats": 2,
    "settings": 3,
    "unread": 0,
}


class OneRow(dict[str, Any]):
    """A row as the drivers give it: by name, and its values in order."""

    def __iter__(self) -> Any:
        return iter(self.values())


def row(user: str, **changed: object) -> OneRow:
    return OneRow({"user_id": user} | SAID | changed)


def test_what_is_as_before_is_the_same_mark_again() -> None:
    kept = KeptMarks()
    first = kept.of([row(ANN), row(BEN)])
    second = kept.of([row(ANN), row(BEN, settings=4)])
    assert second[ANN] is first[ANN]
    assert second[BEN].rev != first[BEN].rev


def test_each_column_that_a_bot_goes_by_makes_another_mark() -> None:
    kept = KeptMarks()
    before = kept.of([row(ANN)])[ANN]
    for name in SAID.keys() - {"unread"}:
        assert kept.of([row(ANN, **{name: "changed"})])[ANN].rev != before.rev, name


def test_something_unread_is_told_and_is_no_change_of_what_a_bot_goes_by() -> None:
    kept = KeptMarks()
    before = kept.of([row(ANN)])[ANN]
    after = kept.of([row(ANN, unread=1)])[ANN]
    assert (before.has_unread, after.has_unread) == (False, True)
    assert after.rev == before.rev


def test_who_is_not_in_the_rows_has_no_mark() -> None:
    kept = KeptMarks()
    kept.of([row(ANN), row(BEN)])
    assert set(kept.of([row(BEN)])) == {BEN}
