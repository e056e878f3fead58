"""What hangs on a bot is found, and what belongs to all bots is not counted for one."""

import asyncio
import itertools
from collections.abc import Mapping

from signalfleet.bots.weights import OBJECTS_MAX, Walk, shared_parts


class Holder:
    def __init__(self, **parts: object) -> None:
        self.__dict__.update(parts)


def weight(root: object, shared: Mapping[int, object] | None = None) -> int:
    walk = Walk(root, shared or {})
    while not walk.step():
        pass
    return walk.total_bytes


def test_bytes_far_down_are_found() -> None:
    light = weight(Holder(a={"b": [Holder(c=())]}))
    heavy = weight(Holder(a={"b": [Holder(c=(bytes(1_000_000),))]}))
    assert 1_000_000 <= heavy - light < 1_001_000


def test_what_is_held_twice_counts_once() -> None:
    big = bytes(100_000)
    assert weight(Holder(a=big, b=big)) < 110_000


def test_a_ring_has_an_end() -> None:
    one = Holder()
    one.me = [one, one]  # type: ignore[attr-defined]
    assert 0 < weight(one) < 2_000


def test_what_is_shared_is_not_counted_nor_what_hangs_on_it() -> None:
    common = Holder(store=[bytes(1_000_000)])
    assert weight(Holder(all=common), {id(common): common}) < 2_000


def test_the_parts_of_what_is_shared_are_shared_too() -> None:
    engine = Holder(pages=bytes(1_000_000))

    def make() -> Holder:
        return engine

    root = Holder(engine=engine)
    assert weight(root) > 1_000_000
    assert weight(root, shared_parts([Holder(store=Holder(engine=engine))])) < 2_000
    assert weight(root, shared_parts([make])) < 2_000, "what a function closes over"


async def test_the_walk_does_not_leave_by_tasks_frames_or_the_loop() -> None:
    everything = bytes(1_000_000)
    event = asyncio.Event()

    async def another_bot() -> None:
        local = everything
        await event.wait()
        del local

    task = asyncio.get_running_loop().create_task(another_bot())
    await asyncio.sleep(0)
    assert weight(Holder(event=event, task=task, loop=asyncio.get_running_loop())) < 5_000
    event.set()
    await task


def test_a_method_leads_to_its_object() -> None:
    assert weight(Holder(call=Holder(load=bytes(1_000_000)).__repr__)) > 1_000_000


def test_more_objects_than_are_walked_count_with_the_usual_size() -> None:
    many = [bytes(1_000) for _ in range(3 * OBJECTS_MAX)]
    found = weight(Holder(many=many))
    assert 0.8 < found / (len(many) * 1_033) < 1.2


def test_a_slice_ends_when_its_time_is_over() -> None:
    ticks = itertools.count(step=1_000_000)
    walk = Walk([bytes(10) for _ in range(1_000)], now_ns=lambda: next(ticks))
    slices = 1
    while not walk.step():
        slices += 1
    assert slices == 8, "two looks at the clock of 64 objects each"
    assert walk.counted == 1_001
