"""Circuit breakers: after many failures the unimportant stops for a while. Pure, time comes in."""

from collections import deque

from signalfleet.adapters.metaapi import limits


class AccountCircuit:
    """Opens after five failed reads within 30 s: 10 s, doubling to 120 s while probes fail."""

    __slots__ = ("_failures", "_open_s", "_open_until", "_probing_until")

    def __init__(self) -> None:
        self._failures: list[float] = []
        self._open_s = 0.0
        self._open_until = 0.0
        self._probing_until = 0.0

    def wait(self, now: float) -> float:
        """Return for how many seconds nothing should be sent; 0 when the way is free."""
        if now < self._open_until:
            return self._open_until - now
        return max(0.0, self._probing_until - now)

    def begin(self, now: float) -> None:
        """Let the call that is about to be made be the only probe for a while."""
        if self._open_s and now >= self._open_until:
            self._probing_until = now + limits.READ_S

    def succeeded(self) -> None:
        self._failures.clear()
        self._open_s = self._open_until = self._probing_until = 0.0

    def failed(self, now: float) -> bool:
        """Count a failure; return whether it opened the circuit."""
        self._failures = [*self._failures, now][-limits.ACCOUNT_FAILURES :]
        if self._open_s:
            if now < self._open_until:
                return False
            self._open_s = min(2 * self._open_s, limits.ACCOUNT_OPEN_LONGEST_S)
        else:
            is_many = len(self._failures) == limits.ACCOUNT_FAILURES
            if not is_many or now - self._failures[0] > limits.ACCOUNT_WINDOW_S:
                return False
            self._open_s = limits.ACCOUNT_OPEN_S
        self._open_until, self._probing_until = now + self._open_s, 0.0
        return True


class RegionCircuit:
    """Open while at least 20 calls were made in 30 s and 30 % of them failed.

    `was_open` is what was last told of it.
    """

    __slots__ = ("_calls", "_failures", "_seconds", "was_open")

    def __init__(self) -> None:
        self.was_open = False
        self._seconds: deque[list[int]] = deque()
        self._calls = 0
        self._failures = 0

    def count(self, now: float, *, failed: bool) -> None:
        second = int(now)
        self._forget(second)
        if not self._seconds or self._seconds[-1][0] != second:
            self._seconds.append([second, 0, 0])
        last = self._seconds[-1]
        last[1] += 1
        last[2] += failed
        self._calls += 1
        self._failures += failed

    def is_open(self, now: float) -> bool:
        self._forget(int(now))
        if self._calls < limits.REGION_CALLS:
            return False
        return self._failures >= limits.REGION_FAILING_SHARE * self._calls

    def _forget(self, second: int) -> None:
        while self._seconds and self._seconds[0][0] <= second - limits.REGION_WINDOW_S:
            _, calls, failures = self._seconds.popleft()
            self._calls -= calls
            self._failures -= failures
