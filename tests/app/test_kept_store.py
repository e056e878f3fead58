"""What the bot's own store remembers is never older than what the web has written a moment ago."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any, cast

import pytest

from kit.clock import LoopClock
from kit.store_rows import (
    CELL,
    ME,
    NOW,
    Rows,
    a_batch,
    a_channel,
    a_post,
    a_profile,
    an_account,
)
from signalfleet.adapters.memory import MemoryStore
from signalfleet.app.claim_slots import claim_slots
from signalfleet.app.kept_store import SEEN_FOR_S, KeptQuota, KeptStore
from signalfleet.domain.trading.records import QuotaUse
from signalfleet.ports.errors import ConflictError
from signalfleet.ports.store import CopyMode, DecideResult, UserStore

LATER = timedelta(seconds=SEEN_FOR_S * 2)


class Counted:
    """Counts the calls of a part of the store."""

    def __init__(self, part: Any) -> None:
        self._part = part
        self.calls: list[str] = []

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._part, name)

        async def call(*args: Any) -> Any:
            self.calls.append(name)
            return await method(*args)

        return call


class Counting:
    """A user's store whose parts count their calls."""

    def __init__(self, store: UserStore) -> None:
        names = ("settings", "channels", "accounts", "quota", "journal")
        self.parts = {name: Counted(getattr(store, name)) for name in names}

    def __getattr__(self, name: str) -> Any:
        return self.parts[name]


class SlowReads:
    """A user's store whose reads find what they find at once and answer when the gate opens."""

    def __init__(self, store: UserStore) -> None:
        self._store = store
        self.gate = asyncio.Event()
        self.gate.set()

    def __getattr__(self, name: str) -> Any:
        part, gate = getattr(self._store, name), self.gate

        class Part:
            def __getattr__(self, method: str) -> Any:
                async def call(*args: Any) -> Any:
                    found = await getattr(part, method)(*args)
                    await gate.wait()
                    return found

                return call

        return Part()


@pytest.fixture
async def store() -> MemoryStore:
    store = MemoryStore(cell=CELL)
    await store.fleet.add_user(a_profile(ME))
    return store


@pytest.fixture
def web(store: MemoryStore) -> UserStore:
    return store.user(ME)


@pytest.fixture
def counted(web: UserStore) -> Counting:
    return Counting(web)


@pytest.fixture
def clock() -> LoopClock:
    return LoopClock()


@pytest.fixture
def mine(counted: Counting, clock: LoopClock) -> Any:
    return KeptStore(counted, clock)


async def test_settings_that_are_as_they_were_are_not_read_again(
    web: UserStore, mine: Any, counted: Counting, clock: LoopClock
) -> None:
    await web.settings.put("user", {"risk_percent": "1"}, 0)
    for _ in range(3):
        assert await mine.settings.get("user") == ({"risk_percent": "1"}, 1)
        assert await mine.settings.get("channel:-1") == ({}, 0)
        await clock.sleep(LATER)
    assert counted.parts["settings"].calls.count("get") == 2
    assert counted.parts["settings"].calls.count("versions") == 3


async def test_what_the_web_changed_counts_for_the_next_signal(
    web: UserStore, mine: Any, clock: LoopClock
) -> None:
    assert await mine.settings.get("user") == ({}, 0)
    await web.settings.put("user", {"risk_percent": "2"}, 0)
    await clock.sleep(LATER)
    assert await mine.settings.get("user") == ({"risk_percent": "2"}, 1)


async def test_what_decides_sees_what_was_written_right_before(
    web: UserStore, mine: Any, clock: LoopClock
) -> None:
    channel = await web.channels.put(a_channel(title="Gold Room"))
    assert await mine.settings.get("asks") == ({}, 0)
    assert await mine.channels.get(channel.chat) == channel
    assert await mine.accounts.list() == ()
    await web.settings.put("asks", {"asks": []}, 0)
    newer = await web.channels.put(a_channel(title="Silver Room", version=channel.version))
    account = await web.accounts.put(an_account())
    mine.look_again()
    assert await mine.settings.get("asks") == ({"asks": []}, 1)
    assert await mine.channels.get(channel.chat) == newer
    assert await mine.accounts.list() == (account,)


