"""A user who leaves is gone step by step, and a crash at any step goes on where it was."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, cast

import pytest

from kit.canaries import planted
from kit.clock import LoopClock
from kit.store_rows import CELL, ME, World, a_profile, everything, fill
from signalfleet.adapters.memory import MemoryStore
from signalfleet.adapters.secrets import (
    FernetKeyService,
    SecureCredentialStore,
    new_encryption_key,
)
from signalfleet.app.claim_slots import claim_slots
from signalfleet.app.delete_account import DeleteAccount, begin_closing
from signalfleet.app.sign_in import SignIn
from signalfleet.domain.ids import AccountId, UserId
from signalfleet.domain.trading.records import Settlement, TradeState
from signalfleet.ports.departures import Departure
from signalfleet.ports.errors import RefusedError, StoreUnavailableError, TemporaryError
from signalfleet.ports.provisioning import AccountProvisioning, HostedAccount
from signalfleet.ports.secrets import Secret
from signalfleet.ports.store import Account, Store

NEIGHBOUR = UserId("u_nbswy3dpo5xxe3de")
SESSION, TOKEN = planted("of-telegram"), planted("of-metaapi")


@dataclass
class Telegram:
    """Keeps which sessions were ended."""

    ended: list[str] = field(default_factory=list)
    is_away: bool = False

    async def log_out(self, session: Secret) -> None:
        if self.is_away:
            raise TemporaryError("Telegram does not answer")
        self.ended.append(session.reveal())


@dataclass
class Hosting:
    """Accounts by id and name, and those that were stopped."""

    names: dict[str, str]
    stopped: list[str] = field(default_factory=list)
    tokens: list[str] = field(default_factory=list)
    is_away: bool = False

    def of(self, token: Secret | None) -> AccountProvisioning:
        assert token is not None
        self.tokens.append(token.reveal())
        return cast("AccountProvisioning", self)

    async def account(self, account_id: str) -> HostedAccount:
        if self.is_away:
            raise TemporaryError("MetaApi does not answer")
        if account_id not in self.names:
            raise RefusedError("there is no such account")
        return HostedAccount(
            account_id=account_id,
            name=self.names[account_id],
            server="s",
            region="r",
            state="DEPLOYED",
            connection="CONNECTED",
        )

    async def undeploy(self, account_id: str) -> None:
        self.stopped.append(account_id)


@dataclass
class Scene:
    store: MemoryStore
    clock: LoopClock
    telegram: Telegram
    hosting: Hosting
    remembered: list[UserId] = field(default_factory=list)
    scrubbed: int = 0

    def delete(self, store: Store | None = None) -> DeleteAccount:
        credentials = SecureCredentialStore(self.store, KEYS)
        return DeleteAccount(
            store=store or self.store,
            credentials=credentials,
            sign_in=SignIn(self.store, credentials, cast("Any", self.telegram)),
            hosting=self.hosting.of,
            clock=self.clock,
            alone=self._alone,
            remember=lambda user, _at: self.remembered.append(user),
            scrub=self._scrub,
        )

    async def _scrub(self) -> None:
        assert await self.store.fleet.get_user(ME) is None, "what is scrubbed is deleted before"
        self.scrubbed += 1

    async def begin(self) -> Departure:
        return await self.store.departures.begin(ME, "r_1", self.clock.now())

    @asynccontextmanager
    async def _alone(self, user: UserId) -> AsyncIterator[None]:
        status = await self.store.user(user).bot.status()
        assert not status.wish_on, "the bot is told to stop before its session is taken"
        yield


KEYS = FernetKeyService(new_encryption_key())


@pytest.fixture
async def scene() -> Scene:
    """One user with a row of every kind, an account that we added and one that was there."""
    store, clock = MemoryStore(cell=CELL), LoopClock()
    for number, user in enumerate((ME, NEIGHBOUR), start=1):
        await store.fleet.add_user(a_profile(user, telegram_id=number))
    slots = [a_profile(user).slot for user in (ME, NEIGHBOUR)]
    world = World(store=store, epoch=await claim_slots(store.fleet, CELL, slots, "w"))
    for user in (ME, NEIGHBOUR):
        await fill(store, user, world.epoch, f"of-{user}")
    for user in (ME, NEIGHBOUR):
        rows = store._state.rows[user]
        rows.sealed.clear()
        rows.keys.clear()
        credentials = SecureCredentialStore(store, KEYS)
        await credentials.put(user, "telegram_session", Secret(SESSION))
        await credentials.put(user, "metaapi_token", Secret(TOKEN))
    for name in ("ours", "theirs", "gone"):
        account = Account(
            account_id=AccountId(f"a_{name}"),
            broker="metaapi",
            mode="DEMO",
            metaapi_account_id=name,
        )
        await store.user(ME).accounts.put(account)
    await store.user(ME).bot.set_wish(on=True, by="test")
    hosting = Hosting(names={"ours": "SignalFleet Demo-1", "theirs": "My own account"})
    return Scene(store=store, clock=clock, telegram=Telegram(), hosting=hosting)


async def test_all_that_is_outside_is_ended_and_all_that_is_inside_is_gone(scene: Scene) -> None:
    neighbour = await everything(scene.store.user(NEIGHBOUR), NEIGHBOUR)
    done = await scene.delete().run(await scene.begin())
    assert scene.telegram.ended == [SESSION]
    assert scene.hosting.tokens == [TOKEN]
    assert scene.hosting.stopped == ["ours"]
    assert (scene.remembered, scene.scrubbed) == ([ME], 1)
    assert (done.user, done.finished_at) == (None, scene.clock.now())
    assert list(done.steps) == ["stopped", "telegram", "metaapi", "shredded", "erased"]
    assert done.steps["telegram"] == "signed out"
    assert done.steps["metaapi"].startswith("1 of ")
    assert done.steps["shredded"] == "1 data keys destroyed"
    assert ME not in repr(done)
    assert await scene.store.fleet.get_user(ME) is None
    assert ME not in scene.store._state.rows
    assert [one.user for one in await scene.store.departures.shredded()] == [ME]
    assert await everything(scene.store.user(NEIGHBOUR), NEIGHBOUR) == neighbour


async def test_what_is_left_of_a_copy_cannot_be_opened_any_more(scene: Scene) -> None:
    rows = scene.store.user(ME).credentials
    sealed = await rows.list()
    departure = await scene.begin()
    await scene.store.departures.shred(ME, scene.clock.now())
    for one in sealed:
        await rows.put(one)
        with pytest.raises(RefusedError, match="gone"):
            await SecureCredentialStore(scene.store, KEYS).get(ME, one.field)
    assert departure.user == ME


STEPS = ("stopped", "telegram", "metaapi", "shredded", "erased")


class FailingNotes:
    """Departures whose note of one step is lost, as a crash would lose it."""

    def __init__(self, departures: Any, step: str) -> None:
        self._departures = departures
        self._step = step

    async def note(self, report: str, step: str, said: str) -> Departure:
        if step == self._step:
            raise StoreUnavailableError("crashed")
        noted: Departure = await self._departures.note(report, step, said)
        return noted

    def __getattr__(self, name: str) -> Any:
        return getattr(self._departures, name)


class FailingStore:
    def __init__(self, store: MemoryStore, step: str) -> None:
        self._store = store
        self.departures = FailingNotes(store.departures, step)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


@pytest.mark.parametrize("step", STEPS)
async def test_a_crash_at_any_step_goes_on_there(scene: Scene, step: str) -> None:
    failing = cast("Store", FailingStore(scene.store, step))
    with pytest.raises(StoreUnavailableError):
        await scene.delete(failing).run(await scene.begin())
    (departure,) = await scene.store.departures.under_way()
    assert list(departure.steps) == list(STEPS[: STEPS.index(step)])
    done = await scene.delete().run(departure)
    assert done.user is None
    assert await scene.store.fleet.get_user(ME) is None
    assert scene.telegram.ended == [SESSION]
    assert (await scene.delete().run(done)) == done


async def close_trades(scene: Scene) -> None:
    """Let the broker close what is open, as the bot would on the user's wish."""
    mine = scene.store.user(ME)
    epochs = await scene.store.fleet.slot_epochs(CELL, [a_profile(ME).slot])
    closed = [replace(one, state=TradeState.CLOSED) for one in await mine.journal.live_trades()]
    settlement = Settlement(trades=tuple(closed))
    await mine.journal.settle(settlement, epochs[a_profile(ME).slot])


