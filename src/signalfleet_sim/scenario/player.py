"""Plays a script on the simulated market and channels."""

import asyncio
from dataclasses import dataclass
from decimal import Decimal

from signalfleet.domain.money import Price
from signalfleet_sim.market.clock import SimClock
from signalfleet_sim.market.seeded import SeededMarket
from signalfleet_sim.scenario.beats import Beat, Delete, Edit, Idea, Move, Post, Script
from signalfleet_sim.telegram.chats import SimChannel


@dataclass(frozen=True, slots=True, kw_only=True)
class Levels:
    """An idea at the price when it was posted."""

    idea: Idea
    entry: Decimal
    far: Decimal
    stop: Decimal
    targets: tuple[Decimal, ...]

    def words(self) -> dict[str, str]:
        """Return the placeholders that a text may hold."""
        named = {"e": self.entry, "e2": self.far, "sl": self.stop, "be": self.entry}
        named |= {f"tp{n}": level for n, level in enumerate(self.targets, start=1)}
        return {name: f"{level:f}" for name, level in named.items()}


@dataclass(slots=True)
class _Said:
    channel: SimChannel
    message: int
    text: str
    levels: Levels | None


class Player:
    """Plays beats in order; what was said is remembered by name for replies and edits."""

    def __init__(
        self, script: Script, channels: dict[str, SimChannel], market: SeededMarket, clock: SimClock
    ) -> None:
        self._script = script
        self._channels = channels
        self._market = market
        self._clock = clock
        self._said: dict[str, _Said] = {}
        self.played = 0

    async def run(self, *, speed: float = 1.0) -> None:
        """Play the script once."""
        start = self._clock.time()
        self._said.clear()
        for beat in sorted(self._script.beats, key=lambda item: item.at):
            wait = start + beat.at / speed - self._clock.time()
            if wait > 0:
                await asyncio.sleep(wait)
            self.play(beat)

    def play(self, beat: Beat) -> None:
        match beat:
            case Post():
                self._post(beat)
            case Edit(name=name, text=text):
                said = self._said[name]
                said.text = text.replace("{text}", said.text)
                said.channel.edit(said.message, said.text)
            case Delete(name=name):
                said = self._said[name]
                said.channel.delete([said.message])
            case Move():
                self._move(beat)
        self.played += 1

    def _post(self, beat: Post) -> None:
        levels = self._levels(beat.idea) if beat.idea is not None else None
        known = levels or (self._said[beat.of].levels if beat.of else None)
        text = beat.text
        for name, value in (known.words() if known else {}).items():
            text = text.replace("{" + name + "}", value)
        parent = self._said[beat.reply_to].message if beat.reply_to else None
        channel = self._channels[beat.channel]
        message = channel.post(text, reply_to=parent, forwarded=beat.forwarded)
        self._said[beat.name] = _Said(channel, message, text, levels)

    def _levels(self, idea: Idea) -> Levels:
        quote = self._market.quote(idea.symbol)
        sign = 1 if idea.side == "buy" else -1
        price = quote.ask if sign > 0 else quote.bid
        entry = self._on_tick(idea, price.value - idea.ahead * sign)
        return Levels(
            idea=idea,
            entry=entry,
            far=self._on_tick(idea, entry - idea.zone * sign),
            stop=self._on_tick(idea, entry - idea.stop * sign),
            targets=tuple(self._on_tick(idea, entry + t * sign) for t in idea.targets),
        )

    def _on_tick(self, idea: Idea, value: Decimal) -> Decimal:
        return Price(value).rounded(self._market.instrument(idea.symbol).tick_size).value

    def _move(self, beat: Move) -> None:
        levels = self._said[beat.name].levels
        if levels is None:
            return
        quote = self._market.quote(levels.idea.symbol)
        goal = levels.targets[0] if beat.share >= 0 else levels.stop
        way = goal - levels.entry
        target = levels.entry + way * abs(beat.share)
        # Past the level by a spread, so that the side of the price that triggers passes it too.
        if abs(beat.share) == 1:
            target += quote.spread * (2 if way > 0 else -2)
        self._market.steer(levels.idea.symbol, target, beat.within)
