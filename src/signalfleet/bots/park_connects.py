"""No new connection to Telegram for a user whose slot another process may own by now."""

from collections.abc import Callable
from datetime import timedelta
from typing import Final, NoReturn

from signalfleet.ports.chat_source import ChatSource
from signalfleet.ports.clock import Clock
from signalfleet.ports.lease import FENCE_SHARE, Lease

CHECK_SHARE: Final = 0.1


async def park_connects(
    lease: Lease, clock: Clock, source_of: Callable[[], ChatSource | None]
) -> NoReturn:
    """Close the way out when the lease was not renewed in time, and open it again when it was.

    A connection that stands is left alone: whoever loses the slot closes it.
    """
    while True:
        source = source_of()
        if source is not None:
            source.allow_connecting(allowed=lease.age_s() < FENCE_SHARE * lease.ttl_s)
        await clock.sleep(timedelta(seconds=CHECK_SHARE * lease.ttl_s))
