"""A store that is away ends no bot; a write that may or may not have happened does."""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import cast

import pytest

from kit.counting_metrics import CountingMetrics
from signalfleet.bots.services import BotServices
from signalfleet.bots.store_watch import PAUSE, StoreWatch
from signalfleet.ports.errors import FencedError, StoreInDoubtError, StoreUnavailableError

AWAY = ("signalfleet_store_away_total", ())


@dataclass
class Pauses:
    """A clock that only counts for how long somebody slept."""

    slept: list[timedelta] = field(default_factory=list)

    async def sleep(self, delay: timedelta) -> None:
        self.slept.append(delay)


@dataclass
class Needed:
    """What a watch uses of a worker's services."""

    clock: Pauses = field(default_factory=Pauses)
    metrics: CountingMetrics = field(default_factory=CountingMetrics)


async def test_people_are_told_once_until_the_store_is_back() -> None:
    needed = Needed()
    watch = StoreWatch(cast("BotServices", needed))
    for _ in range(3):
        async with watch:
            raise StoreUnavailableError("locked")
    assert needed.metrics.counts[AWAY] == 1
    assert needed.clock.slept == [PAUSE] * 3
    assert watch.is_back()
    assert not watch.is_back()
    async with watch:
        raise StoreUnavailableError("locked again")
    assert needed.metrics.counts[AWAY] == 2


@pytest.mark.parametrize("error", [StoreInDoubtError("lost"), FencedError("newer"), ValueError()])
async def test_anything_else_ends_what_was_being_done(error: Exception) -> None:
    needed = Needed()
    watch = StoreWatch(cast("BotServices", needed))
    with pytest.raises(type(error)):
        async with watch:
            raise error
    assert needed.metrics.counts[AWAY] == 0
