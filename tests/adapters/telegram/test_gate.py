"""Mass reconnects are paced, and no session ever stops trying."""

import asyncio
from datetime import UTC, datetime, timedelta
from random import Random

from kit.telegram_reader import CountingMetrics
from signalfleet.adapters.telegram.gate import ConnectGate, SessionTurn


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


async def test_failures_double_the_ceiling_up_to_five_minutes_and_never_end() -> None:
    clock = HandClock()
    turn = a_turn(clock)
    for _ in range(40):
        turn.note_refused()
        await turn.turn()
    assert clock.slept[:5] == [1, 2, 4, 8, 16]
    assert set(clock.slept[10:]) == {300.0}


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
