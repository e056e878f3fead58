"""The city in one process: simulated Telegram, MetaApi and market, with scripted channels.

`python -m signalfleet_sim.city --run-dir DIR` writes `city.json` there: where its servers listen
and what a product needs to join. It ends by itself when nobody was connected for a while.
"""

import argparse
import asyncio
import json
import os
import random
import secrets
import signal
import sys
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from aiohttp import web

from signalfleet_sim.market.clock import WallClock
from signalfleet_sim.market.seeded import SeededMarket
from signalfleet_sim.metaapi.credits import PLENTY_OF_CREDITS
from signalfleet_sim.metaapi.server import MetaApiServer
from signalfleet_sim.scenario.player import Player
from signalfleet_sim.scenario.script import SCRIPT
from signalfleet_sim.telegram.chats import SimChannel
from signalfleet_sim.telegram.control import BODY_MAX, control_routes
from signalfleet_sim.telegram.server import TelegramServer
from signalfleet_sim.telegram.world import World

PHONE: Final = "+15550100"
REPLAY_PAUSE_S: Final = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class CityFacts:
    """What `city.json` holds. `control_token` opens both control interfaces."""

    pid: int
    telegram_dc: int
    telegram_address: str
    telegram_key_file: str
    phone: str
    user_id: int
    channels: dict[str, int]
    metaapi_url: str
    metaapi_token: str
    metaapi_account: str
    control_url: str
    control_token: str


class City:
    """Builds the servers, runs the script, and watches whether anybody is there."""

    def __init__(self, run_dir: Path, *, seed: int, speed: float, repeat: bool) -> None:
        self._run_dir = run_dir
        self._speed = speed
        self._repeat = repeat
        self._clock = WallClock()
        self._rng = random.Random(seed)
        self.world = World(self._clock, self._rng)
        self.market = SeededMarket(self._clock, random.Random(seed), volatility=0.35)
        self.telegram = TelegramServer(self.world)
        self.token = secrets.token_urlsafe(24)
        self.metaapi = MetaApiServer(
            self.market,
            clock=self._clock,
            rng=random.Random(seed),
            control_token=self.token,
            # Pages that are watched look more often than a real account's credits would last.
            credit_rules=PLENTY_OF_CREDITS,
        )
        self._start = asyncio.Event()
        self.channels: dict[str, SimChannel] = {}
        self.player: Player | None = None

    async def run(self, *, idle_s: float) -> None:
        """Serve until nobody was connected for `idle_s` seconds, or until cancelled."""
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(self.telegram)
            await self.metaapi.start()
            stack.push_async_callback(self.metaapi.aclose)
            control = await self._serve_control(stack)
            self._write(self._build(control))
            async with asyncio.TaskGroup() as tasks:
                playing = tasks.create_task(self._play(), name="play")
                await self._watch(idle_s)
                playing.cancel()

    def _build(self, control_url: str) -> CityFacts:
        user = self.world.user(PHONE, "Demo Trader")
        for name, title in SCRIPT.channels.items():
            channel = self.world.channel(title)
            channel.join(user)
            self.channels[name] = channel
        self.player = Player(SCRIPT, self.channels, self.market, self._clock)
        account_token = self.metaapi.world.new_token()
        account = self.metaapi.add_account(token=account_token)
        key_file = self._run_dir / "telegram_key.pem"
        self.telegram.write_key(key_file)
        host, port = self.telegram.address
        return CityFacts(
            pid=os.getpid(),
            telegram_dc=self.telegram.dc,
            telegram_address=f"{host}:{port}",
            telegram_key_file=str(key_file),
            phone=PHONE,
            user_id=user.user_id,
            channels={name: channel.chat_id for name, channel in self.channels.items()},
            metaapi_url=self.metaapi.base_url,
            metaapi_token=account_token,
            metaapi_account=account,
            control_url=control_url,
            control_token=self.token,
        )

    async def _serve_control(self, stack: AsyncExitStack) -> str:
        app = web.Application(client_max_size=BODY_MAX)
        app.router.add_post("/city/start", self._start_script)
        app.add_subapp("/telegram", control_routes(self.world, self.telegram, token=self.token))
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        return f"http://{host}:{port}"

    async def _start_script(self, request: web.Request) -> web.Response:
        if not secrets.compare_digest(
            request.headers.get("Authorization", ""), f"Bearer {self.token}"
        ):
            raise web.HTTPUnauthorized
        self._start.set()
        return web.json_response({"started": True})

    async def _play(self) -> None:
        await self._start.wait()
        while self.player is not None:
            await self.player.run(speed=self._speed)
            if not self._repeat:
                return
            await asyncio.sleep(REPLAY_PAUSE_S)

    async def _watch(self, idle_s: float) -> None:
        last, connects = self._clock.time(), 0
        while self._clock.time() - last < idle_s:
            await asyncio.sleep(1)
            # Who came and went between two looks was here too.
            if self.telegram.connections > 0 or self.world.journal.connects > connects:
                last, connects = self._clock.time(), self.world.journal.connects

    def _write(self, facts: CityFacts) -> None:
        path = self._run_dir / "city.json"
        draft = path.with_suffix(".tmp")
        draft.touch(mode=0o600)
        draft.write_text(json.dumps(asdict(facts), indent=2))
        draft.replace(path)


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="The simulated Telegram and MetaApi.")
    parser.add_argument("--run-dir", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--speed", type=float, default=1.0)
    parser.add_argument("--repeat", action="store_true", help="play the script again and again")
    parser.add_argument("--idle-s", type=float, default=60.0)
    options = parser.parse_args(argv)
    options.run_dir.mkdir(mode=0o700, parents=True, exist_ok=True)

    async def serve() -> None:
        city = City(options.run_dir, seed=options.seed, speed=options.speed, repeat=options.repeat)
        task = asyncio.current_task()
        if task is not None:
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
        await city.run(idle_s=options.idle_s)

    try:
        asyncio.run(serve())
    except (asyncio.CancelledError, KeyboardInterrupt):
        return 0
    return 0


if __name__ == "__main__":
    sys.exit(main())
