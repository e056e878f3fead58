"""A bot's state that the store refused is written as soon as the store is back."""

from dataclasses import replace

import pytest

from kit.builders import USER, after
from kit.clock import settle_down, until
from kit.fleet import Fleet, a_fleet
from signalfleet.bots.state_board import BotMove, StateBoard
from signalfleet.domain.accounts.bot_state import BotState
from signalfleet.ports.errors import StoreUnavailableError
from signalfleet.ports.store import Store

MOVE = BotMove(state=BotState.STARTING, reason=None, since=after(0), retry_at=None, crashes=0)


class Blipping:
    """A store whose bot records refuse to be written while `is_away`."""

    def __init__(self, target: object, switch: "Switch") -> None:
        self._target = target
        self._switch = switch

    def __getattr__(self, name: str) -> object:
        found = getattr(self._target, name)
        if name == "user":
            return lambda user: Blipping(found(user), self._switch)
        return Blipping(found, self._switch) if name == "bot" else found

    async def set_state(self, *args: object, **kwargs: object) -> None:
        if self._switch.is_away:
            raise StoreUnavailableError("away")
        await self._target.set_state(*args, **kwargs)  # type: ignore[attr-defined]


class Switch:
    is_away = False


@pytest.fixture
def switch() -> Switch:
    return Switch()


async def test_the_newest_state_is_written_when_the_store_is_back(
    fleet: Fleet, switch: Switch
) -> None:
    store: Store = Blipping(fleet.store, switch)  # type: ignore[assignment]
    board = StateBoard(store)
    epoch = fleet.manager.epoch_of(USER)
    switch.is_away = True
    await board.put(USER, MOVE, epoch)
    await board.put(USER, replace(MOVE, state=BotState.RETRYING, reason="x"), epoch)
    await board.catch_up()
    assert (await fleet.mine.bot.status()).state is BotState.RUNNING
    switch.is_away = False
    await board.catch_up()
    status = await fleet.mine.bot.status()
    assert (status.state, status.reason) == (BotState.RETRYING, "x")


async def test_a_bot_that_came_up_during_a_blip_is_shown_running_soon(switch: Switch) -> None:
    def wrap(store: Store) -> Store:
        return Blipping(store, switch)  # type: ignore[return-value]

    async with a_fleet(started=False, wrap_store=wrap) as fleet:
        switch.is_away = True
        await fleet.start(wait=False)
        await until(lambda: fleet.state is BotState.RUNNING)
        assert (await fleet.mine.bot.status()).state is BotState.OFF
        switch.is_away = False
        await settle_down(6)
        assert (await fleet.mine.bot.status()).state is BotState.RUNNING
