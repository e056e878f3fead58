"""What `signalfleet mt5` does: list accounts, and connect one."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from signalfleet.adapters.metaapi.client import MetaApiClient
from signalfleet.adapters.paper.memory import StorePaperMemory
from signalfleet.app.account_report import AccountReport
from signalfleet.app.audit import note
from signalfleet.app.connect_mt5 import (
    ConnectMt5,
    Mt5Order,
    Offer,
    Progress,
    Way,
    in_words,
)
from signalfleet.app.exits import exit_policy_of
from signalfleet.app.go_live import (
    NotReadyError,
    go_live,
    is_live_confirmed,
    is_loss_limited,
    waiting_accounts,
    waits_for_word,
)
from signalfleet.app.leave_account import LEAVING, accounts_in_use, leave_account
from signalfleet.bootstrap.brokers import brokers_of
from signalfleet.bootstrap.prop_packs import load_packs
from signalfleet.bootstrap.settings import Settings
from signalfleet.bootstrap.terminal import Terminal, open_terminal
from signalfleet.cli.printing import printable
from signalfleet.cli.telegram import Dialog
from signalfleet.domain.accounts.exits import POLICY_WORDS
from signalfleet.domain.errors import DomainError
from signalfleet.domain.ids import AccountId, UserId
from signalfleet.domain.settings.choices import ExitPolicy
from signalfleet.observability.metrics import PrometheusMetrics
from signalfleet.ports.broker import Broker
from signalfleet.ports.errors import PortError, RefusedError
from signalfleet.ports.provisioning import NewDemoAccount
from signalfleet.ports.secrets import Secret
from signalfleet.ports.store import Account

SHOWN: Final = 20
NO_LIMIT: Final = (
    "this account has no loss limit: set one first, such as "
    "`signalfleet rules set daily_loss=3 --account {account}`"
)
WRONG_NUMBER: Final = (
    "this is not the whole number of the account, as MetaTrader shows it; nothing was changed"
)
STEPS: Final = {
    "adding": "MetaApi adds the account; finding out the broker's settings can take minutes.",
    "reading": "Reading the account.",
}


async def list_accounts(settings: Settings, *, user: str | None, dialog: Dialog) -> int:
    """List a user's connected accounts."""
    async with open_terminal(settings) as terminal:
        mine = terminal.store.user(await terminal.user(user))
        rows, waiting = await accounts_in_use(mine), await waiting_accounts(mine)
    for row in rows:
        login = f" {row.login_masked}" if row.login_masked else ""
        server = printable(row.server or "")
        currency = row.currency or ""
        more = "  being taken away" if row.state == LEAVING else ""
        if row.account_id in waiting:
            more = f"  opens nothing yet: `signalfleet mt5 live {row.account_id}`"
        dialog.say(f"{row.mode:>5}  {row.account_id}  {server}{login}  {currency}{more}")
    if not rows:
        dialog.say("No account is connected: `signalfleet mt5 connect`")
    return 0


async def disconnect(
    settings: Settings,
    *,
    user: str | None,
    account: str,
    policy: ExitPolicy | None,
    dialog: Dialog,
) -> int:
    """Take an account away, with what is open on it."""
    async with open_terminal(settings) as terminal:
        mine, key = terminal.store.user(await terminal.user(user)), AccountId(account)
        await leave_account(mine, key, policy, terminal.clock.now())
        await note(mine, terminal.clock, "terminal", "account_disconnected", about=account)
        live = len(await mine.journal.live_trades(key))
        wish = policy or await exit_policy_of(mine, key)
    dialog.say("Nothing more is opened on this account. At MetaApi it stays as it is.")
    if live:
        dialog.say(f"{live} open or pending: {POLICY_WORDS[wish]}.")
    return 0


