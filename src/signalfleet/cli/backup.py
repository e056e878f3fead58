"""`signalfleet backup`, `restore`, `arm` and `disarm`: copies of the data, and which one trades."""

import asyncio
from pathlib import Path

import typer

from signalfleet.app.arm import arm as arm_store
from signalfleet.app.arm import shred_again
from signalfleet.bootstrap.arming import DISARMED, armed_state, pause_of_entries
from signalfleet.bootstrap.backups import back_up_now, restore
from signalfleet.bootstrap.clock import SystemClock
from signalfleet.bootstrap.lock import one_worker
from signalfleet.bootstrap.settings import ConfigurationError, Settings
from signalfleet.bootstrap.store import open_store
from signalfleet.domain.ids import InstallationId
from signalfleet.ports.departures import Arming


async def make_backup(settings: Settings, target: Path | None) -> int:
    made = await asyncio.to_thread(back_up_now, settings, SystemClock().now(), target)
    size = made.stat().st_size
    typer.echo(f"{made} ({size:,} bytes)")
    typer.echo("It opens no credentials without ENCRYPTION_KEY, which is not in it: keep both.")
    return 0


async def put_back(settings: Settings, backup: Path) -> int:
    installation, aside = await asyncio.to_thread(restore, settings, backup, SystemClock().now())
    typer.echo(f"The database is that of installation {installation} again.")
    if aside is not None:
        typer.echo(f"The one that was there is {aside}.")
    typer.echo(DISARMED)
    return 0


async def arm(settings: Settings, *, has_stopped: bool, typed: str | None) -> int:
    if not has_stopped:
        raise ConfigurationError(
            "stop the old one first, for good: two that run at once destroy each other's Telegram "
            "sessions and send orders twice. Then add --i-have-stopped-the-old-one"
        )
    clock = SystemClock()
    async with open_store(settings) as store:
        state = await armed_state(settings, store)
        if await state.is_armed() and (await state.arming()).generation:
            typer.echo("This copy is armed already.")
            return 0
        installation = await store.fleet.installation()
        _require_typed(installation, typed)
        with one_worker(settings.data_dir):
            gone = await shred_again(store, state.files.shredded())
            pause = await pause_of_entries(settings, store)
            arming = await arm_store(store, now=clock.now(), pause=pause)
            state.files.write(arming.generation or 1)
    if gone:
        typer.echo(f"{gone} users who had left were deleted again.")
    typer.echo(f"Armed, generation {arming.generation}. Bots start now or with `signalfleet run`;")
    typer.echo(
        f"each compares its accounts first, and entries wait for {int(pause.total_seconds())} s."
    )
    return 0


async def disarm(settings: Settings) -> int:
    """Mark this data as a copy: for databases that were restored by other tools."""
    async with open_store(settings) as store:
        state = await armed_state(settings, store)
        await store.fleet.set_arming(Arming(generation=0))
        state.files.remove()
    typer.echo(DISARMED)
    return 0


def _require_typed(installation: InstallationId, typed: str | None) -> None:
    given = typed if typed is not None else typer.prompt(f"Type {installation} to arm it")
    if given.strip() != installation:
        raise ConfigurationError("that is not the id of this installation; nothing was done")
