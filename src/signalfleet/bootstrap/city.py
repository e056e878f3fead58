"""Find the simulated city that runs already, or start one; it outlives this process."""

import asyncio
import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import aiohttp

from signalfleet.bootstrap.settings import ConfigurationError

START_S: Final = 20.0
STEP_S: Final = 0.05
IDLE_S: Final = 60.0


class CityGoneError(ConfigurationError):
    """The process of the simulators has ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class City:
    """What the product needs to join, as the city wrote it down."""

    facts: dict[str, Any]

    def text(self, name: str) -> str:
        return str(self.facts[name])

    @property
    def name(self) -> str:
        """Tell one city from another: a new one knows nothing of the old one's sessions."""
        return f"{self.facts['pid']}-{self.facts['control_token'][:6]}"

    async def ask(self, method: str, path: str, body: object = None) -> Any:  # noqa: ANN401 - JSON
        """Call a control route; raises CityGoneError if nobody answers."""
        token = self.text("control_token")
        return await self._call(method, self.text("control_url") + path, body, token)

    async def ask_broker(self, path: str, body: object = None) -> Any:  # noqa: ANN401 - JSON
        """Call the broker's control interface: with a body it is a POST."""
        method = "GET" if body is None else "POST"
        return await self._call(method, self.text("metaapi_url") + path, body, self.broker_token)

    @property
    def broker_token(self) -> str:
        """Return what opens the broker's control interface: another where it runs by itself."""
        return str(self.facts.get("broker_token") or self.facts["control_token"])

    async def _call(self, method: str, url: str, body: object, token: str) -> Any:  # noqa: ANN401 - JSON
        headers = {"Authorization": f"Bearer {token}"}
        timeout = aiohttp.ClientTimeout(total=5)
        try:
            async with (
                aiohttp.ClientSession(headers=headers, timeout=timeout) as session,
                session.request(method, url, json=body) as response,
            ):
                response.raise_for_status()
                return await response.json()
        except (aiohttp.ClientConnectionError, TimeoutError) as error:
            raise CityGoneError("the simulators do not answer any more; start again") from error


async def find_or_start(run_dir: Path, *, repeat: bool, speed: float, seed: int) -> City:
    """Return the running city of this directory, or start one in a process of its own."""
    known = await find(run_dir)
    if known is not None:
        return known
    return await start(run_dir, repeat=repeat, speed=speed, seed=seed)


async def find(run_dir: Path) -> City | None:
    path = run_dir / "city.json"
    try:
        city = City(facts=json.loads(path.read_text(encoding="utf-8")))
        await city.ask("GET", "/telegram/server")
    except (OSError, ValueError, KeyError, aiohttp.ClientError, CityGoneError):
        return None
    return city


async def start(
    run_dir: Path, *, repeat: bool, speed: float, seed: int, idle_s: float = IDLE_S
) -> City:
    """Start a city; it ends by itself after `idle_s` seconds without a connection."""
    run_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = run_dir / "city.json"
    path.unlink(missing_ok=True)
    log_path = run_dir / "city.log"
    command = [sys.executable, "-m", "signalfleet_sim.city", "--run-dir", str(run_dir)]
    command += ["--speed", str(speed), "--seed", str(seed), "--idle-s", str(idle_s)]
    if repeat:
        command.append("--repeat")
    with log_path.open("wb") as log_file:
        process = subprocess.Popen(  # noqa: ASYNC220,S603 - our own module, started once
            command,
            stdin=subprocess.DEVNULL,
            stdout=log_file,
            stderr=log_file,
            # A session of its own, so that Ctrl+C in the terminal does not end it.
            start_new_session=os.name == "posix",
        )
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        if path.exists():
            city = await find(run_dir)
            if city is not None:
                # It is meant to live on; else Python warns that nobody waits for it.
                process.returncode = 0
                return city
        if process.poll() is not None:
            break
        await asyncio.sleep(STEP_S)
    tail = log_path.read_text(encoding="utf-8", errors="replace")[-2000:]
    raise ConfigurationError(f"the simulators did not start; their log says:\n{tail}")
