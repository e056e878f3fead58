"""`signalfleet mt5`: connect MetaTrader 5 accounts in the terminal."""

from typing import Annotated, Final

import typer

from signalfleet.app.connect_mt5 import Way
from signalfleet.cli.running import finish, quiet_settings
from signalfleet.domain.settings.choices import ExitPolicy

mt5: Final = typer.Typer(help="Your MetaTrader 5 accounts.", no_args_is_help=True)
User = Annotated[str | None, typer.Option(help="Whose; needed where there are several users.")]


@mt5.command("list")
def list_accounts(user: User = None) -> None:
    """List your connected trading accounts."""
    from signalfleet.cli import accounts
    from signalfleet.cli.telegram import Dialog

    finish(accounts.list_accounts(quiet_settings(), user=user, dialog=Dialog()))


@mt5.command("connect")
def connect(
    *,
    way: Annotated[
        Way,
        typer.Option(help="existing at MetaApi; link: type the password there; or password here."),
    ] = Way.LINK,
    account: Annotated[str, typer.Option(help="Id of the existing account at MetaApi.")] = "",
    server: Annotated[str, typer.Option(help="Broker's server, as MetaTrader shows it.")] = "",
    region: Annotated[str, typer.Option(help="MetaApi's region, nearest to the broker.")] = "",
    login: Annotated[str, typer.Option(help="Login of the MetaTrader account.")] = "",
    user: User = None,
) -> None:
    """Connect an account through MetaApi. Token and password are asked for, never passed."""
    from signalfleet.cli import accounts
    from signalfleet.cli.telegram import Dialog

    given = accounts.Given(way=way, account=account, server=server, region=region, login=login)
    finish(accounts.connect(quiet_settings(), given, user=user, dialog=Dialog()))


@mt5.command("demo")
def open_demo(
    *,
    server: Annotated[str, typer.Option(help="The broker's demo server.")],
    name: Annotated[str, typer.Option(help="Your name, for the broker.")],
    email: Annotated[str, typer.Option(help="Your e-mail address, for the broker.")],
    phone: Annotated[str, typer.Option(help="Your phone number, for the broker.")],
    account_type: Annotated[str, typer.Option(help="As the broker calls it.")] = "Standard",
    region: Annotated[str, typer.Option(help="MetaApi's region.")] = "new-york",
    balance: Annotated[int, typer.Option(min=1, help="Play money.")] = 10_000,
    user: User = None,
) -> None:
    """Have a broker open a demo account, and connect it."""
    from signalfleet.cli import accounts
    from signalfleet.cli.telegram import Dialog
    from signalfleet.ports.provisioning import NewDemoAccount

    wish = NewDemoAccount(
        server=server,
        name=name,
        email=email,
        phone=phone,
        account_type=account_type,
        balance=balance,
    )
    finish(accounts.open_demo(quiet_settings(), wish, region=region, user=user, dialog=Dialog()))


@mt5.command("live")
def let_trade(
    account: Annotated[str, typer.Argument(help="The account's id, as `mt5 list` shows it.")],
    *,
    number: Annotated[
        str, typer.Option(help="The account's whole number, in place of typing it.")
    ] = "",
    user: User = None,
) -> None:
    """Let a real account trade, the first time: it needs a loss limit and the account's number."""
    from signalfleet.cli import accounts
    from signalfleet.cli.telegram import Dialog

    finish(
        accounts.let_trade(
            quiet_settings(), user=user, account=account, number=number, dialog=Dialog()
        )
    )


@mt5.command("disconnect")
def disconnect(
    account: Annotated[str, typer.Argument(help="The account's id, as `mt5 list` shows it.")],
    *,
    open_trades: Annotated[
        ExitPolicy | None,
        typer.Option(help="What becomes of open trades; else your setting exit_policy says it."),
    ] = None,
    user: User = None,
) -> None:
    """Take an account away: nothing more is opened there, and what is open ends as you wish."""
    from signalfleet.cli import accounts
    from signalfleet.cli.telegram import Dialog

    settings, dialog = quiet_settings(), Dialog()
    finish(
        accounts.disconnect(settings, user=user, account=account, policy=open_trades, dialog=dialog)
    )
