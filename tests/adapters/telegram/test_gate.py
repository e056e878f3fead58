"""Mass reconnects are paced, and no session ever stops trying."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

from kit.telegram_reader import CountingMetrics
from signalfleet.adapters.telegram.egress import Egress
from signalfleet.adapters.telegram.gate import ConnectGate, SessionTurn
from signalfleet.adapters.telegram.host_pace import HostPace


class HandClock:
    """Time that passes when somebody sleeps, and for nobody else."""

    def __init__(self) -> None:
        self.time = 1_000.0
        self.slept: list[float] = []

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.time, UTC)

    def monotonic(self) -> float:
        return self.time

    async def sleep(self, delay: timedelta) -> None:
        self.slept.append(delay.total_seconds())
        self.time += delay.total_seconds()
        await asyncio.sleep(0)


class Highest:
    """Chance at its worst: the longest wait each time."""

    def uniform(self, low: float, high: float) -> float:
        return max(low, high)


def a_turn(clock: HandClock, rate: float = 1e6) -> SessionTurn:
    gate = ConnectGate(clock, connects_per_s=rate)
    return SessionTurn(gate, clock, Highest(), CountingMetrics())


async def test_the_first_connect_goes_at_once() -> None:
    clock = HandClock()
    await a_turn(clock, rate=5).turn()
    assert clock.slept == []


async def test_refusals_double_the_ceiling_up_to_half_a_minute_and_never_end() -> None:
    clock = HandClock()
    turn = a_turn(clock)
    slept = []
    for _ in range(40):
        turn.note_refused()
        clock.slept.clear()
        await turn.turn()
        slept.append(clock.slept[0])
    assert slept[:5] == [1, 2, 4, 8, 16]
    assert set(slept[5:]) == {30.0}


async def test_connections_that_die_young_double_it_up_to_five_minutes() -> None:
    clock = HandClock()
    turn = a_turn(clock)
    slept = []
    for _ in range(20):
        turn.note_up()
        turn.note_proved()
        turn.note_down()
        clock.slept.clear()
        await turn.turn()
        slept.append(clock.slept[0])
    assert slept[:5] == [1, 2, 4, 8, 16]
    assert set(slept[10:]) == {300.0}


async def test_who_is_not_allowed_to_connect_waits_without_an_end() -> None:
    clock = HandClock()
    turn = a_turn(clock)
    turn.allow(allowed=False)
    async with asyncio.TaskGroup() as tasks:
        connecting = tasks.create_task(turn.turn())
        for _ in range(20):
            await asyncio.sleep(0)
        assert not connecting.done()
        turn.allow(allowed=True)
    assert connecting.done()


async def test_users_with_open_trades_connect_first() -> None:
    clock = HandClock()
    gate = ConnectGate(clock, connects_per_s=5)
    came: list[int] = []

    async def connect(number: int) -> None:
        turn = SessionTurn(gate, clock, Highest(), CountingMetrics())
        turn.is_urgent = lambda: number % 10 == 9
        await turn.turn()
        came.append(number)

    async with asyncio.TaskGroup() as tasks:
        for number in range(30):
            tasks.create_task(connect(number))
    first = [number for number in came if number % 10 == 9]
    assert first == [9, 19, 29]
    # Only who was called before they came is before them.
    assert came.index(29) <= 5
    rest = [number for number in came if number % 10 != 9]
    assert rest == sorted(rest)


async def test_two_processes_of_a_machine_share_its_pace(tmp_path: Path) -> None:
    clock = HandClock()
    gates = [
        ConnectGate(clock, connects_per_s=8, shared=HostPace(tmp_path / "run" / "connects"))
        for _ in range(2)
    ]
    start = clock.time
    for number in range(160):
        await gates[number % 2].turn()
    assert 18 <= clock.time - start <= 21


def test_a_machine_that_was_started_anew_does_not_wait_for_its_former_time(tmp_path: Path) -> None:
    pace = HostPace(tmp_path / "connects")
    pace.take(9_000.0, 0.1)
    assert pace.take(1.0, 0.1) <= 1.0


async def test_too_many_refusals_pause_all_and_single_tries_find_the_server_again() -> None:
    clock = HandClock()
    gate = ConnectGate(clock, connects_per_s=100)
    turn = SessionTurn(gate, clock, Highest(), CountingMetrics())
    for _ in range(9):
        turn.note_refused()
    assert not gate.egress.is_paused(clock.time)
    turn.note_throttled()
    assert gate.egress.is_paused(clock.time + 59)
    start = clock.time
    other = SessionTurn(gate, clock, Highest(), CountingMetrics())
    await other.turn()
    assert clock.time - start == 10
    await SessionTurn(gate, clock, Highest(), CountingMetrics()).turn()
    assert clock.time - start == 20
    other.note_up()
    other.note_proved()
    await SessionTurn(gate, clock, Highest(), CountingMetrics()).turn()
    assert clock.time - start <= 20.1


async def test_the_pause_doubles_up_to_a_quarter_of_an_hour() -> None:
    egress = Egress()
    now = 1_000.0
    lengths = []
    for _ in range(7):
        for _ in range(10):
            egress.note(now, ok=False)
        start = now
        while egress.is_paused(now):
            now += 1
        lengths.append(now - start)
    assert lengths == [60, 120, 240, 480, 900, 900, 900]


async def test_a_few_failures_among_many_are_no_reason_to_pause() -> None:
    egress = Egress()
    for number in range(100):
        egress.note(1_000.0 + number / 10, ok=number % 5 != 0)
    assert not egress.is_paused(1_010.0)


async def test_a_connection_that_dies_young_counts_as_a_failure() -> None:
    clock = HandClock()
    turn = a_turn(clock)
    for _ in range(3):
        turn.note_up()
        clock.time += 5
        turn.note_down()
    assert turn.failures == 3


async def test_a_long_life_pays_for_earlier_failures() -> None:
    clock = HandClock()
    turn = a_turn(clock)
    turn.note_refused()
    turn.note_up()
    clock.time += 61
    turn.note_down()
    assert turn.failures == 0
    turn.note_down()
    assert turn.failures == 0


async def test_a_thousand_sessions_pass_at_the_common_pace() -> None:
    clock = HandClock()
    gate = ConnectGate(clock, connects_per_s=5)
    start = clock.time
    for _ in range(1_000):
        await SessionTurn(gate, clock, Random(1), CountingMetrics()).turn()
    assert 195 <= clock.time - start <= 200


async def test_a_quiet_hour_saves_up_one_second_only() -> None:
    clock = HandClock()
    gate = ConnectGate(clock, connects_per_s=5)
    await gate.turn()
    clock.time += 3_600
    start = clock.time
    for _ in range(16):
        await gate.turn()
    assert clock.time - start > 1.9
