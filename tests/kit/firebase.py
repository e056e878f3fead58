"""Opens the Firebase store for a test: on FakeRtdb, or on a scratch instance of a real project.

FIREBASE_TEST_URL names that instance. Everything in it is deleted before each test, so it must be
empty or carry the mark that an earlier run of these tests left there.
"""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager, contextmanager
from typing import Final

import firebase_admin
import pytest
from firebase_admin import db

from kit.rtdb import FakeRtdb
from kit.store_rows import CELL
from signalfleet.adapters.firebase import FirebaseStore
from signalfleet.adapters.firebase.rules import rules
from signalfleet.ports.store import Store

TEST_URL: Final = "FIREBASE_TEST_URL"
MARK: Final = "scratch_instance_of_the_signalfleet_tests"


def real_url() -> str | None:
    return os.environ.get(TEST_URL) or None


SOCKETS: Final = (
    (pytest.mark.enable_socket, pytest.mark.timeout(600)) if real_url() else (pytest.mark.loopback,)
)
"""What a test on this store may reach: the real service if it is named, else this machine."""


@contextmanager
def fake_rtdb() -> Iterator[FakeRtdb]:
    with FakeRtdb(rules(), now_ms=int(time.time() * 1000)) as fake:
        yield fake


@asynccontextmanager
async def open_firebase(_: object) -> AsyncIterator[Store]:
    url = real_url()
    if url is not None:
        await asyncio.to_thread(_empty, url)
        async with aclosing(await FirebaseStore.open([url], cell=CELL)) as store:
            yield store
        return
    with fake_rtdb() as fake:
        async with aclosing(await FirebaseStore.open([fake.url], cell=CELL)) as store:
            yield store


def _empty(url: str) -> None:
    """Delete everything, as the administrator; never in an instance that somebody uses."""
    app = firebase_admin.initialize_app(options={"databaseURL": url}, name="signalfleet-scratch")
    try:
        root = db.reference("/", app)
        found = root.get(shallow=True) or {}
        if found and MARK not in found:
            raise RuntimeError(f"{TEST_URL} names an instance with data in it: give an empty one")
        root.set({MARK: True})
    finally:
        firebase_admin.delete_app(app)
