"""How many cores this process may use: those of the machine, or of its container."""

import os
from contextlib import suppress
from pathlib import Path
from typing import Final

CGROUP: Final = Path("/sys/fs/cgroup/cpu.max")
_WITHOUT_LIMIT: Final = "max"


def cores(limit: Path = CGROUP) -> int:
    """Return at least 1."""
    found = os.cpu_count() or 1
    if hasattr(os, "sched_getaffinity"):
        found = len(os.sched_getaffinity(0))
    with suppress(OSError, ValueError):
        quota, period = limit.read_text(encoding="ascii").split()
        if quota != _WITHOUT_LIMIT:
            found = min(found, max(int(quota) // int(period), 1))
    return found
