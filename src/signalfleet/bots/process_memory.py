"""How full the process is: against our limit, the container's, or its part of the machine."""

import os
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Final

CROWDED: Final = 0.85
TOO_MUCH: Final = 0.92
NEARLY_GONE: Final = 0.97
CGROUP: Final = Path("/sys/fs/cgroup/memory.max")


class Pressure(StrEnum):
    """CROWDED: nobody is let in; HIGH: the largest bots start anew; FULL: the process ends."""

    NONE = "none"
    CROWDED = "crowded"
    HIGH = "high"
    FULL = "full"


class ProcessMemory:
    """Tells the pressure by what the process has resident."""

    def __init__(self, limit_bytes: int, used: Callable[[], int]) -> None:
        self.limit_bytes = limit_bytes
        self.used = used

    @classmethod
    def of_this_process(cls, limit_mb: int, processes: int = 1) -> "ProcessMemory | None":
        """Take the limit given, or without one (0) an equal part of what the machine gives.

        None where that cannot be told.
        """
        limit = limit_mb * 2**20 or _machine_bytes() // max(processes, 1)
        if not limit or not Path("/proc/self/statm").exists():
            return None
        return cls(limit, _resident)

    def pressure(self) -> Pressure:
        share = self.used() / self.limit_bytes
        if share >= NEARLY_GONE:
            return Pressure.FULL
        if share >= TOO_MUCH:
            return Pressure.HIGH
        return Pressure.CROWDED if share >= CROWDED else Pressure.NONE


def _resident() -> int:
    pages = Path("/proc/self/statm").read_text(encoding="ascii").split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def _machine_bytes() -> int:
    try:
        machine = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError):
        return 0
    try:
        return min(machine, int(CGROUP.read_text(encoding="ascii")))
    except (OSError, ValueError):  # No container, or one without a limit ("max").
        return machine
