"""What `signalfleet copying` does. A running product sees each change within seconds."""

import typer

from signalfleet.app.copy_states import load_states, set_state, stop_all
from signalfleet.app.prop_packs import confirm_pack
from signalfleet.app.watch_losses import restart_total
from signalfleet.bootstrap.prop_packs import load_packs
from signalfleet.bootstrap.settings import Settings
from signalfleet.bootstrap.terminal import open_terminal
from signalfleet.domain.accounts.copy_states import USER, account_scope, channel_scope
from signalfleet.domain.ids import AccountId
from signalfleet.domain.settings.choices import CopyState
from signalfleet.ports.errors import RefusedError
from signalfleet.ports.store import UserStore

SEEN = "A running SignalFleet sees it within five seconds."


async def show(settings: Settings, *, user: str | None) -> int:
    async with open_terminal(settings) as terminal:
        store = terminal.store.user(await terminal.user(user))
        await _print(store)
    return 0


async def stop(settings: Settings, *, user: str | None, close: bool) -> int:
    """Stop entries; with `close` end what is open, too: what was closed stays closed."""
    async with open_terminal(settings) as terminal:
        store = terminal.store.user(await terminal.user(user))
        await stop_all(store, CopyState.PANIC if close else CopyState.CLOSE_ONLY)
        await _print(store)
    typer.echo(SEEN)
    return 0


async def set_one(
    settings: Settings, *, user: str | None, scope: str, state: CopyState, lift: bool
) -> int:
    if scope == USER:
        raise RefusedError("use `copying stop` and `copying resume` for everything")
    async with open_terminal(settings) as terminal:
        store = terminal.store.user(await terminal.user(user))
        await set_state(store, scope, state, lift=lift)
        await _print(store)
    typer.echo(SEEN)
    return 0


async def resume(settings: Settings, *, user: str | None, is_sure: bool) -> int:
    if not is_sure and typer.prompt("Type resume to copy again").strip().lower() != "resume":
        raise RefusedError("that was not the word resume; nothing was changed")
    async with open_terminal(settings) as terminal:
        store = terminal.store.user(await terminal.user(user))
        await set_state(store, USER, CopyState.ON, lift=True)
        await _print(store)
    typer.echo(SEEN)
    return 0


async def restart_drawdown(settings: Settings, *, user: str | None, account: str) -> int:
    async with open_terminal(settings) as terminal:
        store = terminal.store.user(await terminal.user(user))
        if await store.accounts.get(AccountId(account)) is None:
            raise RefusedError("there is no such account; `signalfleet copying show` lists yours")
        await restart_total(store, AccountId(account))
    typer.echo("The loss in all is counted from the next look at the account on.")
    return 0


async def confirm_rule_pack(
    settings: Settings, *, user: str | None, account: str, is_sure: bool
) -> int:
    async with open_terminal(settings) as terminal:
        store = terminal.store.user(await terminal.user(user))
        doc, _ = await store.settings.get(f"account:{account}")
        pack = load_packs().get(str(doc.get("prop_pack")))
        if pack is not None:
            typer.echo(f"{pack.name}, read on {pack.read_on} from: {pack.source}")
            for key, value in pack.settings.items():
                typer.echo(f"  {key} = {value}")
            typer.echo(f"  signals of others: {pack.signals.value}")
        if not is_sure and typer.prompt("Type confirm if all this holds").strip() != "confirm":
            raise RefusedError("that was not the word confirm; nothing was changed")
        done = await confirm_pack(store, AccountId(account), load_packs(), terminal.clock.now())
    typer.echo(f"Confirmed: {done.version}.")
    return 0


async def _print(store: UserStore) -> None:
    states = await load_states(store.settings)
    live = await store.journal.live_trades()
    typer.echo(f"{USER:40} {states.at(USER).value:12} {len(live)} open or pending")
    for account in await store.accounts.list():
        scope = account_scope(account.account_id)
        count = sum(trade.account == account.account_id for trade in live)
        typer.echo(f"{scope:40} {states.at(scope).value:12} {count} open or pending")
    for channel in await store.channels.list():
        scope = channel_scope(channel.chat)
        typer.echo(f"{scope:40} {states.at(scope).value:12} {channel.title}")
