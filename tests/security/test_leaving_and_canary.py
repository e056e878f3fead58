"""The whole product once: what is secret is nowhere in clear, and a user who leaves is gone."""

import base64
import json
import re
import resource
import sqlite3
import zipfile
from collections.abc import Iterator
from contextlib import aclosing
from pathlib import Path
from urllib.parse import quote

import aiohttp
import pytest

from drills.operator import command, visit
from drills.rig import Rig, open_rig
from signalfleet.adapters.secrets import SecureCredentialStore
from signalfleet.adapters.sql import SqlStore
from signalfleet.bootstrap.keys import local_keys

pytestmark = [pytest.mark.loopback, pytest.mark.timeout(240)]

SEED = 20_290
API_HASH = "c0ffeec0ffeec0ffeec0ffeec0ffee42"
ALLOWED = frozenset({"encryption.key", "session.key", "nats.conf"})
"""What holds a key because it is the place of that key; none of them is in the database."""


def disguises(secret: bytes) -> Iterator[bytes]:
    for one in (secret, secret[::-1]):
        yield one
        yield one.hex().encode()
        yield quote(one).encode()
        for encoded in (base64.b64encode(one), base64.urlsafe_b64encode(one)):
            # Cut, for in a longer text the last characters differ.
            yield encoded.rstrip(b"=")[:-1]


async def secrets_of(rig: Rig) -> dict[str, bytes]:
    store = await SqlStore.open(rig.settings.database, cell=rig.settings.cell)
    keys = local_keys(rig.settings)
    async with aclosing(store):
        credentials = SecureCredentialStore(store, keys)
        session = await credentials.get(rig.user, "telegram_session")
        token = await credentials.get(rig.user, "metaapi_token")
        (wrapped,) = await store.user(rig.user).credentials.keys()
        data_key = await keys.unwrap(rig.user, wrapped)
    assert session is not None
    assert token is not None
    return {
        "session": session.reveal().encode(),
        "auth key": base64.b64decode(json.loads(session.reveal())["key"]),
        "MetaApi token": token.reveal().encode(),
        "data key": data_key,
        "encryption key": rig.settings.encryption_key.get_secret_value().encode(),
        "session key": (rig.settings.data_dir / "session.key").read_bytes(),
        "api hash": API_HASH.encode(),
        "phone": rig.city.text("phone").lstrip("+").encode(),
    }


def files_of(rig: Rig) -> dict[str, bytes]:
    """Read what the product has written: logs, database with its log, bus, backups, archives."""
    ours = [one for one in rig.root.rglob("*") if one.is_file() and "city" not in one.parts]
    return {str(one): one.read_bytes() for one in ours if one.name not in ALLOWED}


async def pages_of(rig: Rig) -> dict[str, bytes]:
    shown = {}
    paths = ("/", "/signals", "/notices", "/account", "/account/activity", "/connect/mt5")
    hostile = ("/signals/1/1", "/signals/ABC", "/nothing", "/%00", "/account/export/x")
    for path in (*paths, *hostile):
        shown[path] = (await visit(rig, "GET", path))[1].encode()
    async with (
        aiohttp.ClientSession() as client,
        client.get(rig.address() + "/metrics") as answer,
    ):
        shown["/metrics"] = await answer.read()
    return shown


async def archive_of(rig: Rig) -> dict[str, bytes]:
    assert await command(rig, "data", "export", "--out", "mine.zip") == 0
    archive = zipfile.ZipFile(rig.root / "mine.zip")
    return {f"export: {name}": archive.read(name) for name in archive.namelist()}


def rows_about(database: Path, user: str) -> dict[str, int]:
    """Count the rows of each table that name a user anywhere."""
    found = {}
    connection = sqlite3.connect(database)
    try:
        tables = [
            row[0]
            for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        ]
        for table in tables:
            rows = connection.execute(f'SELECT * FROM "{table}"').fetchall()  # noqa: S608 - our own names
            found[table] = sum(1 for row in rows if any(user in str(value) for value in row))
    finally:
        connection.close()
    return {table: count for table, count in found.items() if count}


@pytest.fixture
def _cores_allowed() -> Iterator[None]:
    """Let processes leave their memory on the disk, if they do not refuse it themselves."""
    soft, hard = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))
    yield
    resource.setrlimit(resource.RLIMIT_CORE, (soft, hard))


def core_limit(rig: Rig) -> str:
    """Return how much of its memory the product would leave on the disk if it broke off."""
    assert rig.process is not None
    limits = Path(f"/proc/{rig.process.pid}/limits").read_text().splitlines()
    (line,) = [one for one in limits if one.startswith("Max core file size")]
    return line.split()[4]


@pytest.mark.usefixtures("_cores_allowed")
async def test_no_secret_is_in_clear_anywhere_and_who_leaves_is_gone() -> None:
    async with open_rig(SEED) as rig:
        rig.environment["TELEGRAM_API_HASH"] = API_HASH
        rig.environment["LOG_LEVEL"] = "DEBUG"
        await rig.start()
        await rig.until_live()
        assert core_limit(rig) == "0"
        await rig.post_signal()
        await rig.break_broker("execute_then_504", route="trade", times=1)
        await rig.post_signal()
        assert await rig.until_settled(60)
        assert await command(rig, "backup") == 0
        assert await command(rig, "keys", "status") == 0
        secrets = await secrets_of(rig)
        seen = {**files_of(rig), **await pages_of(rig), **await archive_of(rig)}
        assert any(name.endswith("product.log") for name in seen)
        assert any(name.endswith("signalfleet.db") for name in seen)
        found = [
            (what, where)
            for what, secret in secrets.items()
            for where, content in seen.items()
            if any(shape in content for shape in disguises(secret))
        ]
        assert found == []
        # The search finds what is there, or it would prove nothing.
        assert any(rig.user.encode() in content for content in seen.values())

        status, page = await visit_leaving(rig)
        assert status == 200, page
        report = re.search(r"r_[0-9a-f]{24}", page)
        assert report is not None
        # The page answers before all is over if the broker takes longer to close.
        while await command(rig, "data", "report", report[0]) != 0:
            continue
        assert await rig.positions() == {}
        # While the product still runs: neither the file nor its log holds a text of the user's.
        running = {str(p): p.read_bytes() for p in rig.settings.data_dir.glob("signalfleet.db*")}
        for text in (b"SL ", rig.city.text("metaapi_account").encode()):
            assert not [name for name, content in running.items() if text in content], text
        assert await rig.stop() == 0
        database = rig.settings.data_dir / "signalfleet.db"
        assert rows_about(database, rig.user) == {"shredded": 1}
        left = {str(p): p.read_bytes() for p in rig.settings.data_dir.glob("signalfleet.db*")}
        assert not [name for name, content in left.items() if secrets["phone"] in content]
        sessions = await rig.city.ask("GET", "/telegram/users")
        assert sessions
        assert await command(rig, "data", "report", report[0]) == 0
        log = (rig.root / "commands.log").read_text()
        assert "signed out" in log
        assert "all closed" in log
        state = (rig.settings.state).glob("shredded-*.jsonl")
        assert [rig.user in path.read_text() for path in state] == [True]


async def visit_leaving(rig: Rig) -> tuple[int, str]:
    form = {"confirm": "delete", "trades": "close"}
    return await visit(rig, "POST", "/account/delete", form=form)