async def test_trades_are_closed_by_the_bot_before_anything_else_ends(scene: Scene) -> None:
    mine, delete = scene.store.user(ME), scene.delete()
    await mine.bot.set_wish(on=False, by="user")
    await begin_closing(mine, scene.clock.now())
    departure = await scene.begin()
    assert not await delete.trades_are_over(departure)
    status = await mine.bot.status()
    assert (status.wish_on, status.halted) == (True, True), "the bot runs, and opens nothing"
    with pytest.raises(TemporaryError, match="being closed"):
        await delete.run(departure)
    assert scene.telegram.ended == []
    await close_trades(scene)
    done = await delete.run(departure)
    assert list(done.steps) == ["trades", *STEPS]
    assert done.steps["trades"] == "all closed"
    assert done.steps["stopped"].startswith("0 trades left")
    assert not scene.store._state.rows.get(ME)


async def test_trades_that_do_not_close_are_waited_for_a_bounded_time(scene: Scene) -> None:
    await begin_closing(scene.store.user(ME), scene.clock.now())
    departure = await scene.begin()
    scene.clock.offset = timedelta(minutes=2, seconds=50)
    assert not await scene.delete().trades_are_over(departure)
    scene.clock.offset = timedelta(minutes=3)
    done = await scene.delete().run(departure)
    assert done.steps["trades"] == "2 not closed within 3 minutes"
    assert done.steps["stopped"] == "2 trades left at the broker"
    assert done.user is None


async def test_trades_that_are_to_stay_open_are_not_waited_for(scene: Scene) -> None:
    assert await scene.delete().trades_are_over(await scene.begin())
    assert not (await scene.store.user(ME).bot.status()).halted


@pytest.mark.parametrize("away", ["telegram", "hosting"])
async def test_what_does_not_answer_is_asked_again_and_not_for_ever(
    scene: Scene, away: str
) -> None:
    getattr(scene, away).is_away = True
    departure = await scene.begin()
    with pytest.raises(TemporaryError):
        await scene.delete().run(departure)
    assert await scene.store.user(ME).credentials.keys(), "nothing is destroyed before"
    assert (await scene.store.user(ME).bot.status()).halted
    scene.clock.offset = timedelta(hours=21)
    (departure,) = await scene.store.departures.under_way()
    done = await scene.delete().run(departure)
    assert done.user is None
    said = done.steps["telegram" if away == "telegram" else "metaapi"]
    assert said.startswith("not told")
