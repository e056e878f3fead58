"""`signalfleet audit`: who changed what, and whether the record holds."""

import json

import typer

from signalfleet.app.export_account import all_events
from signalfleet.app.rotate_keys import users_of
from signalfleet.bootstrap.settings import Settings
from signalfleet.bootstrap.store import open_store
from signalfleet.cli.printing import printable
from signalfleet.domain.accounts.audit import AuditRow, first_broken
from signalfleet.domain.errors import DomainError
from signalfleet.domain.ids import UserId
from signalfleet.ports.errors import RefusedError


async def audit(settings: Settings, *, user: str | None, last: int) -> int:
    """Show a user's newest entries, or check the chains of all; 1 if one is broken."""
    async with open_store(settings) as store:
        if user is None:
            broken, count = 0, 0
            async for one in users_of(store, settings.cell):
                rows = await all_events(store.user(one))
                count += 1
                place = first_broken(one, rows)
                if place is not None:
                    broken += 1
                    typer.echo(f"{one}: entry {place} was changed, or one before it is missing")
            typer.echo(f"{count - broken} of {count} records hold.")
            return 1 if broken else 0
        try:
            whose = UserId(user)
        except DomainError as error:
            raise RefusedError(str(error)) from None
        rows = await all_events(store.user(whose))
    for row in rows[-last:]:
        typer.echo(_line(row))
    place = first_broken(whose, rows)
    if place is not None:
        typer.echo(f"Entry {place} was changed, or one before it is missing.", err=True)
        return 1
    return 0


def _line(row: AuditRow) -> str:
    entry = row.entry
    facts = json.dumps(dict(entry.facts), sort_keys=True) if entry.facts else ""
    at = entry.at.isoformat(timespec="seconds")
    return printable(f"{row.seq:>6}  {at}  {entry.actor}  {entry.action}  {entry.about} {facts}")
