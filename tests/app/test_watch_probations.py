"""A trade that may end a probation is looked into, also after a failure of the store."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import pytest

from kit.builders import USER
from kit.fleet import Fleet
from signalfleet.app.watch_probations import WatchProbations
from signalfleet.domain.accounts.notices import NoticeKind
from signalfleet.ports.errors import StoreUnavailableError
from signalfleet.ports.store import Channel, UserStore


@dataclass(slots=True)
class Counted:
    """A user's store that counts how often the channels are read."""

    store: UserStore
    reads: int = 0
    is_away: bool = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self.store, name)

    @property
    def channels(self) -> "Counted":
        return self

    async def list(self) -> Sequence[Channel]:
        if self.is_away:
            raise StoreUnavailableError("the store is away")
        self.reads += 1
        return await self.store.channels.list()


async def test_only_after_a_trade_and_again_if_the_store_was_away(fleet: Fleet) -> None:
    store = Counted(fleet.mine)
    desk = replace(fleet.manager.active_bots[USER]._desk, store=cast("UserStore", store))
    watch = WatchProbations(desk)
    await watch.see()
    await watch.see()
    assert store.reads == 1
    watch.told(NoticeKind.TRADE_CLOSED, "trade:t")
    store.is_away = True
    with pytest.raises(StoreUnavailableError):
        await watch.see()
    store.is_away = False
    await watch.see()
    await watch.see()
    assert store.reads == 2