async def let_trade(
    settings: Settings, *, user: str | None, account: str, number: str, dialog: Dialog
) -> int:
    """Let an account trade real money. Who sits at this terminal owns the machine: no sign-in."""
    async with open_terminal(settings) as terminal:
        mine, key = terminal.store.user(await terminal.user(user)), AccountId(account)
        row = await mine.accounts.get(key)
        if row is None or not waits_for_word(row):
            raise RefusedError(
                "there is no such account with real money: see `signalfleet mt5 list`"
            )
        if await is_live_confirmed(mine, row):
            dialog.say("It trades real money already; nothing was changed.")
            return 0
        packs, now = load_packs(), terminal.clock.now()
        if not await is_loss_limited(mine, key, packs):
            raise RefusedError(NO_LIMIT.format(account=key))
        typed = number or (await dialog.ask("The account's whole number")).reveal()
        try:
            await go_live(mine, key, typed, packs, now)
        except NotReadyError:
            raise RefusedError(WRONG_NUMBER) from None
        await note(mine, terminal.clock, "terminal", "went_live", about=account)
    dialog.say("Real money is traded on this account from the next signal on.")
    return 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What the command line said; what is empty is asked for."""

    way: Way
    account: str = ""
    server: str = ""
    region: str = ""
    login: str = ""


async def open_demo(
    settings: Settings, wish: NewDemoAccount, *, region: str, user: str | None, dialog: Dialog
) -> int:
    """Have a broker open a demo account and connect it."""
    async with open_terminal(settings) as terminal, _connector(terminal) as (connector, has_token):
        whose = await terminal.user(user)
        token = None if has_token else await dialog.ask("MetaApi token", hidden=True)
        try:
            opened = await connector.open_demo(token, wish)
        except PortError as error:
            raise RefusedError(in_words(error)) from None
        # The login is the user's own, and shown this once.
        dialog.say(f"Opened at {printable(opened.server)}: login {printable(opened.login)}")
        dialog.say("Password, shown this once:")
        dialog.say(printable(opened.password.reveal()))
        order = Mt5Order(
            way=Way.PASSWORD,
            server=opened.server,
            region=region,
            login=opened.login,
            password=opened.password,
        )
        await _finish(terminal, connector, whose, token, order, dialog)
    return 0


async def connect(settings: Settings, given: Given, *, user: str | None, dialog: Dialog) -> int:
    """Connect an account that MetaApi has, or a new one; the password is asked for, not passed."""
    async with open_terminal(settings) as terminal, _connector(terminal) as (connector, has_token):
        whose = await terminal.user(user)
        token = None if has_token else await dialog.ask("MetaApi token", hidden=True)
        try:
            order = await _order(await connector.look(token), given, dialog)
        except DomainError as error:
            raise RefusedError(str(error)) from None
        except PortError as error:
            raise RefusedError(in_words(error)) from None
        await _finish(terminal, connector, whose, token, order, dialog)
    return 0


async def _finish(
    terminal: Terminal,
    connector: ConnectMt5,
    user: UserId,
    token: Secret | None,
    order: Mt5Order,
    dialog: Dialog,
) -> None:
    """Connect, wake the bot and show what is on the account."""
    try:
        connected = await connector.run(user, token, order, _Teller(dialog))
    except PortError as error:
        raise RefusedError(in_words(error)) from None
    # A new number for the wish: the bot looks, and finds the account.
    await terminal.store.user(user).bot.set_wish(on=True, by="account")
    for line in _report(connected.report):
        dialog.say(line)
    name = connected.account.account_id
    dialog.say(f"Connected as {name}.")
    if name in await waiting_accounts(terminal.store.user(user)):
        dialog.say(f"It holds real money and opens nothing yet: `signalfleet mt5 live {name}`")


@asynccontextmanager
async def _connector(terminal: Terminal) -> AsyncIterator[tuple[ConnectMt5, bool]]:
    settings, metrics = terminal.settings, PrometheusMetrics()
    async with MetaApiClient(clock=terminal.clock, metrics=metrics) as client:
        brokers = brokers_of(settings, client, terminal.clock, metrics)

        def broker(user: UserId, account: Account, token: Secret | None) -> Broker:
            documents = terminal.store.user(user).settings
            return brokers.make(account, token, StorePaperMemory(documents, account.account_id))

        connector = ConnectMt5(
            terminal.store,
            terminal.credentials,
            terminal.clock,
            provisioning=brokers.provisioning,
            broker=broker,
        )
        yield connector, brokers.platform_token is not None


async def _order(offer: Offer, given: Given, dialog: Dialog) -> Mt5Order:
    """Ask for what was not given; raises DomainError for what cannot be."""
    if given.way is Way.EXISTING:
        return Mt5Order(way=given.way, account=given.account or await _chosen(offer, dialog))
    region, regions = given.region, ", ".join(offer.regions)
    if not region:
        region = (await dialog.ask(f"Region ({regions})")).reveal().strip()
    if region not in offer.regions:
        raise RefusedError(f"MetaApi has no region {region!r}; it has {regions}")
    server = given.server
    if not server:
        server = (await dialog.ask("Broker's server, as MetaTrader shows it")).reveal().strip()
    if given.way is Way.LINK:
        return Mt5Order(way=given.way, server=server, region=region)
    return Mt5Order(
        way=given.way,
        server=server,
        region=region,
        login=given.login or (await dialog.ask("Login")).reveal().strip(),
        password=await dialog.ask("Password of the MetaTrader account", hidden=True),
    )


async def _chosen(offer: Offer, dialog: Dialog) -> str:
    if not offer.accounts:
        raise RefusedError("this token reaches no account: add one with --way link")
    for number, one in enumerate(offer.accounts, start=1):
        shown = f"{one.name} {one.server} {one.login or ''} {one.region} {one.state.lower()}"
        dialog.say(f"{number:>3}  {printable(shown)}")
    typed = (await dialog.ask("Number of the account")).reveal().strip()
    if not typed.isdecimal() or not 1 <= int(typed) <= len(offer.accounts):
        raise RefusedError("this is no number of the list")
    return offer.accounts[int(typed) - 1].account_id


class _Teller:
    """Says each step once."""

    def __init__(self, dialog: Dialog) -> None:
        self._dialog = dialog
        self._said = ""

    def __call__(self, progress: Progress) -> None:
        line = STEPS.get(progress.step, "")
        if progress.step == "link":
            line = f"Open this page and enter login and password there:\n{progress.address}"
        if progress.step == "waiting":
            line = f"The account is {progress.state}, {progress.connection} at MetaApi."
        if line and line != self._said:
            self._said = line
            self._dialog.say(line)


def _report(report: AccountReport) -> list[str]:
    kind = "a real account" if report.is_real else "a demo account"
    money = f"{report.balance:.2f} {report.currency}, leverage 1:{report.leverage}"
    lines = [f"{printable(report.server)}: {kind}, {money}, {report.margin_mode}."]
    if report.investor:
        lines.append("This is the investor's password: nothing can be traded.")
    elif not report.trade_allowed:
        lines.append("The broker does not allow trading on this account now.")
    if report.foreign:
        lines.append(
            f"{len(report.foreign)} on this account that SignalFleet did not open, never touched:"
        )
        lines += [f"  {printable(line)}" for line in report.foreign[:SHOWN]]
    if report.ours:
        lines.append("Taken up again: " + printable("; ".join(report.ours[:SHOWN])))
    if report.missing:
        lines.append("Open by our records, not found: " + printable("; ".join(report.missing)))
    if not report.complete:
        lines.append("The look at the account was not complete; the bot looks again.")
    return lines
