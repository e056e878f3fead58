"""What the commands of `signalfleet keys` do to keys that are in use."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import typer

from signalfleet.adapters.secrets import KeyFile, KeyRing, new_encryption_key, parse_keys
from signalfleet.app.rotate_keys import keys_in_use, require_unused, rewrap_all
from signalfleet.bootstrap.clock import SystemClock
from signalfleet.bootstrap.keys import Keys, key_file, open_keys
from signalfleet.bootstrap.settings import ConfigurationError, Settings
from signalfleet.bootstrap.store import open_store
from signalfleet.domain.accounts.audit import AuditEntry
from signalfleet.domain.errors import DomainError
from signalfleet.domain.ids import UserId
from signalfleet.observability.metrics import PrometheusMetrics
from signalfleet.ports.errors import RefusedError
from signalfleet.ports.store import Store

NEEDS_FILE: Final = (
    "the keys are in ENCRYPTION_KEY, which only you can change: put the new key in front, with a "
    "comma, and start again. With ENCRYPTION_KEY_FILE this is done for you, without a restart"
)
NEEDS_VAULT: Final = (
    "the keys are in Vault, which rotates and retires them: vault write -f transit/keys/NAME/"
    "rotate, then `signalfleet keys rewrap`, then raise min_decryption_version there"
)


async def add(settings: Settings) -> int:
    file, ring = _file_and_ring(settings)
    longer = parse_keys(ring.with_first(new_encryption_key()))
    file.write(longer.joined())
    typer.echo(f"Key {longer.ids[0]} is the first now, {len(longer.ids)} in all.")
    typer.echo("Next: `signalfleet keys rewrap`. Keep a copy of the file apart from the backups.")
    return 0


async def rewrap(settings: Settings) -> int:
    async with _opened(settings) as (store, keys):
        credentials = keys.credentials(store)
        done = await rewrap_all(store, settings.cell, keys.service, credentials)
    typer.echo(
        f"{done.rewrapped} data keys of {done.users} users wrapped anew, "
        f"{done.modernised} old values sealed."
    )
    for user in done.failed:
        typer.echo(f"A key of {user} cannot be opened: that user must sign in again.", err=True)
    return 1 if done.failed else 0


async def status(settings: Settings) -> int:
    async with _opened(settings) as (store, keys):
        used = await keys_in_use(store, settings.cell)
        known = await keys.service.versions()
    for number, key in enumerate(known):
        role = "wraps" if number == 0 else "opens"
        typer.echo(f"{key}  {role}  {used[key]} data keys")
    lost = {key: count for key, count in used.items() if key not in known}
    for key, count in sorted(lost.items()):
        typer.echo(f"{key}  MISSING  {count} data keys cannot be opened", err=True)
    return 1 if lost else 0


async def retire(settings: Settings, key: str) -> int:
    file, ring = _file_and_ring(settings)
    left = parse_keys(ring.without(key))
    async with open_store(settings) as store:
        await require_unused(store, settings.cell, key)
    file.write(left.joined())
    typer.echo(f"Key {key} is out of use; {len(left.ids)} left.")
    typer.echo(
        "Backups that are older than the rewrapping still need it: keep it until they expire."
    )
    return 0


async def renew(settings: Settings, user: str) -> int:
    async with _opened(settings) as (store, keys):
        try:
            whose = UserId(user)
        except DomainError as error:
            raise RefusedError(str(error)) from None
        if await store.fleet.get_user(whose) is None:
            raise RefusedError("there is no such user")
        moved = await keys.credentials(store).renew(whose)
        entry = AuditEntry(
            at=SystemClock().now(),
            actor="operator",
            action="data_key_renewed",
            facts={"secrets": moved},
        )
        await store.user(whose).events.add(entry)
    typer.echo(f"{moved} secrets sealed with a new data key.")
    typer.echo("If somebody has a copy, end the sessions and replace the tokens too.")
    return 0


def _file_and_ring(settings: Settings) -> tuple[KeyFile, KeyRing]:
    if settings.vault_addr:
        raise ConfigurationError(NEEDS_VAULT)
    file = key_file(settings)
    if file is None:
        raise ConfigurationError(NEEDS_FILE)
    return file, parse_keys(file.read())


@asynccontextmanager
async def _opened(settings: Settings) -> AsyncIterator[tuple[Store, Keys]]:
    async with (
        open_keys(settings, SystemClock(), PrometheusMetrics()) as keys,
        open_store(settings) as store,
    ):
        yield store, keys
