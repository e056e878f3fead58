"""A sign of life that a loop leaves in memory it shares with its supervisor."""

import asyncio
import faulthandler
import mmap
import os
import struct
import sys
import tempfile
import time
from pathlib import Path
from typing import Final, NoReturn

BEAT_S: Final = 0.5
STACK_SHARE: Final = 0.8
"""After this share of the time that a loop may stand still, its stack goes to the log."""
_TIME: Final = struct.Struct("<Q")


class BeatBoard:
    """The supervisor's side: one place for each child, inherited by its descriptor."""

    def __init__(self, places: int) -> None:
        self.descriptor = _memory(places * _TIME.size)
        self._memory = mmap.mmap(self.descriptor, places * _TIME.size)

    def clear(self, place: int) -> None:
        """Forget the last beat: a new process begins."""
        _TIME.pack_into(self._memory, place * _TIME.size, 0)

    def age_s(self, place: int) -> float | None:
        """Return how long ago the last beat was; None before the first and after the last one."""
        (beat,) = _TIME.unpack_from(self._memory, place * _TIME.size)
        return None if not beat else max((time.monotonic_ns() - beat) / 1e9, 0.0)

    def close(self) -> None:
        self._memory.close()
        os.close(self.descriptor)


class Beat:
    """The child's side. `place` is what the supervisor gave it: the descriptor and the place."""

    def __init__(self, place: str, freeze_s: float) -> None:
        descriptor, _, number = place.partition(".")
        self._offset = int(number) * _TIME.size
        self._memory = mmap.mmap(int(descriptor), 0)
        self._stack_after_s = freeze_s * STACK_SHARE

    async def run(self) -> NoReturn:
        """Beat until cancelled, and say so then; a loop that stands still shows where."""
        try:
            while True:
                _TIME.pack_into(self._memory, self._offset, time.monotonic_ns())
                faulthandler.dump_traceback_later(self._stack_after_s)
                await asyncio.sleep(BEAT_S)
        finally:
            _TIME.pack_into(self._memory, self._offset, 0)
            faulthandler.cancel_dump_traceback_later()


def _memory(size: int) -> int:
    """Return a descriptor of memory; on a disk that is busy a beat could have to wait."""
    if sys.platform == "linux":
        descriptor = os.memfd_create("signalfleet-beats")
    else:
        descriptor, name = tempfile.mkstemp()
        Path(name).unlink()
    os.ftruncate(descriptor, size)
    return descriptor
