"""`signalfleet`: run it, try it, read messages with it, check it."""

import asyncio
import sys
from collections.abc import Coroutine
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final, NoReturn

import typer
from pydantic import ValidationError

from signalfleet.bootstrap.settings import ConfigurationError, Settings, load_settings, problems
from signalfleet.cli.printing import use_unicode
from signalfleet.cli.sim import sim
from signalfleet.observability.logs import set_up_logs
from signalfleet.ports.errors import PortError

app: Final = typer.Typer(
    help="Copies trading signals from your Telegram channels to your MetaTrader 5 account.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
keys: Final = typer.Typer(help="Keys that protect stored credentials.", no_args_is_help=True)
app.add_typer(keys, name="keys")
channels: Final = typer.Typer(help="Choose which of your chats are read.", no_args_is_help=True)
app.add_typer(channels, name="channels")
app.add_typer(sim, name="sim")
User = Annotated[str | None, typer.Option(help="Whose; needed where there are several users.")]


class Mode(StrEnum):
    ON = "on"
    PAPER = "paper"
    OFF = "off"


class RoleName(StrEnum):
    ALL_IN_ONE = "all-in-one"
    SUPERVISOR = "supervisor"
    WORKER = "worker"
    WEB = "web"


@app.command()
def run(
    role: Annotated[RoleName, typer.Option(help="What this process does.")] = RoleName.ALL_IN_ONE,
) -> None:
    """Run SignalFleet with the settings of the environment and of `.env`."""
    from signalfleet.bootstrap import process, supervisor

    settings = _settings()
    set_up_logs(as_json=settings.log_format == "json", level=settings.log_level)
    starts = {
        RoleName.ALL_IN_ONE: process.run_all_in_one,
        RoleName.SUPERVISOR: supervisor.run_supervisor,
        RoleName.WORKER: process.run_worker,
        RoleName.WEB: process.run_web,
    }
    _run(starts[role](settings))


@app.command()
def demo(
    *,
    check: Annotated[
        bool, typer.Option("--check", help="No browser: prove it, print figures, exit.")
    ] = False,
    port: Annotated[
        int, typer.Option(min=0, max=65_535, help="The page's port; a free one if taken.")
    ] = 8080,
    root: Annotated[Path, typer.Option(help="Where the demo keeps its data.")] = Path("var/demo"),
    drill: Annotated[
        bool, typer.Option("--drill", help="Short settle windows, for failure drills.")
    ] = False,
) -> None:
    """Run the whole product offline against a simulated Telegram and MetaApi."""
    from signalfleet.cli import demo as demo_command

    if check:
        _run(demo_command.run_check())
    else:
        _run(demo_command.run_demo(root, port=port, drill=drill))


@app.command()
def parse(
    text: Annotated[
        str | None, typer.Argument(help="The message; standard input if absent.")
    ] = None,
    *,
    jsonl: Annotated[
        bool, typer.Option("--jsonl", help='Lines {"id","text","context"} in, labels out.')
    ] = False,
    reply_to: Annotated[str | None, typer.Option(help="The text that it replies to.")] = None,
) -> None:
    """Show how a message is understood, and which words say so."""
    from signalfleet.cli import parse as parse_command

    use_unicode()
    if jsonl:
        raise typer.Exit(parse_command.parse_lines(sys.stdin, sys.stdout))
    parse_command.show(text if text is not None else sys.stdin.read(), reply_to)


@app.command()
def replay(
    file: Annotated[Path, typer.Argument(help="result.json of a Telegram Desktop export.")],
    *,
    limit: Annotated[int, typer.Option(min=1, help="Show at most this many readings.")] = 1000,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """Read an exported channel and show what would have been done with each message."""
    from signalfleet.cli import replay as replay_command

    use_unicode()
    try:
        replay_command.replay(file, limit=limit, as_json=as_json)
    except PortError as error:
        _fail(str(error))


@app.command()
def doctor() -> None:
    """Check this machine and its settings, and say what to mend."""
    from signalfleet.cli import doctor as doctor_command

    raise typer.Exit(asyncio.run(doctor_command.examine()))


@keys.command("new")
def new_key() -> None:
    """Print a new value for ENCRYPTION_KEY. Keep it apart from the database."""
    from cryptography.fernet import Fernet

    typer.echo(Fernet.generate_key().decode())


@keys.command("intake")
def new_intake() -> None:
    """Print a new pair: workers get both lines, web processes the public one alone."""
    from signalfleet.adapters.secrets import new_intake_keys

    private, public = new_intake_keys()
    typer.echo("INTAKE_PRIVATE_KEY=", nl=False)
    typer.echo(private.reveal())
    typer.echo(f"INTAKE_PUBLIC_KEY={public}")


@app.command()
def login(
    *,
    phone: Annotated[
        str | None, typer.Option(help="Sign in by a code to this number, not by QR code.")
    ] = None,
    agree: Annotated[
        bool, typer.Option("--agree", help="You agree to what is read and stored.")
    ] = False,
) -> None:
    """Sign in to your own Telegram; the QR code is drawn in the terminal."""
    from signalfleet.cli import telegram as command

    settings = _quiet_settings()
    _run(command.login(settings, phone=phone, agreed=agree, dialog=command.Dialog()))


@app.command()
def logout(user: User = None) -> None:
    """Stop the bot, end the session at Telegram, and delete it."""
    from signalfleet.cli import telegram as command

    _run(command.logout(_quiet_settings(), user=user, dialog=command.Dialog()))


@channels.command("list")
def list_channels(search: str = "", user: User = None) -> None:
    """List your chats; what is read stands first."""
    from signalfleet.cli import telegram as command

    settings = _quiet_settings()
    _run(command.list_channels(settings, user=user, search=search, dialog=command.Dialog()))


@channels.command("choose")
def choose_channels(
    chats: Annotated[list[int], typer.Argument(help="Numbers of chats, as listed; after `--`.")],
    mode: Annotated[
        Mode, typer.Option(help="on copies, paper only reads, off stops reading.")
    ] = Mode.PAPER,
    user: User = None,
) -> None:
    """Read chats, copy them, or stop reading them: `channels choose --mode on -- -1001234`."""
    from signalfleet.cli import telegram as command

    settings, dialog = _quiet_settings(), command.Dialog()
    _run(command.choose_channels(settings, user=user, chats=chats, mode=mode.value, dialog=dialog))


def main() -> None:
    app()


def _quiet_settings() -> Settings:
    """Read the settings of a command that talks with a person, not with a log."""
    settings = _settings()
    set_up_logs(as_json=False, level="ERROR")
    return settings


def _settings() -> Settings:
    try:
        return load_settings()
    except ConfigurationError as error:
        _fail(str(error))


def _run(work: Coroutine[object, object, int | None]) -> None:
    """Run a command to its end; a known trouble is one sentence, not a traceback."""
    try:
        status = asyncio.run(work)
    except KeyboardInterrupt:
        raise typer.Exit(130) from None
    except (ConfigurationError, PortError, ValidationError, BaseExceptionGroup) as error:
        known = _first(error)
        if isinstance(known, ValidationError):
            known = problems(known)
        if not isinstance(known, ConfigurationError | PortError):
            raise
        _fail(str(known))
    raise typer.Exit(status or 0)


def _first(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _fail(message: str) -> NoReturn:
    typer.echo(message, err=True)
    raise typer.Exit(2)
