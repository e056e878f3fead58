"""Laws of the plan that says which worker should own which slot."""

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from signalfleet.bots.placement import HEADROOM, SPREAD, Plan, WorkerFacts, plan

SLOTS = 12
PLENTY = 5


@st.composite
def fleets(draw: st.DrawFn, *, pressure: bool = True) -> list[WorkerFacts]:
    servers = draw(st.dictionaries(st.sampled_from("abc"), st.integers(1, 60), min_size=1))
    return [
        WorkerFacts(
            worker=f"{server}.{number}.1",
            server=server,
            capacity=draw(st.integers(0, 40)),
            server_capacity=server_capacity,
            takes_slots=draw(st.booleans()),
            pressure=draw(st.floats(0, 1)) if pressure else 0.0,
        )
        for server, server_capacity in servers.items()
        for number in range(draw(st.integers(1, 3)))
    ]


loads = st.fixed_dictionaries({slot: st.integers(0, 9) for slot in range(SLOTS)})


@st.composite
def homes(draw: st.DrawFn) -> dict[int, str]:
    names = st.sampled_from(["a.0.1", "a.1.1", "b.0.1", "c.2.1", "gone.0.1"])
    return draw(st.dictionaries(st.integers(0, SLOTS - 1), names))


def bots_of(workers: list[WorkerFacts], bots: dict[int, int], made: Plan) -> Counter[str]:
    total: Counter[str] = Counter({one.worker: 0 for one in workers})
    for slot, home in made.homes.items():
        total[home] += bots[slot]
    return total


def any_moves(workers: list[WorkerFacts]) -> dict[str, int]:
    return {one.worker: PLENTY for one in workers}


def a_worker(name: str, **changed: object) -> WorkerFacts:
    given: dict[str, object] = {
        "worker": name,
        "server": name.partition(".")[0],
        "capacity": 100,
        "server_capacity": 100,
    }
    return WorkerFacts(**(given | changed))  # type: ignore[arg-type]


@settings(max_examples=60)
@given(fleets(), loads, homes())
def test_each_slot_has_one_home_that_takes_slots_or_is_known_to_have_none(
    workers: list[WorkerFacts], bots: dict[int, int], previous: dict[int, str]
) -> None:
    made = plan(workers, bots, previous, any_moves(workers))
    assert made.homes.keys() | set(made.unplaced) == set(range(SLOTS))
    assert not made.homes.keys() & set(made.unplaced)
    assert set(made.homes.values()) <= {one.worker for one in workers if one.takes_slots}


@settings(max_examples=60)
@given(fleets(), loads, homes())
def test_the_same_input_makes_the_same_plan_in_any_order(
    workers: list[WorkerFacts], bots: dict[int, int], previous: dict[int, str]
) -> None:
    made = plan(workers, bots, previous, any_moves(workers))
    assert plan(workers[::-1], bots, previous, any_moves(workers)) == made


@settings(max_examples=60)
@given(fleets(), loads)
def test_nobody_is_filled_above_its_capacity_nor_a_server_above_its_own(
    workers: list[WorkerFacts], bots: dict[int, int]
) -> None:
    made = plan(workers, bots, {}, any_moves(workers))
    total = bots_of(workers, bots, made)
    servers: Counter[str] = Counter()
    for one in workers:
        assert total[one.worker] <= one.capacity
        servers[one.server] += total[one.worker]
    assert all(servers[one.server] <= one.server_capacity for one in workers)


@settings(max_examples=60)
@given(fleets(), loads, homes())
def test_a_slot_stays_without_a_home_only_where_nobody_has_room_for_it(
    workers: list[WorkerFacts], bots: dict[int, int], previous: dict[int, str]
) -> None:
    made = plan(workers, bots, previous, {})
    total = bots_of(workers, bots, made)
    servers: Counter[str] = Counter()
    for one in workers:
        servers[one.server] += total[one.worker]
    for slot in made.unplaced:
        for one in workers:
            has_room = (
                total[one.worker] + bots[slot] <= one.capacity
                and servers[one.server] + bots[slot] <= one.server_capacity
            )
            assert not one.takes_slots or (bots[slot] and not has_room)


