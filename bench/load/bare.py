"""The least that could do the work of the bots: stock clients whose handlers post an order each.

No store, no reading of texts, no plan, no claim: what is left is what the libraries cost. The order
is made before, from the signal that is going to be posted.
"""

import asyncio
import base64
import json
import sys
import time
from pathlib import Path
from typing import Any, Final

import aiohttp
from telethon import TelegramClient, events
from telethon.crypto import AuthKey, rsa
from telethon.sessions import MemorySession
from telethon.tl import types

from bench.load.pipe import Facts, allow_files, say, serve
from bench.load.plan import REGION

CONNECTS_AT_ONCE: Final = 50
POOL: Final = 100


class BareBots:
    def __init__(self, facts: Facts) -> None:
        self._facts = facts
        self._clients: list[Any] = []
        self._answers = 0
        self._calls: set[asyncio.Task[None]] = set()
        self._levels: dict[str, Any] = {}
        self._seen: list[float] = []
        self.http: aiohttp.ClientSession | None = None

    async def open(self, pem: str) -> None:
        rsa._server_keys.clear()  # noqa: SLF001 - the library has no other way
        rsa.add_key(pem, old=False)
        self.http = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=POOL), cookie_jar=aiohttp.DummyCookieJar()
        )
        turns = asyncio.Semaphore(CONNECTS_AT_ONCE)
        async with asyncio.TaskGroup() as tasks:
            for number, person in enumerate(self._facts["people"]):
                tasks.create_task(self._join(number, person, turns))

    async def _join(self, number: int, person: Facts, turns: asyncio.Semaphore) -> None:
        session = MemorySession()
        session.set_dc(person["dc"], person["host"], person["port"])
        session.auth_key = AuthKey(base64.b64decode(person["key"]))
        client = TelegramClient(session, 1, "0" * 32, catch_up=False)
        url = f"{self._facts['metaapi_url']}/client/{REGION}/users/current/accounts/"
        url += f"{person['metaapi_account']}/trade"
        headers = {"auth-token": person["metaapi_token"], "Content-Type": "application/json"}

        async def on_post(_update: object) -> None:
            self._seen.append(time.time())
            call = asyncio.get_running_loop().create_task(self._order(number, url, headers))
            self._calls.add(call)
            call.add_done_callback(self._calls.discard)

        client.add_event_handler(on_post, events.Raw(types=(types.UpdateNewChannelMessage,)))
        async with turns:
            await client.connect()
            await client.get_me()
        self._clients.append(client)

    async def _order(self, number: int, url: str, headers: dict[str, str]) -> None:
        assert self.http is not None
        body = json.dumps(self._levels | {"clientId": f"bare_{self._levels['magic']}_{number}"})
        async with self.http.post(url, data=body, headers=headers) as response:
            answer = await response.json()
            self._answers += answer.get("numericCode") == 10009

    async def obey(self, question: Facts) -> Facts:
        if question["do"] == "levels":
            self._levels, self._answers = question["levels"], 0
            self._seen.clear()
        if question["do"] == "split":
            return {"stages": {"stored": [(one, one) for one in self._seen]}}
        return {"answers": self._answers, "cpu_s": time.process_time()}

    async def aclose(self) -> None:
        async with asyncio.timeout(30):
            for client in self._clients:
                await client.disconnect()
            if self.http is not None:
                await self.http.close()


async def main(facts: Facts, pem: str) -> None:
    allow_files(4 * len(facts["people"]) + 1000)
    bots = BareBots(facts)
    await bots.open(pem)
    say({"clients": len(facts["people"])})
    await serve(bots.obey)
    await bots.aclose()


if __name__ == "__main__":
    told = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    share, shares = int(sys.argv[2]), int(sys.argv[3])
    told["people"] = told["people"][share::shares]
    asyncio.run(main(told, Path(told["telegram_key_file"]).read_text(encoding="ascii")))
