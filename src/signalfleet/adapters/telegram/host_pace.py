"""One pace of connects for all processes of a machine, kept in a small file."""

import os
import struct
from pathlib import Path
from typing import Final

from signalfleet.adapters.telegram.limits import BURST_S

if os.name == "posix":
    import fcntl

_MOMENT: Final = struct.Struct("<d")
_LONGEST_S: Final = 3600.0


class HostPace:
    """Fulfils `gate.SharedPace`; the file is read and written under its own lock."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._path = path

    def take(self, now: float, gap: float) -> float:
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            if os.name == "posix":
                fcntl.flock(descriptor, fcntl.LOCK_EX)
            kept = os.pread(descriptor, _MOMENT.size, 0)
            following = _MOMENT.unpack(kept)[0] if len(kept) == _MOMENT.size else 0.0
            if following > now + _LONGEST_S:
                following = 0.0  # Written before the machine was started anew.
            due: float = max(following, now - BURST_S)
            os.pwrite(descriptor, _MOMENT.pack(due + gap), 0)
        finally:
            os.close(descriptor)
        return due
