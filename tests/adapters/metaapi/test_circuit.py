"""Circuits: when they open, for how long, and who still goes through."""

from signalfleet.adapters.metaapi.circuit import AccountCircuit, RegionCircuit


def opened(at: float = 100.0) -> AccountCircuit:
    circuit = AccountCircuit()
    assert [circuit.failed(at) for _ in range(5)] == [False] * 4 + [True]
    return circuit


def test_five_failures_in_half_a_minute_open_it_for_ten_seconds() -> None:
    circuit = opened()
    assert circuit.wait(100.0) == 10
    assert circuit.wait(109.0) == 1
    assert circuit.wait(110.0) == 0


def test_failures_far_apart_do_not_open_it() -> None:
    circuit = AccountCircuit()
    assert not any(circuit.failed(at) for at in (0, 10, 20, 30, 40, 50))


def test_a_success_forgets_the_failures() -> None:
    circuit = AccountCircuit()
    for _ in range(4):
        circuit.failed(100.0)
    circuit.succeeded()
    assert not circuit.failed(100.0)


def test_after_the_pause_one_probe_goes_and_a_failed_one_doubles_the_pause() -> None:
    circuit = opened()
    now, pauses = 110.0, []
    for _ in range(6):
        assert circuit.wait(now) == 0
        circuit.begin(now)
        assert circuit.wait(now) > 0
        assert circuit.failed(now)
        pauses.append(circuit.wait(now))
        now += pauses[-1]
    assert pauses == [20, 40, 80, 120, 120, 120]


def test_a_probe_that_succeeds_closes_it() -> None:
    circuit = opened()
    circuit.begin(110.0)
    circuit.succeeded()
    assert circuit.wait(110.0) == 0
    assert not circuit.failed(111.0)


def test_a_region_opens_when_a_third_of_many_calls_fail_and_closes_with_time() -> None:
    circuit = RegionCircuit()
    for number in range(19):
        circuit.count(100.0, failed=number % 3 == 0)
    assert not circuit.is_open(100.0)
    circuit.count(100.0, failed=False)
    assert circuit.is_open(100.0)
    assert circuit.is_open(129.0)
    assert not circuit.is_open(131.0)


def test_a_few_failures_among_many_calls_are_nothing() -> None:
    circuit = RegionCircuit()
    for number in range(100):
        circuit.count(100.0, failed=number % 4 == 0)
    assert not circuit.is_open(100.0)
