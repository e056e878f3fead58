"""The child server: found, started, private, watched, and gone at the end."""

import asyncio
import json
import os
import signal
import stat
import sys
from pathlib import Path

import pytest

from kit.wall_clock import WallClock
from signalfleet.adapters.nats import limits
from signalfleet.adapters.nats.bus import NatsBus
from signalfleet.adapters.nats.server import EmbeddedNats, find_server
from signalfleet.ports.errors import RefusedError, TemporaryError
from signalfleet.ports.secrets import Secret

pytestmark = pytest.mark.loopback


def a_server(folder: Path, program: Path | None = None) -> EmbeddedNats:
    return EmbeddedNats(
        data_dir=folder / "data", run_dir=folder / "run", clock=WallClock(), program=program
    )


def a_program(folder: Path, body: str) -> Path:
    program = folder / "fake-nats"
    program.write_text(f"#!/bin/sh\n{body}\n")
    program.chmod(0o700)
    return program


def command_line(server: EmbeddedNats) -> str:
    return Path(f"/proc/{server.pid}/cmdline").read_text()


def is_alive(pid: int) -> bool:
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False
    return status.rpartition(")")[2].split()[0] != "Z"


async def test_it_starts_on_a_free_port_and_ends_with_its_context(tmp_path: Path) -> None:
    async with a_server(tmp_path) as server:
        pid = server.pid
        assert pid is not None
        assert is_alive(pid)
        assert server.url.startswith("nats://127.0.0.1:")
    assert not is_alive(pid)


async def test_what_holds_the_token_is_readable_by_the_owner_only(tmp_path: Path) -> None:
    async with a_server(tmp_path) as server:
        assert stat.S_IMODE((tmp_path / "run").stat().st_mode) == 0o700
        assert stat.S_IMODE((tmp_path / "run" / "nats.conf").stat().st_mode) == 0o600
        assert server.token.reveal() not in command_line(server)
        assert server.token.reveal() not in (tmp_path / "run" / "nats.log").read_text()


async def test_each_write_is_synced_to_the_disk(tmp_path: Path) -> None:
    async with a_server(tmp_path):
        assert "sync_interval: always" in (tmp_path / "run" / "nats.conf").read_text()


async def test_a_wrong_token_is_refused_in_plain_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "CONNECT_S", 0.5)
    async with a_server(tmp_path) as server:
        with pytest.raises(RefusedError, match="refuses the token"):
            await NatsBus.connect(server.url, Secret("wrong"), clock=WallClock())


async def test_nobody_there_is_said_in_bounded_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "CONNECT_S", 0.3)
    with pytest.raises(TemporaryError, match="is it running"):
        await NatsBus.connect("nats://127.0.0.1:9", None, clock=WallClock())


async def test_a_killed_server_comes_back_at_the_same_address(tmp_path: Path) -> None:
    async with a_server(tmp_path) as server, asyncio.TaskGroup() as tasks:
        watching = tasks.create_task(server.watch())
        url, first = server.url, server.pid
        assert first is not None
        os.kill(first, signal.SIGKILL)
        async with await NatsBus.connect(url, server.token, clock=WallClock()) as bus:
            assert bus.is_connected()
        assert server.url == url
        assert server.pid != first
        watching.cancel()


async def test_a_program_that_is_missing_is_named_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(RefusedError, match="NATS_SERVER_BIN"):
        find_server(tmp_path / "nowhere")


async def test_a_server_that_loses_messages_is_refused(tmp_path: Path) -> None:
    old = a_program(tmp_path, 'echo "nats-server: v2.11.4"')
    with pytest.raises(RefusedError, match=r"v2\.11\.4.*too old"):
        async with a_server(tmp_path, old):
            pass


async def test_a_program_that_is_no_nats_server_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RefusedError, match="does not look like"):
        async with a_server(tmp_path, a_program(tmp_path, "echo hello")):
            pass


async def test_a_failed_start_shows_the_end_of_the_log(tmp_path: Path) -> None:
    body = 'if [ "$1" = --version ]; then echo v2.15.0; else echo "disk is full" >&2; exit 1; fi'
    with pytest.raises(TemporaryError, match="disk is full"):
        async with a_server(tmp_path, a_program(tmp_path, body)):
            pass


async def test_a_start_that_hangs_is_given_up_and_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "START_S", 0.5)
    monkeypatch.setattr(limits, "STOP_S", 0.2)
    body = 'if [ "$1" = --version ]; then echo v2.15.0; else trap "" TERM; exec sleep 60; fi'
    with pytest.raises(TemporaryError, match="did not start"):
        async with a_server(tmp_path, a_program(tmp_path, body)):
            pass


async def test_a_second_server_on_the_same_store_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with a_server(tmp_path):
        monkeypatch.setattr(limits, "STOP_S", 0.2)
        with pytest.raises(RefusedError, match="another process uses"):
            async with a_server(tmp_path):
                pass


PARENT = """
import asyncio, json, os, sys
from pathlib import Path
sys.path[:0] = json.loads(sys.argv[2])
from kit.wall_clock import WallClock
from signalfleet.adapters.nats.server import EmbeddedNats

async def main():
    folder = Path(sys.argv[1])
    async with EmbeddedNats(data_dir=folder, run_dir=folder / "run", clock=WallClock()) as server:
        (folder / "pid").write_text(str(server.pid))
        print("ready", flush=True)
        await asyncio.sleep(60)

asyncio.run(main())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends children with their parent")
async def test_the_server_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    parent = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        PARENT,
        str(tmp_path),
        json.dumps(sys.path),
        stdout=asyncio.subprocess.PIPE,
    )
    assert parent.stdout is not None
    async for line in parent.stdout:
        if line == b"ready\n":
            break
    parent.kill()
    await parent.wait()
    # Its store's lock is free again exactly when the orphan is gone.
    async with a_server_at(tmp_path):
        assert not is_alive(int((tmp_path / "pid").read_text()))


def a_server_at(folder: Path) -> EmbeddedNats:
    return EmbeddedNats(data_dir=folder, run_dir=folder / "run2", clock=WallClock())
