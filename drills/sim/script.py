"""What the channels post in one seed: signals, and what channels do to their signals afterwards."""

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from drills.sim.channels import Channels
from drills.sim.market import MID
from drills.sim.plan import Plan
from signalfleet.domain.ids import ChannelId, MessageId

CHATS: Final = (ChannelId(-1001000000001), ChannelId(-1001000000002))
REPLIES: Final = (
    "SL to BE",
    "Close half",
    "Close now",
    "Cancel the pending order",
    "Move SL to {stop}",
    "TP {target}",
)
LAST_WORDS_S: Final = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Idea:
    """A signal to be posted. `distance` is the stop's, in shares of the price."""

    symbol: str
    buy: bool
    kind: str
    distance: Decimal
    targets: int

    def text(self, *, distance: Decimal | None = None, buy: bool | None = None) -> str:
        """Write the message; with another distance or side, as an edit would."""
        buying = self.buy if buy is None else buy
        mid = Decimal(MID[self.symbol])
        sign = 1 if buying else -1
        step = mid * (distance or self.distance)
        entry = mid if self.kind == "market" else mid - step * sign / 2
        lines = [f"{'BUY' if buying else 'SELL'} {self.symbol} NOW"]
        if self.kind != "market":
            word = "BUY LIMIT" if buying else "SELL LIMIT"
            lines = [f"{word} {self.symbol} {self.price(entry)}"]
        lines.append(f"SL {self.price(entry - step * sign)}")
        for number in range(1, self.targets + 1):
            lines.append(f"TP{number} {self.price(entry + step * sign * number)}")
        return "\n".join(lines)

    def price(self, value: Decimal) -> str:
        return f"{value:.2f}" if self.symbol == "XAUUSD" else f"{value:.5f}"


class Script:
    """Plays one plan into the channels; `expected` are messages that must end with all legs."""

    def __init__(self, plan: Plan, channels: Channels, rng: random.Random) -> None:
        self._plan = plan
        self._channels = channels
        self._rng = rng
        self._steps: list[tuple[float, int, Callable[[], None]]] = []
        self.expected: dict[tuple[ChannelId, MessageId], int] = {}

    async def play(self) -> None:
        loop = asyncio.get_running_loop()
        begun = loop.time()
        for number in range(self._plan.signals):
            idea = self._idea(number)
            at = self._rng.uniform(1, self._plan.length_s)
            self._add(at, self._signal(idea, at))
        while self._steps:
            self._steps.sort(key=lambda step: step[:2])
            at, _, step = self._steps.pop(0)
            await asyncio.sleep(max(begun + at - loop.time(), 0))
            step()

    def _idea(self, number: int) -> Idea:
        rng = self._rng
        kinds = ("market", "market", "pending") if self._plan.calm else ("market", "pending")
        return Idea(
            symbol=rng.choice(sorted(MID)),
            buy=rng.random() < 0.5,
            kind=rng.choice(kinds),
            distance=Decimal("0.004") * Decimal("1.3") ** number,
            targets=rng.randint(1, 3),
        )

    def _signal(self, idea: Idea, at: float) -> Callable[[], None]:
        rng = self._rng
        chat = rng.choice(CHATS)
        is_teaser = not self._plan.calm and idea.kind == "market" and rng.random() < 0.2

        def post() -> None:
            first = f"{'BUY' if idea.buy else 'SELL'} {idea.symbol}" if is_teaser else idea.text()
            number = self._channels.post(chat, first)
            if self._plan.calm:
                self.expected[chat, number] = idea.targets
            if is_teaser:
                self._add(at + rng.uniform(0.1, 90), self._levels(idea, chat, number))
            for _ in range(0 if self._plan.calm else rng.choice((0, 1, 2, 4))):
                later = at + rng.choice((rng.uniform(0, 2), rng.uniform(0, LAST_WORDS_S)))
                self._add(later, self._afterwards(idea, chat, number))

        return post

    def _levels(self, idea: Idea, chat: ChannelId, number: MessageId) -> Callable[[], None]:
        """Bring the levels of a call without any: by an edit, a reply or the next message."""
        levels = idea.text().partition("\n")[2]
        match self._rng.choice(("edit", "edit", "reply", "next")):
            case "reply":
                return lambda: self._post(chat, levels, number)
            case "next":
                return lambda: self._post(chat, levels, None)
            case _:
                return lambda: self._edit(chat, number, idea.text())

    def _afterwards(self, idea: Idea, chat: ChannelId, number: MessageId) -> Callable[[], None]:
        rng = self._rng
        kind = rng.choice(("edit", "edit", "flip", "back", "delete", "repeat", *["reply"] * 6))
        share = Decimal(rng.choice(("0.6", "0.8", "1.5")))
        match kind:
            case "edit":
                text = idea.text(distance=idea.distance * share)
                return lambda: self._edit(chat, number, text)
            case "flip":
                return lambda: self._edit(chat, number, idea.text(buy=not idea.buy))
            case "back":
                return lambda: self._edit(chat, number, idea.text())
            case "delete":
                return lambda: self._channels.delete(chat, number)
            case "repeat":
                return lambda: self._post(chat, idea.text(), None)
            case _:
                words = self._words(idea, share)
                return lambda: self._post(chat, words, number)

    def _words(self, idea: Idea, share: Decimal) -> str:
        mid = Decimal(MID[idea.symbol])
        sign = 1 if idea.buy else -1
        step = mid * idea.distance * sign
        words = self._rng.choice(REPLIES)
        stop, target = idea.price(mid - step * share / 2), idea.price(mid + step * share * 2)
        return words.format(stop=stop, target=target)

    def _edit(self, chat: ChannelId, number: MessageId, text: str) -> None:
        self._channels.edit(chat, number, text)

    def _post(self, chat: ChannelId, text: str, reply_to: MessageId | None) -> None:
        self._channels.post(chat, text, reply_to)

    def _add(self, at: float, step: Callable[[], None]) -> None:
        self._steps.append((at, len(self._steps), step))
