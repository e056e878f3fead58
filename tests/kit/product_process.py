"""The product as a process of its own: started as a user starts it, and ended whatever happens."""

import asyncio
import contextlib
import io
import json
import logging
import os
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import structlog

from kit.canaries import WATCH
from signalfleet.cli.main import app

COMMAND = (sys.executable, "-m", "signalfleet.cli")
KEPT_VARIABLES = ("PATH", "HOME", "PYTHONPATH", "LANG")
END_S = 30.0


def environment(changes: Mapping[str, str] | None = None) -> dict[str, str]:
    """Nothing of the developer's own settings, but what a program needs to run at all."""
    kept = {name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ}
    return {**kept, "COLUMNS": "120", **(changes or {})}


def run_cli(
    *words: str,
    cwd: Path,
    given: str | bytes = "",
    variables: Mapping[str, str] | None = None,
    limit_s: float = 50.0,
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end. `cwd` holds no `.env` unless the test has put one there."""
    raw = given.encode() if isinstance(given, str) else given
    ended = subprocess.run(
        [*COMMAND, *words],
        input=raw,
        capture_output=True,
        cwd=cwd,
        env=environment(variables),
        timeout=limit_s,
        check=False,
    )
    WATCH.hear(f"what `signalfleet {' '.join(words[:2])}` printed", ended.stdout + ended.stderr)
    return subprocess.CompletedProcess(
        ended.args, ended.returncode, ended.stdout.decode(), ended.stderr.decode()
    )


def call_cli(
    *words: str,
    cwd: Path,
    given: str | bytes = "",
    variables: Mapping[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run a command as `run_cli` does, inside this process: for tests of what a command says.

    What a process of its own adds (its start, its signals, its logs) is not tried by this.
    """
    raw = given.encode() if isinstance(given, str) else given
    streams = [io.TextIOWrapper(io.BytesIO(one), "utf-8") for one in (raw, b"", b"")]
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(cwd)
        wanted = environment(variables)
        for name in os.environ.keys() - wanted.keys() - {"PYTEST_CURRENT_TEST"}:
            patch.delenv(name)
        for name, value in wanted.items():
            patch.setenv(name, value)
        for name, stream in zip(("stdin", "stdout", "stderr"), streams, strict=True):
            patch.setattr(sys, name, stream)
        try:
            app(list(words), prog_name="signalfleet")
            status = 0
        except SystemExit as end:
            status = end.code if isinstance(end.code, int) else 1
        except Exception:  # noqa: BLE001 - As the interpreter would.
            traceback.print_exc()
            status = 1
        finally:
            root.handlers[:], root.level = handlers, level
            structlog.reset_defaults()
    printed = [one.detach().getvalue().decode() for one in streams[1:]]
    WATCH.hear(f"what `signalfleet {' '.join(words[:2])}` printed", "".join(printed))
    return subprocess.CompletedProcess([*COMMAND, *words], status, *printed)


@dataclass(slots=True)
class Running:
    """A started command; `lines` are those of its standard output that were read so far."""

    process: asyncio.subprocess.Process
    lines: list[str] = field(default_factory=list)

    async def until_line(self, start: str, limit_s: float) -> str:
        """Read standard output until a line begins like that; return the rest of the line."""
        assert self.process.stdout is not None
        async with asyncio.timeout(limit_s):
            while raw := await self.process.stdout.readline():
                self.lines.append(raw.decode().rstrip("\n"))
                if self.lines[-1].startswith(start):
                    return self.lines[-1].removeprefix(start).strip()
        raise AssertionError(f"it ended without a line {start!r}: {self.lines}")

    async def stop(self, number: int = signal.SIGTERM) -> tuple[int, float]:
        """Send the signal, read the rest, and return exit status and seconds it took."""
        begun = time.monotonic()
        self.process.send_signal(number)
        async with asyncio.timeout(END_S):
            if self.process.stdout is not None:
                self.lines += (await self.process.stdout.read()).decode().splitlines()
            status = await self.process.wait()
        WATCH.hear("what the product printed", "\n".join(self.lines))
        return status, time.monotonic() - begun


@asynccontextmanager
async def running(
    *words: str,
    cwd: Path,
    variables: Mapping[str, str] | None = None,
    program: tuple[str, ...] = COMMAND,
    log: Path | None = None,
) -> AsyncIterator[Running]:
    """Start a command; its whole process group is gone when the block is left.

    With `log` all that it prints goes there, and nothing has to be read to keep it going.
    """
    with (log or cwd / "stderr.txt").open("ab") as errors:
        process = await asyncio.create_subprocess_exec(
            *program,
            *words,
            cwd=cwd,
            env=environment(variables),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=errors if log else asyncio.subprocess.PIPE,
            stderr=errors,
            start_new_session=True,
        )
    try:
        yield Running(process)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.communicate()


@contextmanager
def city_ended(run_dir: Path) -> Iterator[None]:
    """End the city that a demo leaves behind on purpose; it would wait a minute for another one."""
    try:
        yield
    finally:
        with contextlib.suppress(OSError, ValueError, KeyError):
            facts = json.loads((run_dir / "city.json").read_text(encoding="utf-8"))
            os.kill(int(facts["pid"]), signal.SIGKILL)
            # A child of ours only where the test itself has started it.
            os.waitpid(int(facts["pid"]), 0)


def complaints_in(entries: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return what a log warns of. How long a step took only says how busy this machine is."""
    told = (one for one in entries if one["event"] != "slow_step")
    return [one for one in told if one["level"] not in ("info", "debug")]


def descendants(pid: int) -> set[int]:
    """Process ids of all that a process has started and that still run (Linux)."""
    found: set[int] = set()
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            for child in (int(word) for word in path.read_text().split()):
                found |= {child, *descendants(child)}
    return found


def is_alive(pid: int) -> bool:
    """Whether the process runs; one that has ended and waits for its parent does not."""
    with contextlib.suppress(OSError):
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        return state != "Z"
    return False
