"""One line of JSON there, one line of JSON back: how the processes of a load are asked."""

import asyncio
import json
import os
import resource
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

Facts = dict[str, Any]
START_S: Final = 120.0
END_S: Final = 20.0
LONGEST_LINE: Final = 1 << 26


@dataclass(slots=True)
class Other:
    """A process that answers, and what it said first."""

    process: asyncio.subprocess.Process
    facts: Facts

    async def ask(self, do: str, *, limit_s: float = 60.0, **words: Any) -> Facts:  # noqa: ANN401 - JSON
        """Ask and wait for the answer; RuntimeError if the process has ended."""
        writer = self.process.stdin
        if writer is None:
            raise RuntimeError("the other side has no pipes")
        writer.write(json.dumps({"do": do} | words).encode() + b"\n")
        await writer.drain()
        async with asyncio.timeout(limit_s):
            return await _answer(self.process)


@asynccontextmanager
async def other(
    module: str, arguments: Sequence[str], *, log: IO[bytes] | None = None
) -> AsyncIterator[Other]:
    """Start `python -m module` and end it with the block; its standard error goes to `log`."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        module,
        *arguments,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=log,
        limit=LONGEST_LINE,
    )
    try:
        async with asyncio.timeout(START_S):
            facts = await _answer(process)
        yield Other(process, facts)
    finally:
        await _end(process)


async def _answer(process: asyncio.subprocess.Process) -> Facts:
    if process.stdout is None:
        raise RuntimeError("the other side has no pipes")
    line = await process.stdout.readline()
    if not line:
        raise RuntimeError(f"a process of the load has ended with {process.returncode}")
    answer: Facts = json.loads(line)
    if "error" in answer:
        raise RuntimeError(str(answer["error"]))
    return answer


async def _end(process: asyncio.subprocess.Process) -> None:
    """Let it end by itself, at the end of its input; for a while."""
    if process.stdin is not None:
        process.stdin.close()
    try:
        async with asyncio.timeout(END_S):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()


async def serve(obey: Callable[[Facts], Awaitable[Facts]]) -> None:
    """Answer until the input ends; what goes wrong is answered too."""
    while line := await asyncio.to_thread(sys.stdin.readline):
        question = json.loads(line)
        try:
            answer = await obey(question)
        except Exception as error:  # noqa: BLE001 - who asked shall know
            answer = {"error": f"{question['do']}: {type(error).__name__}: {error}"}
        say(answer)


def say(answer: Facts) -> None:
    print(json.dumps(answer), flush=True)


def rss_kb(pid: int | None = None) -> float:
    pages = int(Path(f"/proc/{pid or 'self'}/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize() / 1024


def cpu_s(pid: int) -> float:
    """Return the processor time of a process since its start."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - no path is needed


def allow_files(wanted: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(wanted, hard), hard))
