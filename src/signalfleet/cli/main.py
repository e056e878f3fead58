"""`signalfleet`: run it, try it, read messages with it, check it."""

import asyncio
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final

import typer

from signalfleet.cli.account import account
from signalfleet.cli.asks import asks
from signalfleet.cli.bots import bots
from signalfleet.cli.copying import copying
from signalfleet.cli.keys import keys
from signalfleet.cli.mt5 import mt5
from signalfleet.cli.printing import use_unicode
from signalfleet.cli.profile import profile
from signalfleet.cli.rules import rules
from signalfleet.cli.running import fail, finish, quiet_settings, settings_of_environment
from signalfleet.cli.sim import sim
from signalfleet.cli.store import migrate, store
from signalfleet.domain.settings.choices import ExitPolicy
from signalfleet.observability.logs import set_up_logs
from signalfleet.ports.errors import PortError

app: Final = typer.Typer(
    help="Copies trading signals from your Telegram channels to your MetaTrader 5 account.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.add_typer(keys, name="keys")
app.add_typer(account, name="data")
app.add_typer(store, name="store")
app.command()(migrate)
app.add_typer(mt5, name="mt5")
channels: Final = typer.Typer(help="Choose which of your chats are read.", no_args_is_help=True)
app.add_typer(channels, name="channels")
app.add_typer(sim, name="sim")
app.add_typer(profile, name="profile")
app.add_typer(rules, name="rules")
app.add_typer(copying, name="copying")
app.add_typer(asks, name="asks")
app.add_typer(bots, name="bots")
User = Annotated[str | None, typer.Option(help="Whose; needed where there are several users.")]


class Mode(StrEnum):
    ON = "on"
    PAPER = "paper"
    APPROVE = "approve"
    OFF = "off"


class RoleName(StrEnum):
    ALL_IN_ONE = "all-in-one"
    SUPERVISOR = "supervisor"
    WORKER = "worker"
    WEB = "web"


@app.command()
def run(
    role: Annotated[RoleName, typer.Option(help="What this process does.")] = RoleName.ALL_IN_ONE,
    *,
    workers: Annotated[
        int | None,
        typer.Option(min=1, max=256, help="Worker processes of a supervisor; else WORKERS."),
    ] = None,
    number: Annotated[int | None, typer.Option(hidden=True, min=0)] = None,
    beat: Annotated[str | None, typer.Option(hidden=True)] = None,
) -> None:
    """Run SignalFleet with the settings of the environment and of `.env`."""
    from signalfleet.cli import running_roles

    running_roles.run(role.value, workers=workers, number=number, beat=beat)


@app.command()
def worker(
    processes: Annotated[
        int | None, typer.Option(min=1, max=256, help="How many; else WORKERS, one for each core.")
    ] = None,
) -> None:
    """Run bots without pages, on a server beside the one that has them; needs NATS_URL."""
    from signalfleet.cli import running_roles

    running_roles.run("workers", workers=processes)


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
    store_url: Annotated[
        str, typer.Option("--store", help="An empty, migrated database instead of a file.")
    ] = "",
) -> None:
    """Run the whole product offline against a simulated Telegram and MetaApi."""
    from signalfleet.cli import demo as demo_command

    if check:
        finish(demo_command.run_check(store_url))
    else:
        finish(demo_command.run_demo(root, port=port, drill=drill, store_url=store_url))


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
    profile: Annotated[
        Path | None, typer.Option(help="Read it as a channel with this profile, a JSON file.")
    ] = None,
) -> None:
    """Show how a message is understood, and which words say so."""
    from signalfleet.cli import parse as parse_command

    use_unicode()
    if jsonl:
        raise typer.Exit(parse_command.parse_lines(sys.stdin, sys.stdout))
    try:
        parse_command.show(text if text is not None else sys.stdin.read(), reply_to, profile)
    except PortError as error:
        fail(str(error))


