"""Compare and set, deletion and watching: the same in memory and over NATS."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from signalfleet.ports.errors import ConflictError
from signalfleet.ports.registers import Register, Registers

KEY = "lease.w.srv-1_a.0.7"


async def take(told: AsyncIterator[Register | None], count: int) -> list[tuple[str, object] | None]:
    async with asyncio.timeout(10):
        some = [await anext(told) for _ in range(count)]
    return [None if one is None else (one.key, one.value) for one in some]


async def test_a_value_is_found_under_the_revision_of_its_write(registers: Registers) -> None:
    assert await registers.get(KEY) is None
    revision = await registers.put(KEY, {"n": 1, "name": "Ä"}, 0)
    assert await registers.get(KEY) == Register(
        key=KEY, value={"n": 1, "name": "Ä"}, revision=revision
    )
    newer = await registers.put(KEY, {"n": 2}, revision)
    assert newer > revision
    assert await registers.get("lease.w.srv-1_a.0") is None


async def test_a_write_under_another_revision_changes_nothing(registers: Registers) -> None:
    first = await registers.put(KEY, {"n": 1}, 0)
    second = await registers.put(KEY, {"n": 2}, first)
    for stale in (0, first, second + 1):
        with pytest.raises(ConflictError):
            await registers.put(KEY, {"n": 3}, stale)
        with pytest.raises(ConflictError):
            await registers.delete(KEY, stale)
    found = await registers.get(KEY)
    assert found is not None
    assert found.value == {"n": 2}


async def test_of_writes_at_once_under_one_revision_one_wins(registers: Registers) -> None:
    async def write(number: int) -> bool:
        try:
            await registers.put(KEY, {"n": number}, 0)
        except ConflictError:
            return False
        return True

    won = await asyncio.gather(*(write(number) for number in range(16)))
    assert sum(won) == 1
    found = await registers.get(KEY)
    assert found is not None
    assert found.value == {"n": won.index(True)}


async def test_what_was_deleted_can_be_made_again_and_nothing_old_applies(
    registers: Registers,
) -> None:
    first = await registers.put(KEY, {"n": 1}, 0)
    await registers.delete(KEY, first)
    assert await registers.get(KEY) is None
    with pytest.raises(ConflictError):
        await registers.put(KEY, {"n": 2}, first)
    with pytest.raises(ConflictError):
        await registers.delete(KEY, first)
    await registers.delete(KEY, 0)
    assert await registers.put(KEY, {"n": 3}, 0) > first


async def test_a_watch_tells_what_is_there_then_none_then_each_change(
    registers: Registers,
) -> None:
    one = await registers.put("lease.w.a.0.1", {"n": 1}, 0)
    await registers.put("lease.s.7", {"n": 2}, 0)
    await registers.put("plan.desired", {"n": 3}, 0)
    async with registers.watch("lease") as told:
        assert sorted(filter(None, await take(told, 2))) == [
            ("lease.s.7", {"n": 2}),
            ("lease.w.a.0.1", {"n": 1}),
        ]
        assert await take(told, 1) == [None]
        two = await registers.put("lease.w.a.0.1", {"n": 4}, one)
        await registers.put("lease.leader", {"n": 5}, 0)
        await registers.put("plan.cell", {"n": 6}, 0)
        await registers.delete("lease.w.a.0.1", two)
        assert await take(told, 3) == [
            ("lease.w.a.0.1", {"n": 4}),
            ("lease.leader", {"n": 5}),
            ("lease.w.a.0.1", None),
        ]


async def test_a_watch_that_begins_later_tells_what_was_deleted(registers: Registers) -> None:
    revision = await registers.put(KEY, {"n": 1}, 0)
    await registers.delete(KEY, revision)
    async with registers.watch("lease") as told:
        assert await take(told, 2) == [(KEY, None), None]


async def test_a_watch_of_a_part_hears_nothing_else(registers: Registers) -> None:
    async with registers.watch("lease.w") as told, registers.watch("lease.leader") as leader:
        assert await take(told, 1) == await take(leader, 1) == [None]
        await registers.put("lease.s.7", {"n": 1}, 0)
        await registers.put("lease.leader", {"n": 2}, 0)
        await registers.put("lease.w.a.0.1", {"n": 3}, 0)
        assert await take(told, 1) == [("lease.w.a.0.1", {"n": 3})]
        assert await take(leader, 1) == [("lease.leader", {"n": 2})]


async def test_watchers_do_not_take_from_each_other(registers: Registers) -> None:
    async with registers.watch("ctl") as one, registers.watch("ctl") as two:
        await registers.put("ctl.min_version", {"v": 2}, 0)
        assert ("ctl.min_version", {"v": 2}) in await take(one, 2)
        assert ("ctl.min_version", {"v": 2}) in await take(two, 2)


@pytest.mark.parametrize(
    "name", ["", "lease.", ".lease", "lease.a b", "lease.*", "lease.>", "l" * 99]
)
async def test_a_name_with_other_signs_is_refused(registers: Registers, name: str) -> None:
    with pytest.raises(ValueError, match="name"):
        await registers.get(name)
    with pytest.raises(ValueError, match="name"):
        await registers.put(name, {}, 0)
