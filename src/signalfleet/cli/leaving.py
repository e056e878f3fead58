"""What the commands of `signalfleet data` do."""

import asyncio
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import typer

from signalfleet.adapters.metaapi.client import MetaApiClient
from signalfleet.app.export_account import export_account
from signalfleet.bootstrap.arming import armed_state
from signalfleet.bootstrap.brokers import brokers_of
from signalfleet.bootstrap.departures import delete_account
from signalfleet.bootstrap.settings import ConfigurationError, Settings
from signalfleet.bootstrap.store import open_store
from signalfleet.bootstrap.terminal import Terminal, open_terminal
from signalfleet.bots.departure_desk import CLOSE
from signalfleet.bots.session_use import SessionUse
from signalfleet.cli.printing import printable
from signalfleet.domain.accounts.audit import AuditEntry
from signalfleet.domain.ids import UserId
from signalfleet.observability.metrics import PrometheusMetrics
from signalfleet.ports.bus import owner_address
from signalfleet.ports.departures import Departure
from signalfleet.ports.errors import RefusedError

KEEP: Final = "keep"


async def export(settings: Settings, *, user: str | None, out: Path) -> int:
    async with open_terminal(settings) as terminal:
        whose = await terminal.user(user)
        profile = await terminal.store.fleet.get_user(whose)
        if profile is None:
            raise RefusedError("there is no such user")
        now = terminal.clock.now()
        entry = AuditEntry(at=now, actor="terminal", action="export_fetched")
        await terminal.store.user(whose).events.add(entry)
        packed = await export_account(terminal.store.user(whose), profile, now)
    await asyncio.to_thread(_write_private, out, packed)
    typer.echo(f"{out} ({len(packed):,} bytes)")
    return 0


async def delete(settings: Settings, *, user: str | None, trades: str | None, is_sure: bool) -> int:
    async with open_terminal(settings) as terminal:
        whose = await terminal.user(user)
        profile = await terminal.store.fleet.get_user(whose)
        name = printable(profile.display_name) if profile else ""
        live = len(await terminal.store.user(whose).journal.live_trades())
        wanted = await _wanted(trades, live, is_sure=is_sure)
        if wanted == CLOSE and live and terminal.bus is None:
            raise RefusedError("only a running SignalFleet can close trades: start it first")
        what = "are closed first" if wanted == CLOSE else "stay open at the broker"
        typer.echo(f"{whose} {name}: {live} open trades {what}.")
        question = "Delete this user and everything about them? It cannot be undone."
        if not is_sure and not await asyncio.to_thread(typer.confirm, question):
            typer.echo("Nothing was done.")
            return 1
        departure = await (
            _alone(terminal, whose) if terminal.bus is None else _asked(terminal, whose, wanted)
        )
    return _show(departure.report_id, departure.steps, is_over=departure.user is None)


async def _wanted(trades: str | None, live: int, *, is_sure: bool) -> str:
    """Ask what becomes of open trades; nobody is asked where there are none."""
    if trades is not None or not live:
        return trades or KEEP
    if is_sure:
        raise RefusedError(f"{live} trades are open: add --trades keep or --trades close")
    question = f"{live} trades are open. Close them first, or keep them open? (close/keep)"
    answer = str(await asyncio.to_thread(typer.prompt, question)).strip().lower()
    if answer not in {KEEP, CLOSE}:
        raise RefusedError("answer close or keep; nothing was done")
    return answer


async def show_report(settings: Settings, name: str) -> int:
    async with open_store(settings) as store:
        found = await store.departures.report(name)
    if found is None:
        raise RefusedError("there is no such report")
    return _show(found.report_id, found.steps, is_over=found.user is None)


async def _asked(terminal: Terminal, user: UserId, trades: str) -> Departure:
    """Let the running product do it: it has the user's bot and session."""
    if terminal.bus is None:
        raise ConfigurationError("the product does not run")
    address = owner_address(terminal.settings.cell, user)
    question = {"desk": "account", "op": "delete", "user": user, "trades": trades}
    told = await terminal.bus.request(address, question, limit_s=30.0)
    found = await terminal.store.departures.report(str(told["report"]))
    if found is None:
        raise RefusedError("the running product did not begin the deletion")
    return found


async def _alone(terminal: Terminal, user: UserId) -> Departure:
    """Do it here: nothing runs on this data, and nothing can start meanwhile."""
    store, clock = terminal.store, terminal.clock
    report = "r_" + secrets.token_hex(12)
    departure = await store.departures.begin(user, report, clock.now())
    metrics = PrometheusMetrics()
    async with MetaApiClient(clock=clock, metrics=metrics) as client:
        work = delete_account(
            store,
            terminal.credentials,
            clock,
            sign_in=terminal.sign_in,
            use=SessionUse(store, clock),
            brokers=brokers_of(terminal.settings, client, clock, metrics),
            armed=await armed_state(terminal.settings, store),
            settings=terminal.settings,
        )
        return await work.run(departure)


def _show(report: str, steps: Mapping[str, str], *, is_over: bool) -> int:
    for step, said in steps.items():
        typer.echo(f"{step:>9}  {said}")
    if not is_over:
        typer.echo(
            "Not over yet: trades are still being closed, or what does not answer is asked again. "
            f"`signalfleet data report {report}` tells how it goes on."
        )
    typer.echo(f"report {report}")
    return 0 if is_over else 1


def _write_private(path: Path, content: bytes) -> None:
    flags = os.O_CREAT | os.O_WRONLY | os.O_EXCL | os.O_CLOEXEC
    try:
        number = os.open(path, flags, 0o600)
    except FileExistsError:
        raise ConfigurationError(f"{path} exists already; nothing was written") from None
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be written: {error.strerror}") from error
    with os.fdopen(number, "wb") as file:
        file.write(content)
