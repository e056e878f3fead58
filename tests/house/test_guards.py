"""The guards that hold for every test do fail a test that leaves something behind."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

OFFENDERS = """
import asyncio
import socket
import subprocess
import threading
import warnings

import pytest

kept = []


async def test_task():
    kept.append(asyncio.create_task(asyncio.sleep(60), name="listen:u_1"))


async def test_forgotten_failure():
    async def fail():
        raise ValueError("nobody looked")

    task = asyncio.create_task(fail())
    await asyncio.wait([task])
    del task


def test_thread():
    stop = threading.Event()
    kept.append(stop)
    threading.Thread(target=stop.wait, args=(5,), name="poller", daemon=True).start()


def test_process():
    kept.append(subprocess.Popen(["sleep", "5"]))


@pytest.mark.loopback
async def test_unclosed_socket():
    socket.socket()


def test_socket_without_the_marker():
    socket.socket()


@pytest.mark.loopback
def test_socket_to_the_outside():
    socket.create_connection(("192.0.2.1", 80), timeout=1)


def test_warning():
    warnings.warn("old", DeprecationWarning)


def test_skipped():
    pytest.skip("no browser here")
"""

INNOCENT = """
import asyncio
import socket

import pytest


@pytest.fixture
async def worker():
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(asyncio.sleep(60))
        yield
        task.cancel()


async def test_a_task_that_its_fixture_ends(worker):
    await asyncio.to_thread(len, "x")


@pytest.mark.loopback
def test_a_socket_on_this_machine():
    with socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection(server.getsockname()).close()


@pytest.mark.service
def test_without_its_service():
    pytest.skip("no database here")
"""


def run_tests(folder: Path, source: str, *, ci: bool = False) -> tuple[int, str]:
    shutil.copy(ROOT / "tests/conftest.py", folder)
    (folder / "test_planted.py").write_text(source)
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist"),
            *("-c", ROOT / "pyproject.toml", "--rootdir", folder, folder),
        ],
        env={**os.environ, "CI": "true" if ci else ""},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> str:
    return run_tests(tmp_path_factory.mktemp("offenders"), OFFENDERS, ci=True)[1]


@pytest.mark.parametrize(
    ("test", "words"),
    [
        ("test_task", "task 'listen:u_1'"),
        ("test_forgotten_failure", "nobody looked"),
        ("test_thread", "thread 'poller'"),
        ("test_process", "process "),
        ("test_unclosed_socket", "<socket.socket"),
        ("test_socket_without_the_marker", "tried to use socket.socket"),
        ("test_socket_to_the_outside", "192.0.2.1"),
        ("test_warning", "DeprecationWarning: old"),
        ("test_skipped", "no browser here"),
    ],
)
def test_an_offender_fails_and_is_named(report: str, test: str, words: str) -> None:
    failed = re.findall(r"^(?:FAILED|ERROR) \S*::(\w+)", report, re.MULTILINE)
    assert test in failed
    assert words in report


def test_the_innocent_pass_and_a_missing_service_may_be_skipped(tmp_path: Path) -> None:
    status, out = run_tests(tmp_path, INNOCENT, ci=True)
    assert status == 0, out
    assert "2 passed, 1 skipped" in out
