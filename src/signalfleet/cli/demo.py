"""`signalfleet demo`: the whole product on loopback, and its headless proof."""

import asyncio
import json
import shutil
import sys
import tempfile
from pathlib import Path

import typer

from signalfleet.bootstrap import city as cities
from signalfleet.bootstrap.all_in_one import serve_all
from signalfleet.bootstrap.demo import DemoOptions, demo_settings, demo_user, start_script
from signalfleet.bootstrap.demo_check import check_demo
from signalfleet.bootstrap.platform import make_directories, open_platform
from signalfleet.bootstrap.process import stop_on_signals
from signalfleet.observability.logs import set_up_logs

SEED = 7
CHECK_LIMIT_S = 100.0
CHECK_SPEED = 1.5


async def run_demo(root: Path, *, port: int, drill: bool, store_url: str = "") -> int:
    """Start or find the city, then serve until Ctrl+C. The last line printed is the address."""
    make_directories(root)
    log_path = root / "signalfleet.log"
    typer.echo("SignalFleet demo: simulated Telegram, simulated MetaApi, play money. Nothing real.")
    options = DemoOptions(root=root, port=port, drill=drill, store_url=store_url)
    with log_path.open("a", encoding="utf-8") as log_file, stop_on_signals() as stop:
        set_up_logs(as_json=True, stream=log_file)
        city = await cities.find_or_start(root / "city", repeat=True, speed=1.0, seed=SEED)
        async with open_platform(demo_settings(options, city)) as platform:
            user = await demo_user(platform, city)

            async def ready(address: str) -> None:
                await start_script(city)
                typer.echo(f"Logs go to {log_path}. Press Ctrl+C to stop.")
                typer.echo(f"Open {address}/")

            await serve_all(platform, stop, demo_user=user, any_port=True, ready=ready)
    typer.echo("Stopped. The simulators end by themselves within a minute.")
    return 0


async def run_check(store_url: str = "", *, limit_s: float = CHECK_LIMIT_S) -> int:
    """Run the demo without a browser until the broker confirms it; 0 if it does in time."""
    root = Path(tempfile.mkdtemp(prefix="signalfleet-check-"))
    log_path = root / "signalfleet.log"
    is_ok = False
    try:
        with log_path.open("w", encoding="utf-8") as log_file:
            set_up_logs(as_json=True, stream=log_file)
            is_ok = await _check(root, limit_s, store_url)
    finally:
        if is_ok:
            shutil.rmtree(root, ignore_errors=True)
        else:
            print(f"What happened is in {log_path}", file=sys.stderr)
    return 0 if is_ok else 1


async def _check(root: Path, limit_s: float, store_url: str) -> bool:
    city = await cities.start(root / "city", repeat=False, speed=CHECK_SPEED, seed=SEED)
    stop = asyncio.Event()
    is_ok = False
    options = DemoOptions(root=root, port=0, store_url=store_url)
    async with open_platform(demo_settings(options, city)) as platform:
        user = await demo_user(platform, city)
        async with asyncio.TaskGroup() as tasks:

            async def ready(_address: str) -> None:
                await start_script(city)

            serving = serve_all(platform, stop, demo_user=user, any_port=True, ready=ready)
            tasks.create_task(serving, name="serve")
            figures = await check_demo(platform, city, user, limit_s=limit_s)
            typer.echo(json.dumps(figures.as_json()))
            is_ok = figures.is_ok
            stop.set()
    return is_ok
