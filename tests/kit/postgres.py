"""A PostgreSQL server of our own for a session of tests: real, on a Unix socket, fsync on.

`PG_TEST_URL` names another one, whose user must be a superuser; its database `signalfleet_test` is
made anew. Without either there is no server, and who needs one skips.
"""

import asyncio
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlencode, urlsplit, urlunsplit

import asyncpg
import pytest

from kit.canaries import search
from signalfleet.adapters.sql import migrate
from signalfleet.adapters.sql.schema import metadata
from signalfleet.adapters.sql.security import roles_sql

T = TypeVar("T")

MISSING = (
    "no PostgreSQL here: install the Debian package `postgresql`, or set PG_TEST_URL to a superuser"
)
START_WITHIN_S = 30.0


@dataclass
class Postgres:
    """A running server; `url(role, database)` is how a role reaches a database of it."""

    address: str
    process: subprocess.Popen[bytes] | None = None
    folder: Path | None = None

    def url(self, role: str, database: str = "signalfleet_test") -> str:
        parts = urlsplit(self.address)
        if parts.hostname is None:
            query = urlencode({"host": str(self.folder), "user": role}, safe="/")
            return f"postgresql:///{database}?{query}"
        place = parts.netloc.rpartition("@")[2]
        return urlunsplit(parts._replace(netloc=f"{role}@{place}", path=f"/{database}"))

    @property
    def root(self) -> str:
        """Return the address of the superuser in the database that tests may empty."""
        return urlunsplit(urlsplit(self.address)._replace(path="/signalfleet_test"))

    def make(self, database: str) -> None:
        """Make an empty database of the owner."""
        self.run(self.address, f"DROP DATABASE IF EXISTS {database}")
        self.run(self.address, f"CREATE DATABASE {database} OWNER sf_owner TEMPLATE template0")

    def empty(self) -> None:
        """Delete all rows; quicker than a new database for each test."""
        tables = reversed(metadata.sorted_tables)
        self.run(self.root, ";".join(str(table.delete()) for table in tables))

    def run(self, url: str, sql: str) -> None:
        self.ask(url, lambda connection: connection.execute(sql))

    def ask(self, url: str, what: Callable[["asyncpg.Connection[Any]"], Awaitable[T]]) -> T:
        async def work() -> T:
            connection = await asyncpg.connect(url)
            try:
                return await what(connection)
            finally:
                await connection.close()

        return _in_own_loop(work)

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(10)

    def restart(self) -> None:
        assert self.folder is not None
        self.process = _start(self.folder).process
        _wait(self)


def _in_own_loop(work: Callable[[], Awaitable[T]]) -> T:
    """Run it in a thread: a test's own loop may be running here."""
    found: list[T] = []
    errors: list[BaseException] = []

    async def run() -> T:
        return await work()

    def thread() -> None:
        try:
            with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
                found.append(runner.run(run()))
        except BaseException as e:  # noqa: BLE001 - Raised again below.
            errors.append(e)

    worker = threading.Thread(target=thread)
    worker.start()
    worker.join()
    if errors:
        raise errors[0]
    return found[0]


def programs() -> Path | None:
    """Return the folder of `initdb` and `postgres`, the newest of several."""
    found = shutil.which("postgres")
    if found:
        return Path(found).parent
    known = Path("/usr/lib/postgresql").glob("*/bin/postgres")
    newest = max(known, key=lambda one: float(one.parts[-3]), default=None)
    return newest.parent if newest else None


@contextmanager
def running_postgres() -> Iterator[Postgres | None]:
    """Give a server with roles and an empty, migrated database, or None where there is none."""
    given = os.environ.get("PG_TEST_URL", "")
    if given:
        server = Postgres(given)
        _prepare(server)
        yield server
        return
    if programs() is None:
        yield None
        return
    folder = Path(tempfile.mkdtemp(prefix="sf-pg-", dir="/tmp"))
    try:
        _initialise(folder)
        server = _start(folder)
        try:
            _wait(server)
            _prepare(server)
            yield server
        finally:
            server.stop()
        leaks = search(folder)
        if leaks:
            raise AssertionError(f"a planted secret is in clear in the database: {leaks}")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _prepare(server: Postgres) -> None:
    with suppress(asyncpg.DuplicateObjectError):
        roles = roles_sql("signalfleet_roles").splitlines()
        for line in roles:
            if "DATABASE" not in line:
                server.run(server.address, line)
    server.make("signalfleet_test")
    migrate(server.url("sf_owner"))


def _account() -> dict[str, Any]:
    """Return who runs the server: it refuses root, so then the package's own account."""
    if os.geteuid() != 0:
        return {}
    try:
        entry = pwd.getpwnam("postgres")
    except KeyError:
        entry = pwd.getpwnam("nobody")
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


def _initialise(folder: Path) -> None:
    account = _account()
    if account:
        os.chown(folder, account["user"], account["group"])
    binaries = programs()
    assert binaries is not None
    place = ("-D", str(folder / "data"), "-U", "root", "-A", "trust")
    subprocess.run(
        [str(binaries / "initdb"), *place, "-E", "UTF8", "--locale=C", "--no-sync"],
        check=True,
        stdout=subprocess.DEVNULL,
        cwd=folder,
        **account,
    )


def _start(folder: Path) -> Postgres:
    options = {
        "listen_addresses": "",
        "unix_socket_directories": str(folder),
        "fsync": "on",
        "max_connections": "60",
        "shared_buffers": "64MB",
        "log_min_messages": "fatal",
    }
    words = [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
    binaries = programs()
    assert binaries is not None
    process = subprocess.Popen(
        [str(binaries / "postgres"), "-D", str(folder / "data"), *words],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=folder,
        **_account(),
    )
    address = f"postgresql:///postgres?{urlencode({'host': str(folder), 'user': 'root'}, safe='/')}"
    return Postgres(address, process, folder)


def _wait(server: Postgres) -> None:
    until = time.monotonic() + START_WITHIN_S
    while True:
        try:
            server.run(server.address, "SELECT 1")
        except (OSError, asyncpg.PostgresError):
            if time.monotonic() > until:
                raise
            time.sleep(0.05)
        else:
            return


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres | None]:
    with running_postgres() as server:
        yield server


def required(server: Postgres | None) -> Postgres:
    """Return the server, or skip: loudly, and in CI as a failure."""
    if server is None:
        pytest.skip(MISSING)
    return server
