"""The names that the local terminal lists, asked for now and then."""

from collections.abc import Awaitable, Callable

from signalfleet.adapters.mt5 import limits
from signalfleet.adapters.mt5.client import Mt5Module
from signalfleet.ports.clock import Clock
from signalfleet.ports.errors import TemporaryError


class KeptNames:
    """A terminal hands out every property of every symbol it lists, and lists hardly change."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._names: frozenset[str] = frozenset()
        self._read_at = 0.0

    async def get(self, read: Callable[[], Awaitable[frozenset[str]]]) -> frozenset[str]:
        """Return what is known if it is young and not empty, else what `read` finds."""
        now = self._clock.monotonic()
        if not self._names or now - self._read_at > limits.SYMBOLS_AGE_S:
            self._names, self._read_at = await read(), now
        return self._names


def names_in(module: Mt5Module) -> frozenset[str]:
    """Ask the terminal; in its own thread."""
    found = module.symbols_get()
    if found is None:
        raise TemporaryError("the local terminal lists no symbols now")
    return frozenset(str(info.name) for info in found)
