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
    are_parked = False
    while True:
        pause, were_parked = CHECK_S, are_parked
        known: dict[int, _Verdict] = {}  # Most bots of a worker have one lease together.
        for bot in bots():
            lease = bot.lease
            if lease is None:
                continue
            verdict = known.get(id(lease))
            if verdict is None:
                verdict = known[id(lease)] = _Verdict(lease)
                pause = min(pause, CHECK_SHARE * lease.ttl_s)
            if (were_parked or not verdict.may_connect) and bot.source is not None:
                bot.source.allow_connecting(allowed=verdict.may_connect)
        are_parked = not all(verdict.may_connect for verdict in known.values())
        await clock.sleep(timedelta(seconds=pause))


class _Verdict:
    """What a lease allows at this moment; it keeps the lease, so that its id stays its own."""

    __slots__ = ("_lease", "may_connect")

    def __init__(self, lease: Lease) -> None:
        self._lease = lease
        self.may_connect = lease.age_s() < FENCE_SHARE * lease.ttl_s
