"""`signalfleet asks`: signals that wait for the user, and the answer."""

from typing import Annotated, Final

import typer

from signalfleet.bootstrap.settings import Settings
from signalfleet.cli.running import finish, quiet_settings
from signalfleet.domain.accounts.asks import Answer, Answered

asks: Final = typer.Typer(help="Signals that wait for your answer.", no_args_is_help=True)
User = Annotated[str | None, typer.Option(help="Whose; needed where there are several users.")]
Key = Annotated[str, typer.Argument(help="As `asks list` shows it; after `--`.")]


@asks.command("list")
def list_asks(user: User = None) -> None:
    """List what waits, with the orders and the money at risk, and what a pause held back."""
    finish(_list(quiet_settings(), user))


@asks.command("approve")
def approve(key: Key, user: User = None) -> None:
    """Let it be planned again with fresh prices, and sent if every check passes."""
    finish(_answer(quiet_settings(), user, key, Answer.APPROVE))


@asks.command("skip")
def skip(key: Key, user: User = None) -> None:
    """Do not copy it."""
    finish(_answer(quiet_settings(), user, key, Answer.SKIP))


async def _list(settings: Settings, user: str | None) -> int:
    from signalfleet.app.asks import open_asks, open_follow_ups
    from signalfleet.bootstrap.terminal import open_terminal

    async with open_terminal(settings) as terminal:
        store = terminal.store.user(await terminal.user(user))
        now = terminal.clock.now()
        found, paused = await open_asks(store, now), await open_follow_ups(store, now)
    for ask in paused:
        typer.echo(f"{ask.key}  {ask.text}  not carried out while paused; approve carries it out")
    for ask in found:
        typer.echo(f"{ask.key}  {ask.text}  until {ask.until:%H:%M:%S} UTC")
        for plan in ask.plans:
            typer.echo(f"  {plan.lots} lots, {plan.risk} at risk")
            for order in plan.orders:
                typer.echo(f"    {order}")
    if not found and not paused:
        typer.echo("Nothing waits for you.")
    return 0


async def _answer(settings: Settings, user: str | None, key: str, answer: Answer) -> int:
    from signalfleet.app.asks import answer_ask
    from signalfleet.bootstrap.terminal import open_terminal

    async with open_terminal(settings) as terminal:
        owner = await terminal.user(user)
        told = await answer_ask(terminal.store.user(owner), key, answer, terminal.clock.now())
    if told is not Answered.TAKEN:
        typer.echo(f"Nothing was changed: {told.value.replace('_', ' ')}.", err=True)
        return 1
    typer.echo("Taken. A running SignalFleet acts on it within half a minute.")
    return 0
