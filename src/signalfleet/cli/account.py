"""`signalfleet data`: take a user's data along, or delete the user."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final

import typer

from signalfleet.cli.running import finish, quiet_settings

account: Final = typer.Typer(
    help="A user's data: take it along, or delete it.", no_args_is_help=True
)
User = Annotated[str | None, typer.Option(help="Whose; needed where there are several users.")]


class Trades(StrEnum):
    KEEP = "keep"
    CLOSE = "close"


@account.command("export")
def export(
    out: Annotated[Path, typer.Option(help="The ZIP file to write.")], user: User = None
) -> None:
    """Write everything that is stored of a user, without secrets, into one archive."""
    from signalfleet.cli import leaving

    finish(leaving.export(quiet_settings(), user=user, out=out))


@account.command("delete")
def delete(
    user: User = None,
    *,
    trades: Annotated[
        Trades | None,
        typer.Option(help="close open trades first (SignalFleet must run), or keep them open."),
    ] = None,
    yes: Annotated[
        bool, typer.Option("--yes-delete", help="Do not ask; it cannot be undone.")
    ] = False,
) -> None:
    """Sign out of Telegram, destroy the user's key, delete everything."""
    from signalfleet.cli import leaving

    finish(leaving.delete(quiet_settings(), user=user, trades=trades, is_sure=yes))


@account.command("report")
def report(name: Annotated[str, typer.Argument(help="The report's name, r_...")]) -> None:
    """Show what was done of a deletion."""
    from signalfleet.cli import leaving

    finish(leaving.show_report(quiet_settings(), name))
