"""The other side of `bench telegram`, in a process of its own: a server with many sessions.

Commands come as words on standard input: down, up, strict (a pace of connects over which is a
violation), stats, end. Each is answered with one line of JSON.
"""

import asyncio
import base64
import json
import sys
from random import Random
from typing import Any

from signalfleet_sim.telegram import TelegramServer, World

SEED = 20_261
ANY_PACE = 100_000.0
STRICT_PACE = 10.0


class Other:
    """The world, which stays, and its server, which comes and goes on the same port."""

    def __init__(self, clients: int) -> None:
        self.world = World(rng=Random(SEED))
        self.world.journal.connects_per_s = ANY_PACE
        self.server = TelegramServer(self.world)
        self._clients = clients

    async def open(self) -> dict[str, Any]:
        await self.server.start()
        news = self.world.channel("News")
        sessions = []
        for number in range(self._clients):
            user = self.world.user(f"+1555{number:07}", f"User {number}")
            news.join(user)
            _, _, _, key = self.world.premade_session(user)
            access_hash = self.world.access_hash(user, news.channel_id)
            sessions.append([user.user_id, base64.b64encode(key).decode(), access_hash])
        host, port = self.server.address
        return {
            "dc": self.server.dc,
            "host": host,
            "port": port,
            "pem": self.server.public_key_pem,
            "chat": news.chat_id,
            "sessions": sessions,
        }

    async def obey(self, command: str) -> dict[str, Any]:
        if command == "down":
            await self.server.aclose()
        elif command == "up":
            _, port = self.server.address
            self.server = TelegramServer(self.world, port=port)
            await self.server.start()
        elif command == "strict":
            self.world.journal.connects_per_s = STRICT_PACE
        elif command == "post":
            next(iter(self.world.channels)).post("to all")
        return {
            "connections": self.server.connections,
            "connects": self.world.journal.connects,
            "violations": [f"{v.kind}: {v.detail}" for v in self.world.violations][:5],
        }


async def main(clients: int) -> None:
    other = Other(clients)
    say(await other.open())
    while (command := (await asyncio.to_thread(sys.stdin.readline)).strip()) not in {"", "end"}:
        say(await other.obey(command))
    await other.server.aclose()


def say(answer: dict[str, Any]) -> None:
    print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
