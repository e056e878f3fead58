"""A real redis-server for a test, on a free port here, that can be killed and flushed."""

import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest
import redis

MISSING: Final = (
    "no redis-server here: install the Debian package `redis-server` or `valkey-server`"
)
UP_WITHIN_S: Final = 10.0


class RedisServer:
    """Keeps nothing on disk."""

    def __init__(self, program: str, folder: Path) -> None:
        self._program, self._folder = program, folder
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        words = ("--port", str(self.port), "--bind", "127.0.0.1", "--save", "")
        self._process = subprocess.Popen(
            [self._program, *words, "--dir", self._folder],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + UP_WITHIN_S
        while time.monotonic() < deadline:
            try:
                self.call("PING")
            except redis.ConnectionError:
                time.sleep(0.01)
            else:
                return
        raise TimeoutError(f"redis-server did not answer within {UP_WITHIN_S} s")

    def kill(self) -> None:
        """SIGKILL, as when its machine is gone."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def call(self, *words: str) -> object:
        with redis.Redis(port=self.port, decode_responses=True) as client:
            return client.execute_command(*words)


@contextmanager
def running_redis() -> Iterator[RedisServer | None]:
    """Start one; None where the program is not installed."""
    program = shutil.which("redis-server") or shutil.which("valkey-server")
    if program is None:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="signalfleet-redis-") as folder:
        server = RedisServer(program, Path(folder))
        server.start()
        try:
            yield server
        finally:
            server.kill()


def require(server: RedisServer | None) -> RedisServer:
    if server is None:
        pytest.skip(MISSING)
    return server


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def silent_server() -> Iterator[str]:
    """Take connections and never answer, as a Redis behind a lost route; yields its address."""
    with socket.socket() as mute:
        mute.bind(("127.0.0.1", 0))
        mute.listen(64)
        yield f"redis://127.0.0.1:{mute.getsockname()[1]}/0"
