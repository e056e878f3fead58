"""Keep what many bots remember in large pages.

A bot wakes up, touches a little of its memory, and sleeps again. In pages of 4 KB nearly each touch
of the next bot must find its page first, for which the processor reads memory several times more,
and in a virtual machine a dozen times. Most kernels put nothing in large pages that does not ask
for it, and Python does not ask. Who does not want it sets `transparent_hugepage/enabled` to
`never`. Linux 6.1 and later: https://man7.org/linux/man-pages/man2/madvise.2.html
"""

import asyncio
import ctypes
import errno
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from mmap import PAGESIZE
from pathlib import Path
from typing import Final

import structlog

from signalfleet.ports.clock import Clock

log = structlog.get_logger()

EVERY: Final = timedelta(seconds=30)
FILLED: Final = 0.9
"""A large page takes all of its memory: what is mostly empty would only weigh more."""
MOST_BYTES: Final = 32 * 2**20
"""Some machines have nothing between 64 KB and half a gigabyte."""
KERNEL: Final = Path("/sys/kernel/mm/transparent_hugepage")
MAPS: Final = Path("/proc/self/maps")
MADV_COLLAPSE: Final = 25


@dataclass(frozen=True, slots=True, kw_only=True)
class Gathered:
    """How many large pages there are now that were asked for, and how many the kernel refused."""

    pages: int = 0
    refused: int = 0


class LargePages:
    """Asks again and again, as the memory grows; ends where it is not wanted or not possible."""

    def __init__(self, clock: Clock, kernel: Path = KERNEL, maps: Path = MAPS) -> None:
        self._clock = clock
        self._kernel = kernel
        self._maps = maps

    async def run(self) -> None:
        """Never fails: bots that take a little longer are better than none."""
        size = await asyncio.to_thread(self._size)
        while size:
            await self._clock.sleep(EVERY)
            try:
                found = await asyncio.to_thread(gather, size, self._maps)
            except (OSError, ValueError, AttributeError) as error:
                log.info("large_pages_not_possible", cause=type(error).__name__)
                return
            if found.refused and not found.pages:
                log.info("large_pages_refused", count=found.refused)
                return

    def _size(self) -> int:
        """Return the bytes of a large page; 0 if there are to be none."""
        try:
            choice = (self._kernel / "enabled").read_text("ascii")
            size = int((self._kernel / "hpage_pmd_size").read_text("ascii"))
        except (OSError, ValueError):
            return 0  # Another system, or a kernel without them.
        return size if "[never]" not in choice and size <= MOST_BYTES else 0


def gather(size: int, maps: Path = MAPS) -> Gathered:
    """Have each stretch of this process that is nearly full held in one page; blocks for a while.

    While a stretch is copied whoever touches it waits, for some three milliseconds.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    libc.madvise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    libc.mincore.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_void_p)
    in_memory = (ctypes.c_ubyte * (size // PAGESIZE))()
    least = FILLED * len(in_memory)
    pages = refused = 0
    for begin in _stretches(maps, size):
        if libc.mincore(begin, size, in_memory) or bytes(in_memory).count(1) < least:
            continue
        if not libc.madvise(begin, size, MADV_COLLAPSE):
            pages += 1
        elif ctypes.get_errno() == errno.EINVAL:
            refused += 1
    return Gathered(pages=pages, refused=refused)


def _stretches(maps: Path, size: int) -> Iterator[int]:
    """Give the address of each stretch that a large page could hold, of private memory only."""
    for line in maps.read_text("utf-8", errors="replace").splitlines():
        addresses, rights, _, _, inode, *name = line.split(maxsplit=5)
        if rights != "rw-p" or inode != "0" or (name and name[0].startswith("[stack")):
            continue
        begin, end = (int(one, 16) for one in addresses.split("-"))
        first = -(-begin // size) * size
        yield from range(first, end - size + 1, size)