async def test_a_read_that_began_before_does_not_hide_what_is_newer(
    web: UserStore, clock: LoopClock
) -> None:
    slow = SlowReads(web)
    mine: Any = KeptStore(cast("UserStore", slow), clock)
    slow.gate.clear()
    early = asyncio.gather(mine.channels.list(), mine.settings.get("user"))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    channel = await web.channels.put(a_channel())
    await web.settings.put("user", {"risk_percent": "2"}, 0)
    mine.look_again()
    slow.gate.set()
    await early
    assert await mine.channels.list() == (channel,)
    assert await mine.settings.get("user") == ({"risk_percent": "2"}, 1)


async def test_what_the_bot_wrote_itself_is_read_at_once(mine: Any) -> None:
    await mine.settings.get("habit:-1")
    await mine.settings.put("habit:-1", {"total": 1}, 0)
    assert await mine.settings.get("habit:-1") == ({"total": 1}, 1)


async def test_after_a_conflict_the_newer_document_is_read(web: UserStore, mine: Any) -> None:
    await mine.settings.get("states")
    await web.settings.put("states", {"user": "panic"}, 0)
    with pytest.raises(ConflictError):
        await mine.settings.put("states", {}, 0)
    assert await mine.settings.get("states") == ({"user": "panic"}, 1)


async def test_what_is_kept_cannot_be_changed_by_who_reads_it(mine: Any) -> None:
    doc, _ = await mine.settings.get("user")
    with pytest.raises(TypeError):
        doc["risk_percent"] = "9"


async def test_one_read_of_channels_and_accounts_serves_a_decision(
    web: UserStore, mine: Any, counted: Counting, clock: LoopClock
) -> None:
    channel = await web.channels.put(a_channel())
    account = await web.accounts.put(an_account())
    assert await mine.channels.get(channel.chat) == channel
    assert await mine.channels.list() == (channel,)
    assert await mine.accounts.list() == (account,)
    assert await mine.accounts.get(account.account_id) == account
    assert counted.parts["channels"].calls == ["list"]
    await web.channels.put(a_channel(title="Silver Room", version=channel.version))
    await clock.sleep(LATER)
    found = await mine.channels.get(channel.chat)
    assert found is not None
    assert (found.title, found.mode) == ("Silver Room", CopyMode.OFF)


async def test_the_days_count_is_read_once_and_given_back_as_the_store_says(
    web: UserStore, mine: Any, counted: Counting
) -> None:
    await web.quota.reserve("trades", "2026-03-02", 5)
    for _ in range(3):
        assert await mine.quota.used("trades", "2026-03-02") == 1
    assert counted.parts["quota"].calls.count("used") == 1
    assert await mine.quota.reserve("trades", "2026-03-02", 5) == 2
    assert await mine.quota.used("trades", "2026-03-02") == 2
    await mine.quota.give_back("trades", "2026-03-02")
    assert await mine.quota.used("trades", "2026-03-02") == 1
    assert await mine.quota.reserve("trades", "2026-03-02", 1) is None


async def test_what_a_decision_uses_up_counts_for_the_next_one(
    web: UserStore, store: MemoryStore, mine: Any
) -> None:
    rows, use = Rows(user=ME), QuotaUse(kind="trades", day="2026-03-02", count=1, limit=4)
    epoch = await claim_slots(store.fleet, CELL, [a_profile(ME).slot], "w1")
    for number in (1, 2, 3):
        await web.inbox.add(a_batch(a_post(number)), NOW, epoch)
    for number in (1, 2):
        assert await mine.quota.used(use.kind, use.day) == number - 1
        decision = replace(rows.decision(number), quota=use)
        assert await mine.journal.decide(decision, epoch) is DecideResult.CLAIMED
    assert await mine.quota.used(use.kind, use.day) == 2
    for _ in range(2):
        await web.quota.reserve(use.kind, use.day, use.limit)
    decision = replace(rows.decision(3), quota=use)
    assert await mine.journal.decide(decision, epoch) is DecideResult.QUOTA_FULL
    assert await mine.quota.used(use.kind, use.day) == 4


async def test_a_count_whose_reading_began_before_a_decision_is_not_kept(web: UserStore) -> None:
    slow: Any = SlowReads(web)
    quota = KeptQuota(slow.quota)
    slow.gate.clear()
    early = asyncio.create_task(quota.used("trades", "2026-03-02"))
    await asyncio.sleep(0)
    await web.quota.reserve("trades", "2026-03-02", 3)
    quota.forget()
    slow.gate.set()
    assert await early == 0
    assert await quota.used("trades", "2026-03-02") == 1
