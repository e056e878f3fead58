"""Whatever order versions of a post arrive in, each is kept once and at most one is newest."""

from datetime import datetime

from hypothesis import given
from hypothesis import strategies as st

from kit.store_rows import NOW, after
from signalfleet.domain.signals.revisions import (
    DELETED,
    OLDER_REVISION,
    TOMBSTONE,
    KnownRevision,
    Place,
    place_deletion,
    place_revision,
)

deliveries = st.lists(
    st.none() | st.tuples(st.none() | st.integers(1, 3).map(after), st.sampled_from("abc")),
    max_size=8,
)


def known(
    rev: int,
    content: str,
    edited_at: datetime | None = None,
    deleted_at: datetime | None = None,
) -> KnownRevision:
    return KnownRevision(
        rev=rev, edited_at=edited_at, content=content, posted_at=NOW, deleted_at=deleted_at
    )


def deliver(
    stored: list[KnownRevision], delivery: tuple[datetime | None, str] | None
) -> Place | None:
    """Place one delivery, None being a deletion, and store it."""
    edited_at, content = delivery or (None, TOMBSTONE)
    place = place_revision(stored, edited_at, content) if delivery else place_deletion(stored, NOW)
    if place is not None:
        stored.append(known(place.rev, content, edited_at, place.deleted_at))
    return place


@given(deliveries)
def test_numbers_count_up_and_a_second_delivery_changes_nothing(
    arrived: list[tuple[datetime | None, str] | None],
) -> None:
    stored: list[KnownRevision] = []
    for delivery in arrived:
        deliver(stored, delivery)
        assert deliver(stored, delivery) is None
    assert [one.rev for one in stored] == list(range(len(stored)))
    forms = [(one.edited_at, one.content) for one in stored]
    assert len(set(forms)) == len(forms)


@given(deliveries)
def test_nothing_is_acted_on_after_a_deletion(
    arrived: list[tuple[datetime | None, str] | None],
) -> None:
    stored: list[KnownRevision] = []
    deliver(stored, None)
    for delivery in arrived:
        place = deliver(stored, delivery)
        assert place is None or place.reason == DELETED


@given(deliveries)
def test_what_is_acted_on_is_the_newest(
    arrived: list[tuple[datetime | None, str] | None],
) -> None:
    stored: list[KnownRevision] = []
    for delivery in arrived:
        place = deliver(stored, delivery)
        if place is not None and place.reason is None:
            assert max(stored, key=lambda one: one.order).rev == place.rev


def test_an_older_version_that_comes_late_is_marked() -> None:
    stored = [known(0, "b", after(20))]
    assert place_revision(stored, None, "a") == Place(rev=1, reason=OLDER_REVISION)
    assert place_revision(stored, after(10), "b") is None
    assert place_revision(stored, after(20), "a") == Place(rev=1)


def test_a_copy_after_the_deletion_knows_when_it_was_deleted() -> None:
    stored = [known(0, TOMBSTONE, deleted_at=after(5))]
    assert place_revision(stored, None, "a") == Place(rev=1, reason=DELETED, deleted_at=after(5))
    assert place_deletion(stored, after(9)) is None
