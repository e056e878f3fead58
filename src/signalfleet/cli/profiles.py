"""What `signalfleet profile` does."""

import json
from pathlib import Path

import typer

from signalfleet.app.profile_document import ProfileRefusedError
from signalfleet.bootstrap.language import load_profile_editor
from signalfleet.bootstrap.settings import Settings
from signalfleet.bootstrap.terminal import open_terminal
from signalfleet.cli.parse import show_result
from signalfleet.cli.printing import printable
from signalfleet.cli.profile_file import load_profile, read_profile, refused
from signalfleet.domain.ids import ChannelId
from signalfleet.ports.errors import RefusedError
from signalfleet.ports.store import UserStore


async def show(settings: Settings, *, user: str | None, chat: int) -> int:
    """Print the stored profile; an absent one is an empty object."""
    async with open_terminal(settings) as terminal:
        store = terminal.store.user(await terminal.user(user))
        await _require_channel(store, ChannelId(chat))
        stored = await load_profile_editor().load(store.settings, ChannelId(chat))
    typer.echo(printable(json.dumps(stored.doc, ensure_ascii=False, indent=2)))
    if stored.watch.habit.alarm is not None:
        typer.echo(
            "The channel writes in a new way: its new layouts wait for you. Look at its page, "
            'or set "layouts_at" to '
            f"{stored.watch.habit.total} when you find them read right.",
            err=True,
        )
    return 0


async def save(settings: Settings, *, user: str | None, chat: int, file: Path) -> int:
    """Save the profile of the file as the channel's next version."""
    doc, editor = read_profile(file), load_profile_editor()
    async with open_terminal(settings) as terminal:
        store = terminal.store.user(await terminal.user(user))
        await _require_channel(store, ChannelId(chat))
        stored = await editor.load(store.settings, ChannelId(chat))
        try:
            version = await editor.save(store.settings, ChannelId(chat), doc, stored.revision)
        except ProfileRefusedError as error:
            raise refused(error) from error
    typer.echo(f"Saved as version {version}. The channel's next message is read with it.")
    return 0


def check(file: Path, *, text: str | None, reply_to: str | None) -> None:
    """Check the profile of a file; read a message with it if one is given."""
    loaded = load_profile(file)
    typer.echo("The profile may be saved.")
    if text is not None:
        trial = load_profile_editor().try_text(text, loaded.profile, reply_to)
        show_result(text, trial.result)


async def _require_channel(store: UserStore, chat: ChannelId) -> None:
    if await store.channels.get(chat) is None:
        raise RefusedError("there is no such channel; `signalfleet channels list` shows yours")
