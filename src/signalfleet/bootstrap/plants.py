"""Faults planted for drills: texts that break the reading, bots that burn or hoard.

`SIGNALFLEET_DRILL_PLANT=poison,hoard:u_x:20,swell:u_x:20`. `poison`: reading a text with
`#drill-raise` or `#drill-recursion` fails, one with `#drill-burn` takes ten milliseconds. `hoard`:
each call to the user's broker keeps so many megabytes in that bot's hands; `swell`: in nobody's,
but only in the first process that comes to it. Without the variable nothing is wrapped.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter
from typing import Any, Final, cast

from signalfleet.bootstrap.settings import ConfigurationError
from signalfleet.bots.services import BotServices
from signalfleet.domain.ids import UserId
from signalfleet.domain.signals.parse import Parser
from signalfleet.ports.broker import Broker
from signalfleet.ports.secrets import Secret
from signalfleet.ports.store import Account

VARIABLE: Final = "SIGNALFLEET_DRILL_PLANT"
RAISE: Final = "#drill-raise"
RECURSION: Final = "#drill-recursion"
BURN: Final = "#drill-burn"
SLICE_S: Final = 0.01
MB: Final = 2**20

_swollen: list[bytes] = []
_MARK: Final = "drill.swells"


def _is_first(folder: Path) -> bool:
    """Tell whether this process is the one that swells: a file remembers which was the first."""
    mark = folder / _MARK
    try:
        with mark.open("x", encoding="ascii") as new:
            new.write(str(os.getpid()))
    except FileExistsError:
        return mark.read_text(encoding="ascii") == str(os.getpid())
    return True


@dataclass(frozen=True, slots=True)
class _Plant:
    kind: str
    user: str = ""
    amount: int = 0

    @classmethod
    def parse(cls, text: str) -> "_Plant":
        kind, _, rest = text.strip().partition(":")
        user, _, amount = rest.partition(":")
        if kind == "poison" and not rest:
            return cls(kind)
        if kind not in {"hoard", "swell"} or not user or not amount.isdigit():
            raise ConfigurationError(f"{VARIABLE} must look like poison or hoard:u_x:20")
        return cls(kind, user, int(amount))


class _PoisonedParser:
    """Reads as ever, except what a drill has marked."""

    def __init__(self, inner: Parser) -> None:
        self._inner = inner

    def parse(self, message: Any, *rest: Any, **named: Any) -> Any:  # noqa: ANN401 - forwarded
        if RAISE in message.text:
            raise ValueError("planted by a drill")
        if BURN in message.text:
            end = perf_counter() + SLICE_S
            while perf_counter() < end:
                pass
        if RECURSION in message.text:
            return self.parse(message, *rest, **named)
        return self._inner.parse(message, *rest, **named)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - a proxy
        return getattr(self._inner, name)


class _PlantedBroker:
    """Does what was planted at each call, then calls."""

    def __init__(self, inner: Broker, plant: _Plant, folder: Path) -> None:
        self._folder = folder
        self._inner = inner
        self._plant = plant
        self._hoard: list[bytes] = []

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - a proxy
        value = getattr(self._inner, name)
        return self._call(value) if asyncio.iscoroutinefunction(value) else value

    def _call(self, method: Callable[..., Awaitable[object]]) -> Callable[..., Awaitable[object]]:
        async def call(*args: object, **named: object) -> object:
            self._strike()
            return await method(*args, **named)

        return call

    def _strike(self) -> None:
        plant = self._plant
        if plant.kind == "swell" and not _is_first(self._folder):
            return
        # Not zeros: pages that were never written to take no memory.
        heap = self._hoard if plant.kind == "hoard" else _swollen
        heap.append(b"x" * (plant.amount * MB))


def with_plants(services: BotServices, folder: Path, *, is_production: bool) -> BotServices:
    """Plant what a drill asks for; in production it must not be asked for.

    `folder` is the data directory, which the processes of a server share.
    """
    text = os.environ.get(VARIABLE)  # noqa: TID251 - never a setting of the product
    if not text:
        return services
    if is_production:
        raise ConfigurationError(f"{VARIABLE} breaks bots; it is for drills, remove it")
    plants = [_Plant.parse(part) for part in text.split(",")]
    if any(plant.kind == "poison" for plant in plants):
        services = replace(services, parser=cast("Parser", _PoisonedParser(services.parser)))
    make_broker = services.make_broker

    def make_planted(user: UserId, account: Account, token: Secret | None) -> Broker:
        broker = make_broker(user, account, token)
        for plant in plants:
            if plant.user == user:
                broker = cast("Broker", _PlantedBroker(broker, plant, folder))
        return broker

    return replace(services, make_broker=make_planted)
