"""What holds for every test: no outside network, no warning, nothing left running or open."""

import asyncio
import gc
import os
import threading
from collections.abc import AsyncIterator, Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from hypothesis import settings

from kit.canary_watch import no_secret_left, watch  # noqa: F401 - A fixture for all.
from kit.postgres import postgres  # noqa: F401 - A fixture, one server for all who need it.
from kit.store_table import pytest_runtest_logreport, pytest_terminal_summary  # noqa: F401 - Hooks.

IN_CI = os.environ.get("CI") == "true"

# The same examples in every run: a red build is about the change, not about luck. "wide" is for
# hunting by hand: HYPOTHESIS_PROFILE=wide.
settings.register_profile("dev", derandomize=True, deadline=None)
settings.register_profile("wide", max_examples=2_000, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "dev"))

END_GRACE_S = 0.2
"""How long something that was told to stop may take to be gone."""


def pytest_configure(config: pytest.Config) -> None:
    watch(config)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.get_closest_marker("loopback"):
            item.add_marker(pytest.mark.allow_hosts(["127.0.0.1"]))
        if item.get_closest_marker("live") and os.environ.get("SIGNALFLEET_LIVE") != "1":
            item.add_marker(pytest.mark.skip(reason="needs a demo account: SIGNALFLEET_LIVE=1"))
        if item.get_closest_marker("asyncio") and isinstance(item, pytest.Function):
            # Set up before, and so checked after, every fixture that may own tasks.
            item.fixturenames.insert(item.fixturenames.index("_nothing_left") + 1, "_no_task_left")


def pytest_collection_finish() -> None:
    # What the imports made stays; a collection after a test then looks at that test's objects only.
    gc.collect()
    gc.freeze()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    # What earlier tests have loaded stays, too: else half of the suite's time goes into looking
    # through it again and again. Before all fixtures, so that theirs is collected after the test.
    gc.collect()
    gc.freeze()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if IN_CI and report.skipped and not hasattr(report, "wasxfail"):
        if any(item.get_closest_marker(name) for name in ("live", "service")):
            return report
        report.outcome = "failed"
        report.longrepr = f"skipped, but in CI everything must be there: {report.longrepr}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    if IN_CI and report.skipped:
        report.outcome = "failed"
        report.longrepr = f"skipped, but in CI everything must be there: {report.longrepr}"
    return report


def _threads() -> set[threading.Thread]:
    # A loop's own pool is joined when the loop is closed, which may be after this test.
    return {t for t in threading.enumerate() if t.is_alive() and not t.name.startswith("asyncio_")}


def _child_processes() -> set[int]:
    """Process ids of our children where the system tells (Linux), else none."""
    lists = Path("/proc/self/task").glob("*/children")
    pids: set[int] = set()
    for path in lists:
        try:
            pids.update(int(pid) for pid in path.read_text().split())
        except OSError:  # The thread ended while we looked.
            continue
    return pids


def _command(pid: int) -> str:
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return "gone"
    return (
        b" ".join(words).decode(errors="replace").strip()[:120]
        or "no command line, so perhaps ended"
    )


@pytest.fixture(autouse=True)
def _logs_as_they_are() -> None:
    """A command that was run inside an earlier test may have silenced the logs of its process."""
    structlog.reset_defaults()


@pytest.fixture(autouse=True)
def _nothing_left() -> Iterator[None]:
    """Fail a test that leaves threads or child processes behind, and name them."""
    threads, children = _threads(), _child_processes()
    yield
    left = _threads() - threads
    for thread in left:
        thread.join(END_GRACE_S)
    complaints = [f"thread {t.name!r}" for t in left if t.is_alive()]
    complaints += [f"process {p}: {_command(p)}" for p in _child_processes() - children]
    if complaints:
        pytest.fail("the test left running: " + "; ".join(sorted(complaints)))


@pytest.fixture
async def _no_task_left() -> AsyncIterator[None]:
    """Fail a test that leaves tasks or unclosed things behind, or an error nobody looked at."""
    loop = asyncio.get_running_loop()
    reported: list[dict[str, Any]] = []
    loop.set_exception_handler(lambda _loop, context: reported.append(context))
    before = asyncio.all_tasks()
    yield
    left = asyncio.all_tasks() - before - {asyncio.current_task()}
    if left:
        _, left = await asyncio.wait(left, timeout=END_GRACE_S)
    # Unclosed sockets, files and forgotten failures speak up when they are collected.
    gc.collect()
    complaints = [f"task {task.get_name()!r} in {task.get_coro()}" for task in left]
    complaints += [f"{c.get('message')}: {c.get('exception')!r}" for c in reported]
    if complaints:
        pytest.fail("the test left behind: " + "; ".join(sorted(complaints)))
