"""What is full is held in large pages, what is nearly empty stays small, and nothing is changed."""

import asyncio
import ctypes
import mmap
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from kit.clock import LoopClock
from signalfleet.bootstrap.large_pages import EVERY, KERNEL, LargePages, gather

PAGE = 2 * 2**20
SIZE = 8 * PAGE
ENABLED = KERNEL / "enabled"

needs_large_pages = pytest.mark.skipif(
    not ENABLED.exists() or "[never]" in ENABLED.read_text("ascii"),
    reason="this kernel is told to make no large pages, so that none can be seen",
)


@pytest.fixture
def memory() -> Iterator[mmap.mmap]:
    with mmap.mmap(-1, SIZE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as memory:
        yield memory


def kilobytes(memory: mmap.mmap, what: str) -> int:
    """Return what the kernel says of the mapping in which this memory is."""
    at, is_inside, found = address_of(memory), False, 0
    for line in Path("/proc/self/smaps").read_text("ascii").splitlines():
        first, _, rest = line.partition(" ")
        if "-" in first:
            begin, end = (int(one, 16) for one in first.split("-"))
            is_inside = begin < at + SIZE and at < end
        elif is_inside and first == f"{what}:":
            found += int(rest.split()[0])
    return found


def address_of(memory: mmap.mmap) -> int:
    return ctypes.addressof(ctypes.c_char.from_buffer(memory))


def pages_in_memory(memory: mmap.mmap) -> int:
    pages = (ctypes.c_ubyte * (SIZE // mmap.PAGESIZE))()
    ctypes.CDLL(None).mincore(ctypes.c_void_p(address_of(memory)), ctypes.c_size_t(SIZE), pages)
    return bytes(pages).count(1)


@needs_large_pages
def test_what_is_full_is_held_in_large_pages_and_unchanged(memory: mmap.mmap) -> None:
    text = bytes(range(256)) * (SIZE // 256)
    memory.write(text)
    assert kilobytes(memory, "AnonHugePages") == 0
    found = gather(PAGE)
    least = SIZE // PAGE - 1  # The mapping need not begin where a large page does.
    assert found.pages >= least
    assert kilobytes(memory, "AnonHugePages") >= least * PAGE // 1024
    assert memory[:] == text


def test_what_is_mostly_empty_takes_no_more_memory(memory: mmap.mmap) -> None:
    for begin in range(0, SIZE, PAGE):
        memory[begin] = 1
    touched = pages_in_memory(memory)
    assert touched == SIZE // PAGE
    gather(PAGE)
    assert pages_in_memory(memory) == touched


@pytest.mark.parametrize(
    ("enabled", "size"),
    [("always madvise [never]", "2097152"), ("[always] madvise never", str(2**29)), (None, "")],
)
async def test_where_they_are_not_wanted_or_too_large_nothing_is_asked_for(
    tmp_path: Path, enabled: str | None, size: str
) -> None:
    if enabled is not None:
        (tmp_path / "enabled").write_text(enabled, encoding="ascii")
        (tmp_path / "hpage_pmd_size").write_text(size, encoding="ascii")
    async with asyncio.timeout(5):
        await LargePages(LoopClock(), tmp_path).run()


class EagerClock(LoopClock):
    """Sleeps for no time, but for the third of its sleeps, which never ends."""

    def __init__(self) -> None:
        super().__init__()
        self.sleeps = 0
        self.third = asyncio.Event()

    async def sleep(self, delay: timedelta) -> None:
        assert delay == EVERY
        self.sleeps += 1
        if self.sleeps == 3:
            self.third.set()
            await asyncio.Event().wait()


@needs_large_pages
async def test_what_came_since_is_asked_for_too(memory: mmap.mmap) -> None:
    memory.write(b"1" * SIZE)
    clock = EagerClock()
    task = asyncio.create_task(LargePages(clock).run())
    await asyncio.wait_for(clock.third.wait(), 20)
    assert not task.done()
    task.cancel()
    assert kilobytes(memory, "AnonHugePages") > 0


@pytest.mark.parametrize("maps", [None, "what no kernel writes\n"])
async def test_a_system_that_tells_nothing_of_its_memory_harms_nobody(
    tmp_path: Path, maps: str | None
) -> None:
    (tmp_path / "enabled").write_text("always [madvise] never", encoding="ascii")
    (tmp_path / "hpage_pmd_size").write_text(str(PAGE), encoding="ascii")
    if maps is not None:
        (tmp_path / "maps").write_text(maps, encoding="ascii")
    async with asyncio.timeout(20):
        await LargePages(EagerClock(), tmp_path, tmp_path / "maps").run()
