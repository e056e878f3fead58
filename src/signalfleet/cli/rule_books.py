"""What `signalfleet rules` does."""

import json
import sys
import tomllib
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from signalfleet.app.edit_settings import (
    ELSEWHERE,
    EditSettings,
    SettingsPlace,
    SettingsRefusedError,
    SettingsView,
)
from signalfleet.bootstrap.settings import Settings
from signalfleet.bootstrap.terminal import open_terminal
from signalfleet.cli.printing import printable
from signalfleet.domain.accounts.tiers import limits_of
from signalfleet.domain.ids import AccountId, ChannelId
from signalfleet.domain.settings.catalogue import CATALOGUE, DEFAULTS
from signalfleet.ports.errors import RefusedError

STANDARD_INPUT: Final = Path("-")


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Whose settings a command is about, as it was typed."""

    user: str | None
    account: str | None
    channel: int | None

    @property
    def place(self) -> SettingsPlace:
        if self.account is not None and self.channel is not None:
            raise RefusedError("name an account or a channel, not both")
        return SettingsPlace(
            account=None if self.account is None else AccountId(self.account),
            chat=None if self.channel is None else ChannelId(self.channel),
        )


async def show(settings: Settings, target: Target, *, search: str, as_json: bool) -> int:
    """Print the settings in force with their sources."""
    async with _editor(settings, target) as editor:
        view = await editor.load(target.place)
    names = [name for name in CATALOGUE if name not in ELSEWHERE and _matches(name, search)]
    if as_json:
        typer.echo(json.dumps({name: _facts(view, name) for name in names}, indent=2))
        return 0
    table = Table(title=Text(printable(f"Settings: {view.title}")), title_justify="left")
    for column in ("Setting", "In force", "Unit", "From"):
        table.add_column(column)
    for name in names:
        spec = CATALOGUE[name]
        value = getattr(view.effective.rules, name)
        is_changed = value != getattr(DEFAULTS, name)
        table.add_row(
            Text(name, style="bold" if name in view.own else ""),
            Text(spec.show(value), style="cyan" if is_changed else ""),
            Text(spec.unit, style="dim"),
            Text(view.effective.say_source(name), style="" if is_changed else "dim"),
        )
    Console().print(table)
    return 0


async def set_values(settings: Settings, target: Target, pairs: Sequence[str]) -> int:
    """Set each `name=value`; all or nothing."""
    values: dict[str, object] = {}
    for pair in pairs:
        name, found, text = pair.partition("=")
        if not found:
            raise RefusedError(f"{pair!r} has no =: write name=value")
        spec = CATALOGUE.get(name.strip())
        values[name.strip()] = text if spec is None else spec.kind.of_text(text)
    return await _change(settings, target, values, frozenset())


async def unset(settings: Settings, target: Target, names: Sequence[str]) -> int:
    """Take values back; all or nothing."""
    return await _change(settings, target, {}, frozenset(names))


async def export(settings: Settings, target: Target, *, as_json: bool) -> int:
    """Print what is set in this place alone."""
    async with _editor(settings, target) as editor:
        view = await editor.load(target.place)
    own = {name: view.own[name] for name in CATALOGUE if name in view.own}
    typer.echo(printable(json.dumps(own, indent=2) if as_json else to_toml(own, view.title)))
    return 0


async def take_in(settings: Settings, target: Target, file: Path) -> int:
    """Make the settings those of the file."""
    values = read_values(file)
    async with _editor(settings, target) as editor:
        try:
            await editor.replace(target.place, values)
        except SettingsRefusedError as error:
            raise _refused(error) from error
    typer.echo(f"{len(values)} settings are set. They hold from the next signal on.")
    return 0


def read_values(file: Path) -> dict[str, Any]:
    """Read a TOML or JSON file; numbers may be written bare."""
    try:
        text = sys.stdin.read() if file == STANDARD_INPUT else file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RefusedError(f"{file} cannot be read: {error}") from error
    try:
        if text.lstrip().startswith("{"):
            doc = json.loads(text, parse_float=str)
        else:
            doc = tomllib.loads(text, parse_float=str)
    except (ValueError, RecursionError) as error:
        raise RefusedError(f"{file} is neither TOML nor JSON: {error}") from error
    if not isinstance(doc, dict):
        raise RefusedError(f"{file} holds no settings: write name = value lines")
    return doc


def to_toml(values: Mapping[str, object], title: str) -> str:
    """Write settings as TOML; a JSON text or list of texts is one of TOML too."""
    lines = [f"# Settings: {' '.join(title.split())}"]
    lines += [f"{name} = {json.dumps(value, ensure_ascii=False)}" for name, value in values.items()]
    return "\n".join(lines)


async def _change(
    settings: Settings, target: Target, values: Mapping[str, object], unset: frozenset[str]
) -> int:
    async with _editor(settings, target) as editor:
        try:
            await editor.change(target.place, values, unset=unset)
        except SettingsRefusedError as error:
            raise _refused(error) from error
        view = await editor.load(target.place)
    for name in (*values, *sorted(unset)):
        value = CATALOGUE[name].show(getattr(view.effective.rules, name))
        typer.echo(f"{name}: {value}, from {view.effective.say_source(name)}")
    return 0


@asynccontextmanager
async def _editor(settings: Settings, target: Target) -> AsyncIterator[EditSettings]:
    async with open_terminal(settings) as terminal:
        user = await terminal.user(target.user)
        profile = await terminal.store.fleet.get_user(user)
        quota = limits_of(profile.tier if profile is not None else "")
        least = limits_of(settings.least_tier)
        yield EditSettings(terminal.store.user(user), quota.at_least(least))


def _facts(view: SettingsView, name: str) -> dict[str, object]:
    spec = CATALOGUE[name]
    return {
        "value": spec.write(getattr(view.effective.rules, name)),
        "source": view.effective.source(name),
        "not": [
            {"value": lost.value, "source": lost.source}
            for lost in view.effective.lost.get(name, ())
        ],
        "unit": spec.unit,
    }


def _matches(name: str, search: str) -> bool:
    spec = CATALOGUE[name]
    text = f"{name} {name.replace('_', ' ')} {spec.text} {' '.join(spec.also_called)}".lower()
    return all(word in text for word in search.lower().split())


def _refused(error: SettingsRefusedError) -> RefusedError:
    return RefusedError("\n".join(f"- {printable(problem)}" for problem in error.problems))
