"""`signalfleet bots`: how every bot is and what it uses; let one go that is held."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from signalfleet.bootstrap.settings import Settings
from signalfleet.cli.printing import printable
from signalfleet.cli.running import finish, quiet_settings
from signalfleet.domain.accounts.bot_state import BotState
from signalfleet.domain.ids import SLOTS, UserId, slot
from signalfleet.ports.errors import TemporaryError

if TYPE_CHECKING:
    from signalfleet.bootstrap.operator_line import OperatorLine

bots: Final = typer.Typer(help="How every bot is, and what it uses.", no_args_is_help=False)
AT_ONCE: Final = 16
DESK: Final = "bots"
UNKNOWN: Final = "-"
COLUMNS: Final = "{user:<28} {state:<15} {since:<20} {cpu:>7} {memory:>9} {messages:>8}  {link}"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """`answered` False: the bot's slot is nobody's just now, so the stored state is shown."""

    bot: dict[str, Any]
    answered: bool


@bots.callback(invoke_without_command=True)
def show(
    context: typer.Context,
    *,
    state: Annotated[
        str | None, typer.Option(help="Only bots in this state, such as throttled.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """List the bots of the product that runs, the largest users of the processor first."""
    if context.invoked_subcommand is None:
        finish(_show(quiet_settings(), state, as_json=as_json))


@bots.command()
def release(
    user: Annotated[str, typer.Argument(help="Whose bot is held (u_...).")],
) -> None:
    """Let a bot start again that was held because it used too much or kept crashing."""
    finish(_release(quiet_settings(), user))


async def _show(settings: Settings, state: str | None, *, as_json: bool) -> int:
    wanted = None if state is None else BotState(state.upper())
    from signalfleet.bootstrap.operator_line import open_operator_line

    async with open_operator_line(settings) as line:
        found = await _all(line)
    chosen = [one for one in found if wanted is None or one.bot["state"] == wanted.value]
    chosen.sort(key=lambda one: (-float(one.bot["cpu"] or 0), str(one.bot["user"])))
    for one in chosen:
        if as_json:
            typer.echo(json.dumps({**one.bot, "answered": one.answered}, sort_keys=True))
    if not as_json:
        _table(chosen)
    return 0


async def _release(settings: Settings, given: str) -> int:
    user = UserId(given)
    from signalfleet.bootstrap.operator_line import open_operator_line

    async with open_operator_line(settings) as line:
        await line.ask(slot(user), {"desk": DESK, "op": "release", "user": user})
    typer.echo("It starts again, with nothing held against it. See `signalfleet bots`.")
    return 0


async def _all(line: "OperatorLine") -> list[_Found]:
    """Ask the owner of each slot that has users, some at a time."""
    users = await line.store.fleet.users_of_slots(line.cell, range(SLOTS))
    turn = asyncio.Semaphore(AT_ONCE)
    by_slot: dict[int, list[UserId]] = {}
    for user in users:
        by_slot.setdefault(slot(user), []).append(user)
    async with asyncio.TaskGroup() as tasks:
        asked = [
            tasks.create_task(_of_slot(line, number, owners, turn))
            for number, owners in sorted(by_slot.items())
        ]
    return [one for task in asked for one in task.result()]


async def _of_slot(
    line: "OperatorLine", number: int, users: Sequence[UserId], turn: asyncio.Semaphore
) -> list[_Found]:
    async with turn:
        try:
            answer = await line.ask(number, {"desk": DESK, "op": "list", "slot": number})
        except TemporaryError:
            return [_Found(bot=await _stored(line, user), answered=False) for user in users]
    rows = answer.get("bots")
    found = [_Found(bot=dict(row), answered=True) for row in rows] if isinstance(rows, list) else []
    seen = {one.bot["user"] for one in found}
    left = [user for user in users if user not in seen]
    return [*found, *[_Found(bot=await _stored(line, user), answered=True) for user in left]]


async def _stored(line: "OperatorLine", user: UserId) -> dict[str, Any]:
    status = await line.store.user(user).bot.status()
    return {
        "user": user,
        "state": status.state.value,
        "reason": status.reason,
        "since": status.since.isoformat() if status.since is not None else None,
        **dict.fromkeys(("cpu", "memory_bytes", "messages", "recycles", "link")),
    }


def _table(found: Sequence[_Found]) -> None:
    if not found:
        typer.echo("No bot is like this.")
        return
    heads = ("user", "state", "since", "cpu", "memory", "messages", "link")
    typer.echo(COLUMNS.format(**{head: head for head in heads}))
    for one in found:
        bot = one.bot
        line = COLUMNS.format(
            user=bot["user"],
            state=bot["state"].lower(),
            since=str(bot["since"] or UNKNOWN)[:19],
            cpu=UNKNOWN if bot["cpu"] is None else f"{bot['cpu'] * 100:.2f}%",
            memory=UNKNOWN if bot["memory_bytes"] is None else _size(bot["memory_bytes"]),
            messages=UNKNOWN if bot["messages"] is None else bot["messages"],
            link=bot["link"] or UNKNOWN,
        )
        typer.echo(f"{line}{'  (' + printable(str(bot['reason'])) + ')' if bot['reason'] else ''}")
    missing = sum(1 for one in found if not one.answered)
    if missing:
        typer.echo(f"{missing} of {len(found)} are in nobody's hands just now.")


def _size(count: int) -> str:
    return f"{count / 2**20:.1f} MB" if count >= 2**20 else f"{count / 1024:.0f} KB"
