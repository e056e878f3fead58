"""What is too old goes in batches, until nothing of it is left."""

from datetime import UTC, datetime, timedelta

from kit.store_rows import CELL, ME, a_profile
from signalfleet.adapters.memory import MemoryStore
from signalfleet.app.sweep import sweep_user
from signalfleet.domain.accounts.audit import AuditEntry, first_broken

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


async def test_more_than_one_batch_is_swept_and_the_rest_of_the_chain_holds() -> None:
    store = MemoryStore(cell=CELL)
    await store.fleet.add_user(a_profile(ME))
    mine = store.user(ME)
    for number in range(1_203):
        age = timedelta(days=800 if number < 1_200 else 1)
        await mine.events.add(AuditEntry(at=NOW - age, actor="user", action="did"))
    swept = await sweep_user(mine, NOW)
    assert swept["events"] == 1_200
    rows = await mine.events.list()
    assert [row.seq for row in rows] == [1_201, 1_202, 1_203]
    assert first_broken(ME, rows) is None
    assert (await sweep_user(mine, NOW)).total() == 0
    added = await mine.events.add(AuditEntry(at=NOW, actor="user", action="did"))
    assert added.seq == 1_204
