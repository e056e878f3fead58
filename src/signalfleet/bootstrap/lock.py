"""One worker per data directory: two of them would fight over the same Telegram sessions."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from signalfleet.bootstrap.settings import ConfigurationError

if os.name == "posix":
    import fcntl


@contextmanager
def one_worker(data_dir: Path) -> Iterator[None]:
    """Hold the directory's lock; the system frees it however this process ends."""
    path = data_dir / "worker.lock"
    with path.open("a+", encoding="ascii") as file:
        if os.name == "posix":
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                file.seek(0)
                holder = file.read().strip() or "unknown"
                raise ConfigurationError(
                    f"process {holder} already works on {data_dir}; stop it first, or choose "
                    "another DATA_DIR"
                ) from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield
