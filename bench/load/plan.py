"""What a load is made of: how many users, which channels they share, what is posted and how often.

Everything follows from the plan and its seed, so two processes that have the plan agree about who
is a member of what, and about the levels of the n-th signal.
"""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from decimal import Decimal
from random import Random
from typing import Any, Final

from signalfleet_sim.market.listing import LISTINGS

SYMBOLS: Final = "EURUSD GBPUSD USDJPY GBPJPY AUDUSD USDCAD XAUUSD XAGUSD US30 NAS100".split()
STOP_SHARE: Final = Decimal("0.006")
EVERYBODY: Final = "Everybody"
REGION: Final = "new-york"
CHATTER: Final = (
    "Good morning traders, big week ahead of us",
    "London session was quiet today, patience pays",
    "Congratulations to everyone who took profit, join the VIP for more",
    "Remember: never risk more than you can afford to lose",
    "Weekly recap is coming in the evening",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mix:
    """Shares of what is posted, in parts; the rest of the parts are signals.

    `follow_ups` answer an earlier signal of their room and move its stop to break even, `closes`
    end the room's oldest, `edits` change the words of an earlier signal and no level, `chatter` is
    no signal at all.
    """

    signals: int = 100
    follow_ups: int = 0
    closes: int = 0
    edits: int = 0
    chatter: int = 0

    def choose(self, rng: Random) -> str:
        names = ("signal", "follow_up", "close", "edit", "chatter")
        parts = (self.signals, self.follow_ups, self.closes, self.edits, self.chatter)
        return rng.choices(names, parts)[0]


SIGNALS_ONLY: Final = Mix()
EVERYDAY: Final = Mix(signals=40, follow_ups=15, edits=5, chatter=40)


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadPlan:
    """`users` people, one channel that all follow, and rooms of `room_size` that overlap.

    Each user is in `rooms_each` rooms. With `room_size` 1 a post reaches one bot. The broker
    answers an order after `latency_s` at least and at most.
    """

    users: int = 100
    rooms_each: int = 2
    room_size: int = 5
    seed: int = 20_271
    latency_s: tuple[float, float] = (0.0, 0.0)

    @property
    def rooms(self) -> int:
        return max(1, -(-self.users * self.rooms_each // self.room_size))

    def rooms_of(self, user: int) -> list[int]:
        """Return the user's rooms. The n-th choice is shifted, so that other people meet there."""
        per_choice = max(1, self.rooms // self.rooms_each)
        found = {
            (user * 7**choice % self.users // self.room_size % per_choice + choice * per_choice)
            % self.rooms
            for choice in range(self.rooms_each)
        }
        return sorted(found)

    def title(self, room: int) -> str:
        return f"Room {room}"

    def dump(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def load(cls, text: str) -> "LoadPlan":
        fields: dict[str, Any] = json.loads(text)
        return cls(**{**fields, "latency_s": tuple(fields["latency_s"])})


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalText:
    """One signal. No two of a run agree in symbol, side and stop: so orders find their posts."""

    symbol: str
    side: str
    stop: Decimal
    target: Decimal

    @property
    def text(self) -> str:
        return f"{self.side.upper()} {self.symbol} NOW\nSL {self.stop}\nTP {self.target}"

    @property
    def key(self) -> tuple[str, str, Decimal]:
        return (self.symbol, self.side, self.stop.normalize())


@dataclass(frozen=True, slots=True, kw_only=True)
class Posted:
    """What was posted, where, and when: seconds since 1970, taken directly before."""

    kind: str
    room: int | None
    message: int
    at: float
    members: int
    signal: SignalText | None = None

    def dump(self) -> dict[str, Any]:
        facts = asdict(replace(self, signal=None))
        if self.signal is not None:
            facts["signal"] = {name: str(one) for name, one in asdict(self.signal).items()}
        return facts

    @classmethod
    def load(cls, facts: dict[str, Any]) -> "Posted":
        signal = facts["signal"]
        if signal is not None:
            levels = {name: Decimal(signal[name]) for name in ("stop", "target")}
            signal = SignalText(symbol=signal["symbol"], side=signal["side"], **levels)
        return cls(**{**facts, "signal": signal})


@dataclass(slots=True)
class Writer:
    """Writes signals at the prices of a market that stands still."""

    rng: Random
    _number: int = 0
    _prices: dict[str, tuple[Decimal, Decimal]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for listing in LISTINGS:
            tick = listing.instrument.tick_size
            self._prices[listing.instrument.name] = (listing.start, tick)

    def signal(self) -> SignalText:
        symbol = SYMBOLS[self._number % len(SYMBOLS)]
        start, tick = self._prices[symbol]
        side = self.rng.choice(("buy", "sell"))
        steps = int(start * STOP_SHARE / tick) + self._number // len(SYMBOLS)
        distance = steps * tick * (1 if side == "buy" else -1)
        self._number += 1
        return SignalText(
            symbol=symbol, side=side, stop=start - distance, target=start + 2 * distance
        )

    def chatter(self) -> str:
        return self.rng.choice(CHATTER)


def moments(rate: float, seconds: float) -> Iterator[float]:
    """Give when to post, in seconds from the beginning, evenly."""
    for number in range(round(rate * seconds)):
        yield number / rate
