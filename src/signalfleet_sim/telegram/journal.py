"""What happened, as the server saw it: calls, connects, and breaches of good behaviour."""

from collections import defaultdict, deque
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

KEPT_CALLS: Final = 5_000
CONNECT_WINDOW_S: Final = 2.0
CODE_INTERVAL_S: Final = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class CallRecord:
    """One request of a client and how it was answered."""

    at: float
    method: str
    user_id: int | None
    key_id: str
    dc: int
    address: str
    error: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """Something a well-behaved client never does; a test fails if one is left."""

    at: float
    kind: str
    detail: str


class Journal:
    """Keeps the newest calls of each user, every violation, and the connects of the last seconds.

    `connects_per_s` is the rate one address may connect at, measured over two seconds; None turns
    the check off. `methods` limits what anybody may call; None allows all that are answered.
    """

    def __init__(self) -> None:
        self.connects_per_s: float | None = 100.0
        self.methods: Collection[str] | None = None
        self.violations: list[Violation] = []
        self.connects = 0
        self._calls: defaultdict[int | None, deque[CallRecord]] = defaultdict(
            lambda: deque(maxlen=KEPT_CALLS)
        )
        self._recent_connects: defaultdict[str, deque[float]] = defaultdict(deque)
        self._last_code: dict[str, float] = {}

    def violate(self, at: float, kind: str, detail: str) -> None:
        """Record a breach."""
        self.violations.append(Violation(at=at, kind=kind, detail=detail))

    def call(self, record: CallRecord) -> None:
        """Record a request, and a breach if its method is outside the expected ones."""
        self._calls[record.user_id].append(record)
        if self.methods is not None and record.method not in self.methods:
            self.violate(record.at, "method", f"{record.method} is not expected here")

    def calls(self, user_id: int | None) -> list[CallRecord]:
        """Return the newest calls of a user; None gives those made before signing in."""
        return list(self._calls[user_id])

    def connected(self, at: float, address: str) -> None:
        """Count a connection from an address."""
        self.connects += 1
        recent = self._recent_connects[address]
        recent.append(at)
        while recent[0] <= at - CONNECT_WINDOW_S:
            recent.popleft()
        limit = self.connects_per_s
        if limit is not None and len(recent) > limit * CONNECT_WINDOW_S:
            detail = f"{len(recent)} connects in {CONNECT_WINDOW_S:.0f} s from {address}"
            self.violate(at, "connects", detail)
            recent.clear()

    def code_requested(self, at: float, phone: str) -> None:
        """Record a breach if codes for one phone are asked for in quick succession."""
        last = self._last_code.get(phone)
        self._last_code[phone] = at
        if last is not None and at - last < CODE_INTERVAL_S:
            self.violate(at, "send_code", f"second code within {CODE_INTERVAL_S:.0f} s")
