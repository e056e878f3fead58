"""What is typed into a page opens in a worker, for what it was typed for, and nowhere else."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signalfleet.adapters.secrets import IntakeOpener, IntakeSealer, new_intake_keys
from signalfleet.ports.errors import RefusedError
from signalfleet.ports.secrets import IntakeBinding, Secret

BINDING = IntakeBinding(user="u_mfrggzdfmztwq2lk", field="password", attempt="a1b2")
PRIVATE, PUBLIC = new_intake_keys()


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=300))
def test_what_is_sealed_opens_as_it_was(text: str) -> None:
    box = IntakeSealer(PUBLIC).seal(Secret(text), BINDING)
    assert IntakeOpener(PRIVATE).open(box, BINDING).reveal() == text


def test_a_box_shows_nothing_and_is_never_the_same() -> None:
    sealer = IntakeSealer(PUBLIC)
    boxes = {sealer.seal(Secret("hunter2"), BINDING) for _ in range(3)}
    assert len(boxes) == 3
    assert not any("hunter2" in box for box in boxes)
    assert "hunter2" not in repr(IntakeOpener(PRIVATE))


@pytest.mark.parametrize(
    "other",
    [
        replace(BINDING, user="u_bbbbbbbbbbbbbbbbbb"),
        replace(BINDING, field="code"),
        replace(BINDING, attempt="a1b3"),
    ],
)
def test_a_box_opens_for_nothing_else(other: IntakeBinding) -> None:
    box = IntakeSealer(PUBLIC).seal(Secret("hunter2"), BINDING)
    with pytest.raises(RefusedError, match="cannot be opened"):
        IntakeOpener(PRIVATE).open(box, other)


def test_another_worker_s_key_opens_nothing() -> None:
    box = IntakeSealer(PUBLIC).seal(Secret("hunter2"), BINDING)
    with pytest.raises(RefusedError):
        IntakeOpener(new_intake_keys()[0]).open(box, BINDING)


@pytest.mark.parametrize("box", ["", "x", "AAAA", "ä", "=" * 40, "A" * 500])
def test_what_is_no_box_is_refused(box: str) -> None:
    with pytest.raises(RefusedError):
        IntakeOpener(PRIVATE).open(box, BINDING)


def test_a_binding_cannot_be_forged_by_its_parts() -> None:
    with pytest.raises(ValueError, match="hold a"):
        IntakeSealer(PUBLIC).seal(Secret("x"), replace(BINDING, field="code|a1"))


@pytest.mark.parametrize(
    "key", ["", "short", "A" * 43, "not base64 at all, not in the least!!!!!!!!!!"]
)
def test_what_is_no_key_is_refused_without_showing_it(key: str) -> None:
    with pytest.raises(RefusedError, match="keys intake") as caught:
        IntakeOpener(Secret(key))
    assert not key or key not in str(caught.value)
    with pytest.raises(RefusedError, match="INTAKE_PUBLIC_KEY"):
        IntakeSealer(key)


def test_the_public_key_follows_from_the_private_one() -> None:
    assert IntakeOpener(PRIVATE).public_key == PUBLIC
