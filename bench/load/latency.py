"""How long an order took from the post to the broker: both ends are stamped by the simulators."""

from collections.abc import Sequence
from decimal import Decimal

from bench.load.plan import Posted
from bench.load.towns import Order


def latencies(posted: Sequence[Posted], orders: Sequence[Order]) -> list[float]:
    """Return for each order how long after the post its request came in at the broker."""
    posts: dict[tuple[str, str, Decimal], Posted] = {
        one.signal.key: one for one in posted if one.signal is not None
    }
    return [one.received_at - posts[one.key].at for one in orders if one.key in posts]
