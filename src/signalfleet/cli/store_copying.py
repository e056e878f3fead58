"""`signalfleet store copy`: what a person sees of it."""

import json
import sys
import time
from contextlib import AsyncExitStack
from dataclasses import asdict

import typer
from pydantic import SecretStr

from signalfleet.app.copy_store import CopyReport, CopyStore
from signalfleet.bootstrap.settings import Settings
from signalfleet.bootstrap.stores import open_rows

TOLD_EVERY = 100


async def copy_all(settings: Settings, source: str, target: str, *, as_json: bool) -> int:
    """Return 0 if everything arrived, 1 if something changed meanwhile."""
    begun = time.monotonic()
    async with AsyncExitStack() as stack:
        ends = []
        for url in (source, target):
            at = settings.model_copy(update={"store_url": SecretStr(url)})
            ends.append(await stack.enter_async_context(open_rows(at, must_exist=url == source)))
        report = await CopyStore(*ends).run(_tell)
    if as_json:
        seconds = round(time.monotonic() - begun, 1)
        typer.echo(json.dumps({"ok": report.is_complete, **asdict(report), "seconds": seconds}))
    elif report.is_complete:
        typer.echo(
            f"{report.users} users with {report.rows} rows are in the new store and equal: "
            f"{report.copied} copied now, {report.same_already} were there. Set STORE_URL to it."
        )
    if report.is_complete:
        return 0
    typer.echo(
        f"{len(report.different)} parts changed while they were copied, the first: "
        f"{report.different[0]}. Stop the product that uses the old store and run this again.",
        err=True,
    )
    return 1


def _tell(report: CopyReport) -> None:
    if report.users % TOLD_EVERY == 0:
        print(f"{report.users} users", file=sys.stderr, flush=True)
