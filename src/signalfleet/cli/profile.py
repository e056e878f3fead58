"""`signalfleet profile`: look at how a channel is read, change it, and try it."""

from pathlib import Path
from typing import Annotated, Final

import typer

from signalfleet.cli.printing import use_unicode
from signalfleet.cli.running import fail, finish, quiet_settings
from signalfleet.ports.errors import PortError

profile: Final = typer.Typer(
    help="How a channel is read: its words and your rules.", no_args_is_help=True
)
User = Annotated[str | None, typer.Option(help="Whose; needed where there are several users.")]
Chat = Annotated[int, typer.Argument(help="The channel's number; a negative one after `--`.")]
File = Annotated[Path, typer.Argument(help="The profile as JSON; - for standard input.")]


@profile.command("show")
def show(chat: Chat, user: User = None) -> None:
    """Print a channel's profile as JSON; say so if the channel writes in a new way."""
    from signalfleet.cli import profiles

    use_unicode()
    finish(profiles.show(quiet_settings(), user=user, chat=chat))


@profile.command("set")
def save(file: File, chat: Chat, user: User = None) -> None:
    """Save a channel's profile if nothing speaks against it: `profile set my.json -- -1001234`."""
    from signalfleet.cli import profiles

    finish(profiles.save(quiet_settings(), user=user, chat=chat, file=file))


@profile.command("check")
def check(
    file: File,
    *,
    text: Annotated[str | None, typer.Option(help="Read this message with it.")] = None,
    reply_to: Annotated[str | None, typer.Option(help="The text that it replies to.")] = None,
) -> None:
    """Check a profile, and try a message with it. Nothing is saved."""
    from signalfleet.cli import profiles

    use_unicode()
    try:
        profiles.check(file, text=text, reply_to=reply_to)
    except PortError as error:
        fail(str(error))
