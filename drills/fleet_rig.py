"""Several servers with a worker each, one store for all, and a cluster of NATS."""

import asyncio
import contextlib
import json
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from drills.rig import START_S, Rig, open_rig
from drills.stores import Server, postgres
from drills.telegram_rig import add_members, people
from signalfleet.adapters.sql import SqlStore
from signalfleet.bootstrap.city import CityGoneError
from signalfleet.domain.ids import UserId, slot

sys.path.append(str(Path(__file__).parents[1] / "tests"))
from kit.faultproxy import FaultProxy, Mode, faulty
from kit.nats_cluster import NatsCluster, running_cluster

TTL_S: Final = 5.0
SERVERS: Final = 3
END_S: Final = 60.0
WATCH_S: Final = 0.1


@dataclass(slots=True)
class ServerRig:
    """A supervisor with one worker; `links` are its ways to NATS and the store, if to be cut."""

    number: int
    root: Path
    environment: dict[str, str]
    links: list[FaultProxy] = field(default_factory=list)
    process: asyncio.subprocess.Process | None = None
    _log_from: int = 0

    @property
    def log(self) -> Path:
        return self.root / "worker.log"

    async def start(self, *, crash: str | None = None) -> None:
        environment = dict(self.environment)
        if crash is not None:
            environment["SIGNALFLEET_DRILL_CRASH"] = crash
        with self.log.open("ab") as log:
            self._log_from = log.tell()
            self.process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "signalfleet.cli", "worker", "--processes", "1"),
                env=environment,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def lines(self) -> list[dict[str, Any]]:
        """Return what was logged since the last start."""
        found = []
        for line in self.log.read_bytes()[self._log_from :].splitlines():
            with contextlib.suppress(ValueError):
                found.append(json.loads(line))
        return found

    def said(self, event: str) -> int:
        return sum(1 for line in self.lines() if line.get("event") == event)

    @property
    def worker(self) -> int | None:
        """Return the process id of the worker that was started last."""
        pids = [line["pid"] for line in self.lines() if line.get("event") == "child_started"]
        return int(pids[-1]) if pids else None

    def users(self) -> set[str]:
        """Return whose bots are connected to Telegram here, by the log."""
        states = {
            line["user_id"]: line["state"]
            for line in self.lines()
            if line.get("event") == "telegram_link_changed" and "user_id" in line
        }
        return {user for user, state in states.items() if state == "live"}

    def send_worker(self, number: signal.Signals) -> None:
        pid = self.worker
        if pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def send(self, number: signal.Signals) -> None:
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.process.pid, number)

    async def kill(self) -> None:
        """SIGKILL both, the supervisor first: as a power cut for this server."""
        if self.process is not None:
            pid = self.worker
            self.send(signal.SIGKILL)
            if pid is not None:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            await self.process.wait()
            self.process = None

    async def stop(self) -> int:
        """SIGTERM and wait; return the exit status, -9 if it had to be killed."""
        if self.process is None:
            return 0
        self.send(signal.SIGTERM)
        try:
            async with asyncio.timeout(END_S):
                return await self.process.wait()
        except TimeoutError:
            return -signal.SIGKILL
        finally:
            await self.kill()

    def cut_off(self) -> None:
        """Let nothing through to NATS and the store, and nothing back."""
        for link in self.links:
            link.become(Mode.BLACKHOLE)

    def join_again(self) -> None:
        for link in self.links:
            link.become(Mode.OK)


@dataclass(slots=True)
class FleetRig:
    """`rig` holds the city and posts; it has no process of its own."""

    rig: Rig
    cluster: NatsCluster
    phones: dict[UserId, str]
    servers: list[ServerRig] = field(default_factory=list)
    begun: float = field(default_factory=time.monotonic)

    def age_s(self) -> float:
        return round(time.monotonic() - self.begun, 1)

    def slots_of(self, server: ServerRig) -> set[int]:
        """Return the slots of the users whose bots are connected there."""
        users = server.users()
        return {slot for user, slot in self.slots.items() if user in users}

    @property
    def slots(self) -> dict[UserId, int]:
        return {user: slot(user) for user in self.rig.users}

    async def start_all(self) -> None:
        """Start the servers; from then on a key that is used from two places is destroyed."""
        for server in self.servers:
            await server.start()
        if await self.until_listening(START_S) is None:
            raise TimeoutError(f"the workers did not come up: see {self.rig.root}")
        await self.rig.break_telegram({"fault": "second_connection", "policy": "kill_key"})

    async def listening(self) -> dict[str, int]:
        """Return for each user's phone how many connections listen, by the server's own books."""
        found = await people(self.rig)
        return {phone: found[phone]["listening"] for phone in self.phones.values()}

    async def until_listening(self, limit_s: float) -> float | None:
        """Wait until each user's bot listens once; return the seconds it took."""
        begun = time.monotonic()
        while time.monotonic() - begun < limit_s:
            with contextlib.suppress(CityGoneError):
                if all(count == 1 for count in (await self.listening()).values()):
                    return round(time.monotonic() - begun, 2)
            await asyncio.sleep(WATCH_S)
        return None

    async def epochs(self) -> dict[int, int]:
        """Return the store's fence of each user's slot."""
        store = await SqlStore.open(self.rig.settings.database, cell=self.rig.settings.cell)
        try:
            slots = sorted(set(self.slots.values()))
            return dict(await store.fleet.slot_epochs(self.rig.settings.cell, slots))
        finally:
            await store.aclose()

    async def until_raised(self, before: dict[int, int], slots: set[int], limit_s: float) -> float:
        """Wait until each of the slots has a newer fence; return the seconds, or the limit."""
        begun = time.monotonic()
        store = await SqlStore.open(self.rig.settings.database, cell=self.rig.settings.cell)
        try:
            while time.monotonic() - begun < limit_s:
                now = await store.fleet.slot_epochs(self.rig.settings.cell, sorted(slots))
                if all(now.get(slot, 0) > before.get(slot, 0) for slot in slots):
                    break
                await asyncio.sleep(WATCH_S)
        finally:
            await store.aclose()
        return round(time.monotonic() - begun, 2)

    async def two_sockets(self) -> int:
        """Count how often the server saw a second connection on a key, since the city began."""
        answer = await self.rig.city.ask("GET", "/telegram/violations")
        return sum(1 for one in answer["violations"] if one["kind"] == "two_sockets")

    async def verdict(self) -> dict[str, Any]:
        """Compare what was posted with the broker's book."""
        legs = await self.rig.legs()
        given_up = await self.rig.given_up()
        return {
            "signals": self.rig.posted,
            "users": len(self.rig.users),
            "legs_at_broker": len(legs),
            "legs_doubled": sum(1 for count in legs.values() if count > 1),
            "legs_missing": self.rig.wanted - len(legs) - given_up,
            "legs_given_up": given_up,
            "two_sockets": await self.two_sockets(),
        }

    async def stop_all(self) -> list[int]:
        return list(await asyncio.gather(*(server.stop() for server in self.servers)))


