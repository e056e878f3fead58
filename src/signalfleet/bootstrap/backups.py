"""Backups of the SQLite database: one now, one every few minutes, and one put back."""

import asyncio
import re
import shutil
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import structlog

from signalfleet.adapters.secrets import BackupBox, KeyFile, is_sealed
from signalfleet.adapters.sql.backup import back_up, inspect, put_in_place
from signalfleet.bootstrap.arming import ArmingFiles
from signalfleet.bootstrap.lock import one_worker
from signalfleet.bootstrap.platform import make_directories
from signalfleet.bootstrap.settings import ConfigurationError, Settings
from signalfleet.domain.accounts.backups import kept
from signalfleet.domain.ids import InstallationId
from signalfleet.ports.clock import Clock
from signalfleet.ports.errors import PortError

log = structlog.get_logger()

STAMP: Final = "%Y%m%dT%H%M%SZ"
SEALED: Final = ".sealed"
_NAME: Final = re.compile(r"signalfleet-(\d{8}T\d{6}Z)\.db(\.sealed)?")
ONLY_SQLITE: Final = (
    "this copies a SQLite database. For PostgreSQL use its own tools (a base backup and the WAL "
    "archive), for Firebase the export of its console; after restoring one, run "
    "`signalfleet disarm`"
)


def folder_of(settings: Settings) -> Path:
    return settings.data_dir / "backups"


def back_up_now(settings: Settings, now: datetime, target: Path | None = None) -> Path:
    """Make a backup, encrypted if BACKUP_KEY_FILE is set, and drop those that are too old."""
    require_sqlite(settings)
    folder = folder_of(settings)
    make_directories(folder)
    plain = target or folder / f"signalfleet-{now.astimezone(UTC).strftime(STAMP)}.db"
    box = backup_box(settings)
    if box is None:
        back_up(settings.database, plain)
        made = plain
    else:
        with tempfile.TemporaryDirectory(dir=folder, prefix=".making-") as place:
            inside = Path(place) / "copy.db"
            back_up(settings.database, inside)
            made = plain if target is not None else plain.with_name(plain.name + SEALED)
            box.seal(inside, made)
    drop_old(folder, now)
    return made


def drop_old(folder: Path, now: datetime) -> None:
    found = {
        datetime.strptime(name[1], STAMP).replace(tzinfo=UTC): path
        for path in folder.iterdir()
        if (name := _NAME.fullmatch(path.name))
    }
    stay = kept(found, now)
    for at, path in found.items():
        if at not in stay:
            path.unlink(missing_ok=True)


def restore(settings: Settings, backup: Path, now: datetime) -> tuple[InstallationId, Path | None]:
    """Put a backup in the place of the database; it is disarmed. Return whose it is.

    Also returns where the database that was there is now.
    """
    require_sqlite(settings)
    if not backup.is_file():
        raise ConfigurationError(f"there is no file {backup}")
    make_directories(settings.data_dir)
    with one_worker(settings.data_dir), tempfile.TemporaryDirectory() as place:
        copy = Path(place) / "copy.db"
        if is_sealed(backup):
            box = backup_box(settings)
            if box is None:
                raise ConfigurationError(f"{backup} is encrypted: set BACKUP_KEY_FILE")
            box.open(backup, copy)
        else:
            shutil.copyfile(backup, copy)
            copy.chmod(0o600)
        installation = InstallationId(inspect(copy))
        aside = put_in_place(
            copy, settings.database, f"before-{now.astimezone(UTC).strftime(STAMP)}"
        )
        ArmingFiles(settings, installation).remove()
    return installation, aside


def backup_box(settings: Settings) -> BackupBox | None:
    if settings.backup_key_file is None:
        return None
    return BackupBox(KeyFile(settings.backup_key_file, "BACKUP_KEY_FILE").read())


def require_sqlite(settings: Settings) -> None:
    if not settings.database.startswith("sqlite:"):
        raise ConfigurationError(ONLY_SQLITE)


async def keep_backups(settings: Settings, clock: Clock, is_mine: Callable[[], bool]) -> None:
    """Back up again and again until cancelled, in the one process whose work it is.

    A failure is said and tried again.
    """
    if not settings.backup_every_s or not settings.database.startswith("sqlite:"):
        return
    while True:
        await asyncio.sleep(settings.backup_every_s)
        if not is_mine():
            continue
        try:
            made = await asyncio.to_thread(back_up_now, settings, clock.now())
        except (ConfigurationError, PortError, OSError) as error:
            log.error("backup_failed", cause=str(error))  # noqa: TRY400 - what is wrong is said
        else:
            log.info("backup_made", file=made.name)
