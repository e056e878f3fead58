"""`signalfleet rules`: the settings of a user, an account or a channel, from the terminal."""

from pathlib import Path
from typing import Annotated, Final

import typer

from signalfleet.cli.printing import use_unicode
from signalfleet.cli.running import finish, quiet_settings

rules: Final = typer.Typer(
    help="How signals are sized, entered, guarded and followed: show and change your settings.",
    no_args_is_help=True,
)
User = Annotated[str | None, typer.Option(help="Whose; needed where there are several users.")]
OneAccount = Annotated[
    str | None, typer.Option("--account", help="The settings of this account, not your default.")
]
OneChannel = Annotated[
    int | None, typer.Option("--channel", help="The settings of this channel: its number.")
]


@rules.command("show")
def show(
    search: Annotated[
        str, typer.Argument(help="Only settings with these words, also of other products.")
    ] = "",
    *,
    account: OneAccount = None,
    channel: OneChannel = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
    user: User = None,
) -> None:
    """Show each setting that is in force, and which level it comes from."""
    from signalfleet.cli import rule_books

    use_unicode()
    target = rule_books.Target(user=user, account=account, channel=channel)
    finish(rule_books.show(quiet_settings(), target, search=search, as_json=as_json))


@rules.command("set")
def set_values(
    pairs: Annotated[list[str], typer.Argument(help="name=value, as many as you like.")],
    *,
    account: OneAccount = None,
    channel: OneChannel = None,
    user: User = None,
) -> None:
    """Set values: `rules set risk_percent=0.5 custom_stop="20 pips" --channel=-1001234`."""
    from signalfleet.cli import rule_books

    target = rule_books.Target(user=user, account=account, channel=channel)
    finish(rule_books.set_values(quiet_settings(), target, pairs))


@rules.command("unset")
def unset(
    names: Annotated[list[str], typer.Argument(help="Settings to take back.")],
    *,
    account: OneAccount = None,
    channel: OneChannel = None,
    user: User = None,
) -> None:
    """Take values back, so that the next level's hold."""
    from signalfleet.cli import rule_books

    target = rule_books.Target(user=user, account=account, channel=channel)
    finish(rule_books.unset(quiet_settings(), target, names))


@rules.command("export")
def export(
    *,
    account: OneAccount = None,
    channel: OneChannel = None,
    as_json: Annotated[bool, typer.Option("--json", help="JSON in place of TOML.")] = False,
    user: User = None,
) -> None:
    """Print what is set here as TOML, for a file that `rules import` takes."""
    from signalfleet.cli import rule_books

    use_unicode()
    target = rule_books.Target(user=user, account=account, channel=channel)
    finish(rule_books.export(quiet_settings(), target, as_json=as_json))


@rules.command("import")
def take_in(
    file: Annotated[Path, typer.Argument(help="A TOML or JSON file; - for standard input.")],
    *,
    account: OneAccount = None,
    channel: OneChannel = None,
    user: User = None,
) -> None:
    """Make the settings exactly those of a file; nothing is saved if anything is wrong with it."""
    from signalfleet.cli import rule_books

    target = rule_books.Target(user=user, account=account, channel=channel)
    finish(rule_books.take_in(quiet_settings(), target, file))