@app.command()
def plan(
    text: Annotated[str, typer.Argument(help="The message, as the channel would post it.")],
    *,
    account: Annotated[
        str | None, typer.Option(help="On which account; needed where there are several.")
    ] = None,
    channel: Annotated[
        int | None, typer.Option(help="As a post of this channel, with its settings and words.")
    ] = None,
    user: User = None,
    demo: Annotated[
        bool, typer.Option("--demo", help="On the demo that runs, with its play money.")
    ] = False,
    root: Annotated[Path, typer.Option(help="Where that demo keeps its data.")] = Path("var/demo"),
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Show what would be sent for a message and why; nothing is stored or sent."""
    from signalfleet.cli import plan as plan_command

    use_unicode()
    settings = None if demo else quiet_settings()
    set_up_logs(as_json=False, level="ERROR")
    finish(
        plan_command.plan(
            settings,
            text,
            user=user,
            account=account,
            chat=channel,
            demo_root=root,
            as_json=as_json,
        )
    )


@app.command()
def replay(
    file: Annotated[Path, typer.Argument(help="result.json of a Telegram Desktop export.")],
    *,
    limit: Annotated[int, typer.Option(min=1, help="Show at most this many readings.")] = 1000,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
    profile: Annotated[
        Path | None, typer.Option(help="Read it with this channel profile, a JSON file.")
    ] = None,
) -> None:
    """Read an exported channel and show what would have been done with each message."""
    from signalfleet.cli import replay as replay_command

    use_unicode()
    try:
        replay_command.replay(file, limit=limit, as_json=as_json, profile=profile)
    except PortError as error:
        fail(str(error))


@app.command()
def doctor(
    *,
    store: Annotated[
        bool, typer.Option("--store", help="Run the store's tests on the Firebase project.")
    ] = False,
) -> None:
    """Check this machine and its settings, and say what to mend."""
    from signalfleet.cli import doctor as doctor_command
    from signalfleet.cli import store_proof

    if store:
        finish(store_proof.prove(settings_of_environment()))

    raise typer.Exit(asyncio.run(doctor_command.examine()))


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

    settings = quiet_settings()
    finish(command.login(settings, phone=phone, agreed=agree, dialog=command.Dialog()))


@app.command()
def logout(
    *,
    open_trades: Annotated[
        ExitPolicy | None,
        typer.Option(help="What becomes of open trades; else your setting exit_policy says it."),
    ] = None,
    user: User = None,
) -> None:
    """Stop the bot, end the session at Telegram, and delete it."""
    from signalfleet.cli import telegram as command

    settings = quiet_settings()
    finish(command.logout(settings, user=user, policy=open_trades, dialog=command.Dialog()))


@channels.command("list")
def list_channels(search: str = "", user: User = None) -> None:
    """List your chats; what is read stands first."""
    from signalfleet.cli import telegram as command

    settings = quiet_settings()
    finish(command.list_channels(settings, user=user, search=search, dialog=command.Dialog()))


@channels.command("choose")
def choose_channels(
    chats: Annotated[list[int], typer.Argument(help="Numbers of chats, as listed; after `--`.")],
    mode: Annotated[
        Mode, typer.Option(help="on copies, approve asks first, paper plays, off stops.")
    ] = Mode.PAPER,
    *,
    full: Annotated[
        bool, typer.Option("--no-probation", help="Copy in full from the first signal on.")
    ] = False,
    user: User = None,
) -> None:
    """Read chats, copy them, or stop reading them: `channels choose --mode on -- -1001234`."""
    from signalfleet.cli import telegram as command

    settings, dialog = quiet_settings(), command.Dialog()
    finish(
        command.choose_channels(
            settings, user=user, chats=chats, mode=mode.value, dialog=dialog, is_full=full
        )
    )


@app.command()
def audit(
    user: Annotated[
        str | None, typer.Option(help="Whose entries; without it all are checked.")
    ] = None,
    last: Annotated[int, typer.Option(min=1, help="How many of them.")] = 50,
) -> None:
    """Show who changed what for a user, or check that nobody altered the records of any."""
    from signalfleet.cli import audit as command

    finish(command.audit(quiet_settings(), user=user, last=last))


@app.command()
def tier(
    user: Annotated[str, typer.Argument(help="Whose plan (u_...).")],
    wanted: Annotated[
        str | None, typer.Argument(metavar="TIER", help="FREE, PREMIUM or OPERATOR.")
    ] = None,
) -> None:
    """Show a user's plan and how much of it is used; with TIER give another one."""
    from signalfleet.cli import tier as command

    finish(command.tier(quiet_settings(), user, wanted))


@app.command()
def backup(
    out: Annotated[
        Path | None, typer.Option(help="Write it here, not to DATA_DIR/backups.")
    ] = None,
) -> None:
    """Copy the SQLite database while it is in use; encrypted if BACKUP_KEY_FILE is set."""
    from signalfleet.cli import backup as command

    finish(command.make_backup(quiet_settings(), out))


@app.command()
def restore(
    file: Annotated[Path, typer.Argument(help="A backup; encrypted or not.")],
) -> None:
    """Put a backup in the place of the database. It does nothing until it is armed."""
    from signalfleet.cli import backup as command

    finish(command.put_back(quiet_settings(), file))


@app.command()
def arm(
    *,
    has_stopped: Annotated[
        bool, typer.Option("--i-have-stopped-the-old-one", help="The old one never runs again.")
    ] = False,
    installation: Annotated[
        str | None, typer.Option(help="The installation's id, in place of typing it.")
    ] = None,
) -> None:
    """Let a restored copy connect and trade."""
    from signalfleet.cli import backup as command

    finish(command.arm(quiet_settings(), has_stopped=has_stopped, typed=installation))


@app.command()
def disarm() -> None:
    """Mark this data as a copy, after other tools restored it: it does not connect or trade."""
    from signalfleet.cli import backup as command

    finish(command.disarm(quiet_settings()))


def main() -> None:
    app()