class ListeningWatch:
    """Looks again and again who listens, and keeps the longest gap of each user."""

    def __init__(self, fleet: FleetRig) -> None:
        self._fleet = fleet
        self._since: dict[str, float] = {}
        self.gaps: dict[str, float] = {}

    async def run(self) -> None:
        while True:
            with contextlib.suppress(CityGoneError):
                self._see(await self._fleet.listening(), time.monotonic())
            await asyncio.sleep(WATCH_S)

    def _see(self, listening: dict[str, int], now: float) -> None:
        for phone, count in listening.items():
            if count:
                self._since.pop(phone, None)
                continue
            since = self._since.setdefault(phone, now)
            self.gaps[phone] = max(self.gaps.get(phone, 0.0), now - since)

    def longest_s(self) -> float:
        return round(max(self.gaps.values(), default=0.0), 2)


@asynccontextmanager
async def watched_listening(fleet: FleetRig) -> AsyncIterator[ListeningWatch]:
    watch = ListeningWatch(fleet)
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(watch.run(), name="listening")
        try:
            yield watch
        finally:
            task.cancel()


@asynccontextmanager
async def open_fleet(
    seed: int, *, users: int, servers: int = SERVERS, cuttable: tuple[int, ...] = ()
) -> AsyncIterator[FleetRig]:
    """Start the city, the store and NATS, sign users in, and leave the servers stopped.

    The `cuttable` servers reach NATS and the store through proxies.
    """
    with ExitStack() as stack:
        server = await asyncio.to_thread(postgres, stack)
        if server is None:
            raise RuntimeError("this drill needs PostgreSQL: several servers cannot share a file")
        async with running_cluster() as cluster, AsyncExitStack() as links:
            rig = await links.enter_async_context(open_rig(seed, store_url=server.url))
            members = await add_members(rig, [f"user{number}" for number in range(1, users)])
            rig.others = [member.user for member in members.values()]
            phones = {rig.user: rig.city.text("phone")}
            phones |= {member.user: member.phone for member in members.values()}
            fleet = FleetRig(rig=rig, cluster=cluster, phones=phones)
            for number in range(servers):
                one = _server(rig, cluster, number)
                if number in cuttable:
                    await _through_proxies(one, cluster, server, links)
                fleet.servers.append(one)
            try:
                yield fleet
            finally:
                for one in fleet.servers:
                    await one.kill()


def _server(rig: Rig, cluster: NatsCluster, number: int) -> ServerRig:
    root = rig.root / f"server{number}"
    root.mkdir()
    environment = rig.environment | {
        "NATS_URL": cluster.url,
        "NATS_TOKEN": cluster.token,
        "NATS_REPLICAS": "3",
        "LEASE_TTL_S": str(TTL_S),
        "WORKER_FREEZE_S": str(TTL_S / 2),
        "DATA_DIR": str(root / "data"),
        "RUN_DIR": str(root / "run"),
    }
    return ServerRig(number=number, root=root, environment=environment)


async def _through_proxies(
    one: ServerRig, cluster: NatsCluster, server: Server, links: AsyncExitStack
) -> None:
    ways = [
        await links.enter_async_context(faulty(("127.0.0.1", node.port))) for node in cluster.nodes
    ]
    store = await links.enter_async_context(faulty(server.socket))
    one.links = [*ways, store]
    one.environment["NATS_URL"] = ",".join(f"nats://127.0.0.1:{way.port}" for way in ways)
    one.environment["STORE_URL"] = server.url_at("127.0.0.1", store.port)
