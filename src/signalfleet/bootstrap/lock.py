"""Who works on a data directory: one process alone, or workers beside each other, each numbered."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from signalfleet.bootstrap.settings import ConfigurationError

if os.name == "posix":
    import fcntl


@contextmanager
def one_worker(data_dir: Path) -> Iterator[None]:
    """Keep everybody else off the directory; the system ends that however this process ends."""
    with _opened(data_dir / "worker.lock") as file:
        _require(_lock(file, is_shared=False), file, data_dir)
        _write(file, str(os.getpid()))
        yield


@contextmanager
def among_workers(data_dir: Path, supervisor: int | None = None) -> Iterator[None]:
    """Work on the directory beside other workers, and beside nobody who wants to be alone.

    Who is refused because of us is told of the supervisor, if there is one: that is to be stopped.
    """
    with _opened(data_dir / "worker.lock") as file:
        _require(_lock(file, is_shared=True), file, data_dir)
        _write(file, str(supervisor or os.getpid()))
        yield


@contextmanager
def one_supervisor(data_dir: Path) -> Iterator[None]:
    """Be the only supervisor of the directory."""
    with _opened(data_dir / "supervisor.lock") as file:
        _require(_lock(file, is_shared=False), file, data_dir)
        _write(file, str(os.getpid()))
        yield


@contextmanager
def numbered(data_dir: Path, number: int) -> Iterator[int | None]:
    """Be the worker of this number, for which life of it; None if another process is."""
    with _opened(data_dir / f"worker-{number}.lock") as file:
        if not _lock(file, is_shared=False):
            yield None
            return
        file.seek(0)
        text = file.read(20).strip()
        life = (int(text) if text.isdecimal() else 0) + 1
        _write(file, str(life))
        os.fsync(file.fileno())
        yield life


@contextmanager
def _opened(path: Path) -> Iterator[IO[str]]:
    with path.open("a+", encoding="ascii") as file:
        yield file


def _lock(file: IO[str], *, is_shared: bool) -> bool:
    if os.name != "posix":
        return True
    try:
        fcntl.flock(file, (fcntl.LOCK_SH if is_shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _require(is_ours: bool, file: IO[str], data_dir: Path) -> None:  # noqa: FBT001 - a condition
    if is_ours:
        return
    file.seek(0)
    holder = file.read().strip() or "unknown"
    raise ConfigurationError(
        f"process {holder} already works on {data_dir}; stop it first, or choose another DATA_DIR"
    )


def _write(file: IO[str], text: str) -> None:
    file.truncate(0)
    file.write(text)
    file.flush()
