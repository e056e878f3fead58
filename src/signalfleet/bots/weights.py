"""How much memory hangs on one bot, as far as it can be told inside one process."""

import asyncio
import contextvars
import gc
import logging
import sys
import types
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from time import perf_counter_ns
from typing import Final

from signalfleet.bots.meters import Metered

OBJECTS_MAX: Final = 20_000
SLICE_NS: Final = 2_000_000
LOOK_EVERY: Final = 64
SHARED_DEPTH: Final = 8
SHARED_MAX: Final = 20_000
SHARED_TYPES: Final[tuple[type, ...]] = (
    type,
    types.ModuleType,
    types.FunctionType,
    types.BuiltinFunctionType,
    types.CodeType,
    types.FrameType,
    types.TracebackType,
    types.CoroutineType,
    types.GeneratorType,
    types.AsyncGeneratorType,
    contextvars.Context,
    contextvars.ContextVar,
    logging.Logger,
    asyncio.AbstractEventLoop,
    asyncio.Future,
    Metered,
)
"""What leads out of a bot: by a task or a frame the walk would reach every other bot."""
_KNOWN_KINDS: Final[dict[type, bool]] = {}


class Walk:
    """One look at a bot's objects, in slices. Objects may come and go between the slices.

    `shared` is counted for nobody: objects by their ids, as `shared_parts` finds them.
    """

    def __init__(
        self,
        root: object,
        shared: Mapping[int, object] = types.MappingProxyType({}),
        now_ns: Callable[[], int] = perf_counter_ns,
    ) -> None:
        self._now_ns = now_ns
        self._shared = shared
        self._seen: set[int] = set()
        self._open: deque[object] = deque([root])
        self.counted = 0
        self.counted_bytes = 0

    @property
    def is_done(self) -> bool:
        return not self._open or self.counted >= OBJECTS_MAX

    @property
    def total_bytes(self) -> int:
        """Return the bytes found; what was left at the bound counts with the mean of the rest."""
        if not self._open or not self.counted:
            return self.counted_bytes
        return self.counted_bytes + len(self._open) * (self.counted_bytes // self.counted)

    def step(self, slice_ns: int = SLICE_NS) -> bool:
        """Walk on for a slice of time; True when the walk is over."""
        end = self._now_ns() + slice_ns
        while not self.is_done:
            if self.counted % LOOK_EVERY == 0 and self._now_ns() > end:
                return False
            self._count(self._open.popleft())
        return True

    def _count(self, one: object) -> None:
        self.counted += 1
        number = id(one)
        if number in self._seen or number in self._shared or _leads_out(type(one)):
            return
        self._seen.add(number)
        self.counted_bytes += sys.getsizeof(one, 0)
        if isinstance(one, types.MethodType):
            self._open.append(one.__self__)
            return
        self._open.extend(gc.get_referents(one))


def _leads_out(kind: type) -> bool:
    found = _KNOWN_KINDS.get(kind)
    if found is None:
        found = _KNOWN_KINDS[kind] = issubclass(kind, SHARED_TYPES)
    return found


def shared_parts(objects: Iterable[object]) -> Mapping[int, object]:
    """Return the objects and what they are made of, some levels deep, by their ids.

    Bots reach the parts too: a user's store, for one, knows the database and not the store of all.
    """
    found: dict[int, object] = {}
    level = list(objects)
    for _ in range(SHARED_DEPTH):
        below: list[object] = []
        plain: list[object] = []
        for one in level:
            if id(one) in found:
                continue
            if len(found) >= SHARED_MAX:
                return found
            found[id(one)] = one
            if isinstance(one, types.FunctionType | types.MethodType):
                below += _bound(one)
            elif not _leads_out(type(one)):
                plain.append(one)
        below += gc.get_referents(*plain)
        level = below
    return found


def _bound(one: types.FunctionType | types.MethodType) -> list[object]:
    if isinstance(one, types.MethodType):
        return [one.__self__]
    return [cell.cell_contents for cell in one.__closure__ or () if _is_filled(cell)]


def _is_filled(cell: types.CellType) -> bool:
    try:
        _ = cell.cell_contents
    except ValueError:  # A name that the function meets before it is given.
        return False
    return True