@settings(max_examples=60)
@given(fleets(), loads, homes())
def test_a_slot_with_bots_leaves_its_home_only_by_a_move_that_was_left(
    workers: list[WorkerFacts], bots: dict[int, int], previous: dict[int, str]
) -> None:
    made = plan(workers, bots, previous, dict.fromkeys(any_moves(workers), 1))
    able = {one.worker for one in workers if one.takes_slots}
    moves = [
        (previous[slot], made.homes[slot])
        for slot in made.homes
        if bots[slot] and previous.get(slot) in able and made.homes[slot] != previous[slot]
    ]
    parts = Counter(name for move in moves for name in move)
    assert all(count <= 1 for count in parts.values())


@settings(max_examples=60)
@given(fleets(pressure=False), loads, homes())
def test_repeated_it_comes_to_rest_and_then_moves_nothing(
    workers: list[WorkerFacts], bots: dict[int, int], previous: dict[int, str]
) -> None:
    made = plan(workers, bots, previous, any_moves(workers))
    for _ in range(SLOTS):
        again = plan(workers, bots, made.homes, any_moves(workers))
        if again.homes == made.homes:
            break
        made = again
    assert plan(workers, bots, made.homes, any_moves(workers)).homes == made.homes


@settings(max_examples=60)
@given(loads)
def test_of_two_alike_neither_is_left_much_fuller(bots: dict[int, int]) -> None:
    workers = [a_worker("a.0.1"), a_worker("b.0.1")]
    made = plan(workers, bots, {}, any_moves(workers))
    total = bots_of(workers, bots, made)
    assert abs(total["a.0.1"] - total["b.0.1"]) <= max(SPREAD * 100, *bots.values())


def test_when_a_worker_goes_only_its_slots_move() -> None:
    workers = [a_worker(f"{name}.0.1") for name in "abc"]
    bots = dict.fromkeys(range(SLOTS), 2)
    before = plan(workers, bots, {}, {})
    after = plan(workers[:2], bots, before.homes, any_moves(workers))
    moved = {slot for slot in bots if before.homes[slot] != after.homes[slot]}
    assert moved == {slot for slot, home in before.homes.items() if home == "c.0.1"}


def test_a_new_worker_gets_slots_with_bots_few_at_a_time_and_empty_ones_at_once() -> None:
    workers = [a_worker("a.0.1"), a_worker("b.0.1")]
    bots = {slot: 4 if slot < SLOTS // 2 else 0 for slot in range(SLOTS)}
    before = dict.fromkeys(bots, "a.0.1")
    after = plan(workers, bots, before, dict.fromkeys(("a.0.1", "b.0.1"), 2))
    moved = [slot for slot in bots if after.homes[slot] == "b.0.1"]
    assert sum(bots[slot] > 0 for slot in moved) == 2
    assert len(moved) >= SLOTS // 2 - 2


def test_a_worker_that_goes_down_in_order_gets_none_and_keeps_none() -> None:
    workers = [a_worker("a.0.1", takes_slots=False), a_worker("b.0.1")]
    bots = dict.fromkeys(range(SLOTS), 1)
    made = plan(workers, bots, dict.fromkeys(bots, "a.0.1"), {})
    assert set(made.homes.values()) == {"b.0.1"}


def test_the_processes_of_a_server_share_what_it_may_run() -> None:
    workers = [a_worker(f"a.{number}.1", server_capacity=100) for number in range(4)]
    bots = dict.fromkeys(range(SLOTS), 9)
    made = plan(workers, bots, {}, {})
    assert sum(bots[slot] for slot in made.homes) <= 100
    assert made.unplaced
    assert made.is_short


def test_headroom_is_missed_before_there_is_no_room() -> None:
    bots = {0: 91, 1: 0}
    made = plan([a_worker("a.0.1")], bots, {}, {})
    assert (made.unplaced, made.is_short) == ((), True)
    enough = plan([a_worker("a.0.1")], {0: round((1 - HEADROOM) * 100), 1: 0}, {}, {})
    assert not enough.is_short


def test_who_is_short_of_something_else_gets_less() -> None:
    workers = [a_worker("a.0.1", pressure=0.9), a_worker("b.0.1")]
    bots = dict.fromkeys(range(SLOTS), 1)
    before = {slot: "a.0.1" if slot < SLOTS // 2 else "b.0.1" for slot in bots}
    made = plan(workers, bots, before, any_moves(workers))
    assert Counter(made.homes.values())["a.0.1"] < SLOTS // 2
