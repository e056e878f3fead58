"""Three NATS servers as one cluster, each its own process on free loopback ports."""

import asyncio
import json
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import nats
import nats.errors

from signalfleet.adapters.nats.server import find_server

NODES: Final = 3
START_WITHIN_S: Final = 30.0
STOP_WITHIN_S: Final = 15.0
LOOPBACK: Final = "127.0.0.1"

# Without `no_advertise` clients learn of the other servers, and walk round a proxy.
_CONFIG: Final = """\
server_name: "n{number}"
listen: "127.0.0.1:{port}"
authorization {{ token: {token} }}
jetstream {{
  store_dir: {store}
  sync_interval: always
  max_memory_store: 64MB
  max_file_store: 1GB
}}
cluster {{
  name: "sf-test"
  listen: "127.0.0.1:{cluster_port}"
  routes: [{routes}]
  no_advertise: true
}}
"""


@dataclass
class Node:
    number: int
    port: int
    cluster_port: int
    folder: Path
    process: subprocess.Popen[bytes] | None = None

    @property
    def is_up(self) -> bool:
        return self.process is not None and self.process.poll() is None


@dataclass
class NatsCluster:
    """`kill`, `start` and `wipe` take the number of a node."""

    folder: Path
    token: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    nodes: list[Node] = field(default_factory=list)

    @property
    def url(self) -> str:
        return ",".join(f"nats://{LOOPBACK}:{node.port}" for node in self.nodes)

    def start(self, number: int) -> None:
        node = self.nodes[number]
        node.folder.mkdir(exist_ok=True)
        config = node.folder / "nats.conf"
        routes = ", ".join(f'"nats://{LOOPBACK}:{one.cluster_port}"' for one in self.nodes)
        config.write_text(
            _CONFIG.format(
                number=number,
                port=node.port,
                cluster_port=node.cluster_port,
                routes=routes,
                token=json.dumps(self.token),
                store=json.dumps(str(node.folder / "store")),
            ),
            encoding="utf-8",
        )
        command = [str(find_server()), "-c", str(config), "-l", str(node.folder / "nats.log")]
        node.process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )

    def kill(self, number: int) -> None:
        """End a node as a power cut would."""
        process = self.nodes[number].process
        if process is not None:
            process.kill()
            process.wait()

    def wipe(self, number: int) -> None:
        """Lose what a node has stored; it must be down."""
        shutil.rmtree(self.nodes[number].folder / "store", ignore_errors=True)

    def stop(self) -> None:
        running = [node.process for node in self.nodes if node.process is not None and node.is_up]
        for process in running:
            process.send_signal(signal.SIGTERM)
        for process in running:
            try:
                process.wait(STOP_WITHIN_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    async def until_ready(self) -> None:
        """Wait until JetStream answers: a majority has chosen its leader."""
        deadline = time.monotonic() + START_WITHIN_S
        while True:
            with suppress(nats.errors.Error, OSError, TimeoutError):
                client = await nats.connect(
                    self.url.split(","),
                    token=self.token,
                    connect_timeout=1,
                    allow_reconnect=False,
                    error_cb=_quiet,
                )
                try:
                    await client.jetstream(timeout=1).account_info()
                    return
                finally:
                    await client.close()
            if time.monotonic() > deadline:
                raise TimeoutError("the NATS cluster did not come up")
            await asyncio.sleep(0.1)


async def _quiet(_: Exception) -> None:
    """What goes wrong while the servers start is tried again."""


@contextmanager
def cluster_processes() -> Iterator[NatsCluster]:
    folder = Path(tempfile.mkdtemp(prefix="sf-nats-"))
    cluster = NatsCluster(folder)
    for number in range(NODES):
        cluster.nodes.append(Node(number, _free_port(), _free_port(), folder / f"n{number}"))
    try:
        for number in range(NODES):
            cluster.start(number)
        yield cluster
    finally:
        cluster.stop()
        shutil.rmtree(folder, ignore_errors=True)


@asynccontextmanager
async def running_cluster() -> AsyncIterator[NatsCluster]:
    """Give three servers that have found each other."""
    with cluster_processes() as cluster:
        await cluster.until_ready()
        yield cluster


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port
