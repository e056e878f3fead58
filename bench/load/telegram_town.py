"""The simulated Telegram of a load, in a process of its own.

It is asked by lines of JSON: `play` posts by the plan's mix at a rate, `post` posts one signal to a
room or to everybody, `stats` tells what it saw. Times are seconds since 1970.
"""

import asyncio
import base64
import gc
import sys
import time
from pathlib import Path
from random import Random
from typing import Any, Final

from bench.load.pipe import Facts, allow_files, say, serve
from bench.load.plan import EVERYBODY, LoadPlan, Mix, Posted, Writer, moments
from signalfleet_sim.telegram import TelegramServer, World
from signalfleet_sim.telegram.chats import SimChannel

ANY_PACE: Final = 100_000.0
REMEMBERED: Final = 50


class TelegramTown:
    def __init__(self, plan: LoadPlan, run_dir: Path) -> None:
        self._plan = plan
        self._run_dir = run_dir
        self._rng = Random(plan.seed)
        self._writer = Writer(self._rng)
        self._recent: dict[int, list[tuple[int, str]]] = {}
        self.world = World(rng=Random(plan.seed))
        self.world.journal.connects_per_s = ANY_PACE
        self.server = TelegramServer(self.world)
        self._everybody: SimChannel | None = None
        self._rooms: list[SimChannel] = []

    async def open(self) -> Facts:
        await self.server.start()
        key_file = self._run_dir / "telegram_key.pem"
        self.server.write_key(key_file)
        self._everybody = everybody = self.world.channel(EVERYBODY)
        self._rooms = [self.world.channel(self._plan.title(n)) for n in range(self._plan.rooms)]
        people = [self._move_in(number, everybody) for number in range(self._plan.users)]
        host, port = self.server.address
        return {
            "telegram_dc": self.server.dc,
            "telegram_address": f"{host}:{port}",
            "telegram_key_file": str(key_file),
            "people": people,
        }

    def _move_in(self, number: int, everybody: SimChannel) -> Facts:
        user = self.world.user(f"+1555{number:07}", f"User {number}")
        chats = [everybody, *(self._rooms[room] for room in self._plan.rooms_of(number))]
        for chat in chats:
            chat.join(user)
        dc, host, port, key = self.world.premade_session(user)
        return {
            "telegram_id": user.user_id,
            "dc": dc,
            "host": host,
            "port": port,
            "key": base64.b64encode(key).decode(),
            "chats": [
                {
                    "chat": chat.chat_id,
                    "title": chat.title,
                    "access_hash": self.world.access_hash(user, chat.channel_id),
                }
                for chat in chats
            ],
        }

    async def obey(self, question: Facts) -> Facts:
        match question["do"]:
            case "post":
                return self._post(question["room"], "signal").dump()
            case "play":
                return await self._play(
                    question["rate"], question["seconds"], Mix(**question["mix"])
                )
            case "down":
                await self.server.aclose()
            case "up":
                _, port = self.server.address
                self.server = TelegramServer(self.world, port=port)
                await self.server.start()
            case _:
                pass
        return self._stats()

    async def _play(self, rate: float, seconds: float, mix: Mix) -> Facts:
        """Post by the clock: who is late once does not post later for ever."""
        begun = time.monotonic()
        posted: list[Facts] = []
        latest = 0.0
        for moment in moments(rate, seconds):
            pause = begun + moment - time.monotonic()
            await asyncio.sleep(max(0.0, pause))
            latest = max(latest, time.monotonic() - begun - moment)
            room = len(posted) % len(self._rooms)
            posted.append(self._post(room, mix.choose(self._rng)).dump())
        return {"posted": posted, "latest_s": latest}

    def _post(self, room: int | None, kind: str) -> Posted:
        chat = self._everybody if room is None else self._rooms[room]
        assert chat is not None
        recent = self._recent.setdefault(chat.chat_id, [])
        if kind in ("follow_up", "close", "edit") and not recent:
            kind = "signal"
        signal = self._writer.signal() if kind == "signal" else None
        at = time.time()
        match kind:
            case "signal" if signal is not None:
                message = chat.post(signal.text)
                self._recent[chat.chat_id] = [*recent, (message, signal.text)][-REMEMBERED:]
            case "follow_up":
                message = chat.post("Move SL to entry", reply_to=self._rng.choice(recent)[0])
            case "close":
                message = chat.post("Close now", reply_to=recent.pop(0)[0])
            case "edit":
                message, text = recent[-1]
                chat.edit(message, text + "\n.")
            case _:
                message = chat.post(self._writer.chatter())
        return Posted(
            kind=kind, room=room, message=message, at=at, members=len(chat.members), signal=signal
        )

    def _stats(self) -> Facts:
        violations: list[Any] = self.world.violations
        return {
            "connections": self.server.connections,
            "connects": self.world.journal.connects,
            "cpu_s": time.process_time(),
            "violations": [f"{one.kind}: {one.detail}" for one in violations][:5],
        }


async def main(plan: LoadPlan, run_dir: Path) -> None:
    allow_files(2 * plan.users + 500)
    town = TelegramTown(plan, run_dir)
    say(await town.open())
    gc.freeze()
    await serve(town.obey)
    await town.server.aclose()


if __name__ == "__main__":
    asyncio.run(main(LoadPlan.load(sys.argv[1]), Path(sys.argv[2])))
