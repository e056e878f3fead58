"""What `signalfleet copying probation` and its relatives do."""

import typer

from signalfleet.app.edit_settings import load_levels
from signalfleet.app.paper_account import ensure_paper_account
from signalfleet.app.probation import (
    load_probation,
    look_at,
    restart_probation,
    skip_probation,
)
from signalfleet.bootstrap.settings import Settings
from signalfleet.bootstrap.terminal import open_terminal
from signalfleet.cli.printing import printable
from signalfleet.domain.ids import ChannelId
from signalfleet.domain.settings.resolve import resolve
from signalfleet.ports.clock import Clock
from signalfleet.ports.store import Channel, CopyMode, UserStore


async def show(settings: Settings, *, user: str | None) -> int:
    """List each channel's stage, what it did there, and what it lacks for the next one."""
    async with open_terminal(settings) as terminal:
        store = terminal.store.user(await terminal.user(user))
        for channel in await store.channels.list():
            if channel.mode is not CopyMode.OFF:
                await _print(store, channel, terminal.clock)
    return 0


async def skip(settings: Settings, *, user: str | None, chat: int) -> int:
    async with open_terminal(settings) as terminal:
        store = terminal.store.user(await terminal.user(user))
        await skip_probation(store, ChannelId(chat), terminal.clock.now())
    typer.echo("The channel trades in full from its next signal on.")
    return 0


async def restart(settings: Settings, *, user: str | None, chat: int) -> int:
    async with open_terminal(settings) as terminal:
        store = terminal.store.user(await terminal.user(user))
        await restart_probation(store, ChannelId(chat), terminal.clock.now())
        await ensure_paper_account(store)
    typer.echo("The channel trades on paper from its next signal on.")
    return 0


async def _print(store: UserStore, channel: Channel, clock: Clock) -> None:
    now = clock.now()
    title = printable(channel.title).replace("\n", " ")
    probation = await load_probation(store.settings, channel.chat)
    if probation is None:
        typer.echo(f"{channel.chat:>15}  full      {title}: it was never on probation")
        return
    rules = resolve(await load_levels(store.settings, channel.chat, None)).rules
    found = await look_at(store, channel.chat, probation, rules, now)
    stage = probation.stage.value if rules.probation else "off"
    since = f"{probation.since:%Y-%m-%d}"
    typer.echo(f"{channel.chat:>15}  {stage:8}  {title}: since {since}, {probation.why}")
    record, mean = found.record, found.record.expectancy()
    result = "" if mean is None else f", {mean:+.2f} R each, largest fall {record.drawdown:.2f} R"
    typer.echo(f"{'':27}{record.taken} taken, {len(record.closed)} closed{result}")
    for missing in found.missing:
        typer.echo(f"{'':27}still missing: {missing}")
