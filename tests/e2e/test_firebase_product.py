"""The whole product on the Firebase store, pages and worker each with rights of their own."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
import pytest

from drills.rig import LEGS, open_rig
from kit.firebase import fake_rtdb
from kit.product_process import running
from signalfleet.adapters.firebase import FirebaseStore
from signalfleet.ports.fleet_rows import WebSession
from signalfleet.web.auth.sessions import digest

pytestmark = [pytest.mark.loopback, pytest.mark.timeout(180)]
SID = "sid-of-the-visitor"


async def eventually(what: str, is_so: Callable[[], Awaitable[bool]], limit_s: float = 60) -> None:
    deadline = time.monotonic() + limit_s
    while not await is_so():
        assert time.monotonic() < deadline, f"not within {limit_s} s: {what}"
        await asyncio.sleep(0.1)


def address_in(log: Path) -> str:
    entries = [json.loads(one) for one in log.read_text().splitlines() if one.startswith("{")]
    (serving,) = [one for one in entries if one["event"] == "serving"]
    return str(serving["address"])


async def test_pages_and_worker_run_on_firebase_each_with_its_own_identity() -> None:
    with fake_rtdb() as fake:
        async with open_rig(88, store_url=f"firebase://{fake.url}") as rig:
            log, command = rig.root / "fleet.log", ("run", "--role", "supervisor")
            environment = {**rig.environment, "COOKIE_SECURE": "false"}
            async with running(*command, cwd=rig.root, variables=environment, log=log) as product:

                async def is_live() -> bool:
                    return b'"state": "live"' in log.read_bytes()

                async def are_ordered() -> bool:
                    return len(await rig.legs()) == rig.posted * LEGS

                await eventually("the worker reads its channels", is_live)
                await rig.post_signal()
                await eventually("the signal has its orders", are_ordered)

                store = await FirebaseStore.open([fake.url], cell=rig.settings.cell)
                now = datetime.now(UTC)
                end = now + timedelta(hours=1)
                session = WebSession(user_id=rig.user, created_at=now, expires_at=end)
                await store.fleet.put_session(digest(SID), session)
                trades = await store.user(rig.user).journal.recent_trades()
                await store.aclose()
                assert len(trades) == LEGS
                async with (
                    aiohttp.ClientSession(headers={"Cookie": f"sf={SID}"}) as visitor,
                    visitor.get(f"{address_in(log)}/signals") as answer,
                ):
                    text = await answer.text()
                assert answer.status == 200
                assert trades[0].symbol in text
                status, _ = await product.stop()
                assert status == 0
