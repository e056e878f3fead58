"""Whether this copy of the data may connect and trade: the database and a marker beside it agree.

The marker is in STATE_DIR, outside the database and its backups. A restored or copied database
does not find its marker, and then nothing connects, nothing is sent, and pages are read-only: the
original may still be running, and a second use of a Telegram session destroys it.
"""

import asyncio
import json
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import structlog

from signalfleet.app.arm import oldest_signal
from signalfleet.bootstrap.settings import ConfigurationError, Settings
from signalfleet.domain.ids import InstallationId, UserId
from signalfleet.domain.trading.settle import DRILL, SettleRules
from signalfleet.ports.departures import Arming, Shredded
from signalfleet.ports.store import Store

log = structlog.get_logger()

LOOK_EVERY_S: Final = 2.0
CLOCKS_DIFFER: Final = timedelta(seconds=10)
DISARMED: Final = (
    "This is a copy of the data that nobody has armed: no Telegram connection, no orders, pages "
    "are read-only. If the old one is stopped for good: signalfleet arm "
    "--i-have-stopped-the-old-one"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Marker:
    """What the marker says; `generation` is that of the database it belongs to."""

    installation: InstallationId
    generation: int


class ArmingFiles:
    """The files in STATE_DIR: the marker, and who was deleted."""

    def __init__(self, settings: Settings, installation: InstallationId) -> None:
        self._folder = settings.state
        self._installation = installation

    @property
    def marker(self) -> Path:
        # Named after the installation: two of them may share a folder and not each other's marker.
        return self._folder / f"armed-{self._installation}.json"

    @property
    def _shredded(self) -> Path:
        return self._folder / f"shredded-{self._installation}.jsonl"

    def read(self) -> Marker | None:
        try:
            found = json.loads(self.marker.read_text(encoding="ascii"))
            return Marker(
                installation=InstallationId(found["installation"]),
                generation=int(found["generation"]),
            )
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError):
            log.error("arming_marker_unreadable", path=str(self.marker))  # noqa: TRY400
            return None

    def write(self, generation: int) -> None:
        self._make_folder()
        body = {"installation": self._installation, "generation": generation}
        number, name = tempfile.mkstemp(prefix=".armed-", dir=self._folder)
        with os.fdopen(number, "w", encoding="ascii") as file:
            json.dump(body, file)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(self.marker)

    def remove(self) -> None:
        self.marker.unlink(missing_ok=True)

    def note_shredded(self, user: UserId, at: datetime) -> None:
        """Remember a deletion where no restored backup can undo it."""
        self._make_folder()
        line = json.dumps({"user": user, "at": at.isoformat()}) + "\n"
        number = os.open(
            self._shredded, os.O_CREAT | os.O_APPEND | os.O_WRONLY | os.O_CLOEXEC, 0o600
        )
        with os.fdopen(number, "a", encoding="ascii") as file:
            file.write(line)
            file.flush()
            os.fsync(file.fileno())

    def shredded(self) -> Sequence[Shredded]:
        if not self._shredded.exists():
            return ()
        found = []
        for line in self._shredded.read_text(encoding="ascii").splitlines():
            one = json.loads(line)
            at = datetime.fromisoformat(one["at"])
            found.append(Shredded(user=UserId(one["user"]), at=at))
        return found

    def _make_folder(self) -> None:
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigurationError(
                f"the folder {self._folder} cannot be made: {error.strerror}; see STATE_DIR"
            ) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmedState:
    """Asks the database and the marker."""

    store: Store
    files: ArmingFiles
    has_marker: bool

    async def arming(self) -> Arming:
        return await self.store.fleet.arming()

    async def is_armed(self) -> bool:
        generation = (await self.arming()).generation
        if not self.has_marker:
            return generation != 0
        marker = self.files.read()
        if generation is None:
            return marker is None
        return generation > 0 and marker is not None and marker.generation == generation

    async def arm_if_new(self) -> None:
        """Arm a database that was made just now, or before there was any arming."""
        if self.has_marker and (await self.arming()).generation is None and await self.is_armed():
            await self.store.fleet.set_arming(Arming(generation=1))
            self.files.write(1)


async def armed_state(settings: Settings, store: Store) -> ArmedState:
    """Return what tells whether this copy is armed.

    A database server is not copied by a marker's file: there STATE_DIR counts only if it is set.
    """
    is_file = settings.database.startswith("sqlite:")
    installation = await store.fleet.installation()
    return ArmedState(
        store=store,
        files=ArmingFiles(settings, installation),
        has_marker=is_file or settings.state_dir is not None,
    )


async def pause_of_entries(settings: Settings, store: Store) -> timedelta:
    """Return how long entries wait after arming: until every signal of before is too old."""
    rules = DRILL if settings.settle_profile == "drill" else SettleRules()
    return max(await oldest_signal(store, settings.cell), rules.window) + CLOCKS_DIFFER


async def until_armed(armed: ArmedState, stop: asyncio.Event) -> bool:
    """Wait until this copy is armed; False if the process is to stop before."""
    if await armed.is_armed():
        return True
    log.error("disarmed", help=DISARMED)
    while not await armed.is_armed():
        try:
            async with asyncio.timeout(LOOK_EVERY_S):
                await stop.wait()
        except TimeoutError:
            continue
        return False
    log.info("armed")
    return True
