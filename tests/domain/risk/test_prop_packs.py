"""Rule packs: checked when they are read, and never looser than they say."""

from datetime import date
from typing import Any

import pytest

from signalfleet.bootstrap.prop_packs import load_packs
from signalfleet.domain.errors import DomainError
from signalfleet.domain.risk.prop_packs import build_pack
from signalfleet.domain.settings.resolve import Level, resolve

GOOD: dict[str, Any] = {
    "name": "Mine",
    "source": "my contract",
    "read_on": date(2026, 1, 1),
    "daily_loss": "4",
    "total_loss": "8",
    "third_party_signals": "forbidden",
}


def test_the_packs_of_the_product_can_be_read_and_say_that_they_are_invented() -> None:
    packs = load_packs()
    assert set(packs) == {"example"}
    assert "no real firm" in packs["example"].name


@pytest.mark.parametrize(
    "change",
    [
        {"daily_loss": "400"},
        {"daily_los": "4"},
        {"source": None},
        {"total_kind": "floating"},
        {"read_on": "yesterday"},
        {"third_party_signals": "perhaps"},
        {"reset_zone": "../etc"},
    ],
    ids=["limit", "unknown", "no source", "kind", "date", "signals", "zone"],
)
def test_a_pack_that_is_wrong_is_refused(change: dict[str, Any]) -> None:
    content = {key: value for key, value in (GOOD | change).items() if value is not None}
    with pytest.raises(DomainError, match="mine"):
        build_pack("mine", content)


@pytest.mark.parametrize("own", ["1", "4", "90"])
def test_no_other_level_loosens_a_pack(own: str) -> None:
    pack = build_pack("mine", {**GOOD, "reset_time": "17:00", "reset_zone": "America/New_York"})
    found = resolve(
        [
            Level(source="rule pack mine", doc=pack.settings),
            Level(source="account", doc={"daily_loss": own, "time_zone": "Asia/Tokyo"}),
            Level(source="your default", doc={"daily_loss": "80"}),
        ]
    )
    assert found.rules.daily_loss.percent is not None
    assert found.rules.daily_loss.percent <= 4
    assert found.rules.time_zone == "America/New_York"
