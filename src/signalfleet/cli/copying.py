"""`signalfleet copying`: stop, close everything, states, resume, and limits of losses."""

from typing import Annotated, Final

import typer

from signalfleet.cli.running import finish, quiet_settings
from signalfleet.domain.settings.choices import CopyState

copying: Final = typer.Typer(
    help="What copying may do: stop it, close everything, resume it.", no_args_is_help=True
)
User = Annotated[str | None, typer.Option(help="Whose; needed where there are several users.")]


@copying.command("show")
def show(user: User = None) -> None:
    """List the states, and what is still open."""
    from signalfleet.cli import copying_states

    finish(copying_states.show(quiet_settings(), user=user))


@copying.command("stop")
def stop(
    *,
    close: Annotated[
        bool, typer.Option("--close-everything", help="Close our positions and orders too.")
    ] = False,
    user: User = None,
) -> None:
    """Stop new trades everywhere; what is open is managed to its end."""
    from signalfleet.cli import copying_states

    finish(copying_states.stop(quiet_settings(), user=user, close=close))


@copying.command("set")
def set_state(
    state: Annotated[CopyState, typer.Argument(help="The state.")],
    scope: Annotated[str, typer.Argument(help="account:<id> or channel:<number>, after `--`.")],
    *,
    lift: Annotated[bool, typer.Option("--lift", help="Let more happen than now.")] = False,
    user: User = None,
) -> None:
    """Set the state of an account or a channel: `copying set close_only -- channel:-1001234`."""
    from signalfleet.cli import copying_states

    finish(copying_states.set_one(quiet_settings(), user=user, scope=scope, state=state, lift=lift))


@copying.command("resume")
def resume(
    *,
    yes: Annotated[bool, typer.Option("--yes-resume", help="Do not ask.")] = False,
    user: User = None,
) -> None:
    """Lift the stop of everything; states of accounts and channels stay."""
    from signalfleet.cli import copying_states

    finish(copying_states.resume(quiet_settings(), user=user, is_sure=yes))


@copying.command("confirm-pack")
def confirm_pack(
    account: Annotated[str, typer.Argument(help="The account's id, as `copying show` lists it.")],
    *,
    yes: Annotated[bool, typer.Option("--i-have-checked", help="Do not ask.")] = False,
    user: User = None,
) -> None:
    """Confirm that the rule pack of an account holds, and that you may follow signals there."""
    from signalfleet.cli import copying_states

    finish(
        copying_states.confirm_rule_pack(quiet_settings(), user=user, account=account, is_sure=yes)
    )


@copying.command("restart-drawdown")
def restart_drawdown(
    account: Annotated[str, typer.Argument(help="The account's id, as `copying show` lists it.")],
    user: User = None,
) -> None:
    """Count the account's loss in all from now on, after total_drawdown was reached."""
    from signalfleet.cli import copying_states

    finish(copying_states.restart_drawdown(quiet_settings(), user=user, account=account))


@copying.command("probation")
def probation(user: User = None) -> None:
    """Show where each channel is: on paper, with a part of the size, or in full, and why."""
    from signalfleet.cli import trials

    finish(trials.show(quiet_settings(), user=user))


@copying.command("skip-probation")
def skip_probation(
    chat: Annotated[int, typer.Argument(help="The channel's number, after `--`.")],
    user: User = None,
) -> None:
    """Let a channel trade in full: `copying skip-probation -- -1001234`."""
    from signalfleet.cli import trials

    finish(trials.skip(quiet_settings(), user=user, chat=chat))


@copying.command("restart-probation")
def restart_probation(
    chat: Annotated[int, typer.Argument(help="The channel's number, after `--`.")],
    user: User = None,
) -> None:
    """Put a channel back on paper: `copying restart-probation -- -1001234`."""
    from signalfleet.cli import trials

    finish(trials.restart(quiet_settings(), user=user, chat=chat))
