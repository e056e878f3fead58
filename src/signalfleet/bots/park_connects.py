"""No new connection to Telegram for users whose slots another process may own by now."""

from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Final, NoReturn, Protocol

from signalfleet.ports.chat_source import ChatSource
from signalfleet.ports.clock import Clock
from signalfleet.ports.lease import FENCE_SHARE, Lease

CHECK_SHARE: Final = 0.1
CHECK_S: Final = 1.0


class Connecting(Protocol):
    """Somebody who connects to Telegram while a lease lasts."""

    @property
    def lease(self) -> Lease | None: ...

    @property
    def source(self) -> ChatSource | None: ...


async def park_connects(bots: Callable[[], Iterable[Connecting]], clock: Clock) -> NoReturn:
    """Close the way out when a lease was not renewed in time, and open it again when it was.

    A connection that stands is left alone: whoever loses the slot closes it. One task looks after
    all bots of a worker.
    """
    while True:
        pause = CHECK_S
        for bot in bots():
            lease, source = bot.lease, bot.source
            if lease is None:
                continue
            pause = min(pause, CHECK_SHARE * lease.ttl_s)
            if source is not None:
                source.allow_connecting(allowed=lease.age_s() < FENCE_SHARE * lease.ttl_s)
        await clock.sleep(timedelta(seconds=pause))
