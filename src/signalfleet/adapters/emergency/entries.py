"""One user's emergency file: a line for each entry, with a checksum, on disk before it counts."""

import errno
import json
import os
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias

import structlog
from pydantic import TypeAdapter

from signalfleet.domain.ids import UserId
from signalfleet.domain.trading.intents import (
    Action,
    AmendLeg,
    CancelLeg,
    CloseLeg,
    Command,
    Intent,
    OpenLeg,
    ProtectLeg,
    ReduceLeg,
)
from signalfleet.domain.trading.records import Decision, Settlement
from signalfleet.ports.errors import StoreUnavailableError

log = structlog.get_logger()

_CHECK_CHARACTERS: Final = 8
_SETTLEMENT: Final = TypeAdapter(Settlement)
_DECISION: Final = TypeAdapter(Decision)
# Commands may look alike, so each is read back by the action that stands beside it.
_COMMANDS: Final[dict[Action, TypeAdapter[Command]]] = {
    Action.OPEN: TypeAdapter(OpenLeg),
    Action.CLOSE: TypeAdapter(CloseLeg),
    Action.REDUCE: TypeAdapter(ReduceLeg),
    Action.PROTECT: TypeAdapter(ProtectLeg),
    Action.CANCEL: TypeAdapter(CancelLeg),
    Action.AMEND: TypeAdapter(AmendLeg),
}
_INTENTS: Final = ("intents", "added_intents")
Change: TypeAlias = Decision | Settlement


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    epoch: int
    change: Change


class EntryFile:
    """Blocks on the disk; called in threads.

    There is a file for each ownership of the user's slot, so no two processes write into one. Who
    owns the slot next reads what all before have left.
    """

    def __init__(self, folder: Path, user: UserId) -> None:
        self._folder = folder
        self._user = user
        self._read: list[Path] = []
        self._epoch: int | None = None
        self._is_empty = not self._left()

    def is_empty(self) -> bool:
        return self._is_empty

    def begin(self, epoch: int) -> bool:
        """See what earlier owners have left, and no later one; False if this is the same still."""
        is_new, self._epoch = epoch != self._epoch, epoch
        self._look_again()
        return is_new

    def _look_again(self) -> None:
        self._is_empty = not self._left()

    def _left(self) -> list[Path]:
        """Return the files that hold something, those of older owners first."""
        found = {_epoch_of(path): path for path in self._folder.glob(f"{self._user}.*wal")}
        until = max(found, default=0) if self._epoch is None else self._epoch
        known = sorted(epoch for epoch in found if epoch <= until)
        return [found[epoch] for epoch in known if found[epoch].stat().st_size]

    def append(self, entry: Entry) -> None:
        """Write an entry and wait until the disk has it; StoreUnavailableError if it has not."""
        line = _line(entry)
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            path = self._folder / f"{self._user}.{entry.epoch}.wal"
            is_new = not path.exists()
            number = os.open(path, os.O_CREAT | os.O_APPEND | os.O_RDWR, 0o600)
            try:
                begun = os.fstat(number).st_size
                try:
                    _write_whole(number, line)
                except OSError:
                    os.ftruncate(number, begun)
                    raise
            finally:
                os.close(number)
            if is_new:
                _sync_folder(self._folder)
        except OSError as e:
            raise StoreUnavailableError(
                f"neither the store nor the emergency journal can be written ({e.strerror})"
            ) from e
        self._is_empty = False

    def read(self) -> list[Entry]:
        """Return the entries; what a crash left half written was never acted upon."""
        self._read = self._left()
        return [entry for path in self._read for entry in _entries(path)]

    def clear(self) -> None:
        """Remove the files that were read."""
        for path in self._read:
            path.unlink(missing_ok=True)
        _sync_folder(self._folder)
        self._look_again()

    def set_aside(self) -> None:
        """Keep entries that the store refuses, for a person to look at."""
        for path in self._read:
            path.replace(path.with_suffix(".refused"))
        self._look_again()


def _epoch_of(path: Path) -> int:
    """Return the epoch in a file's name; those of before there was one had none."""
    word = path.name.split(".")[1]
    return int(word) if word.isdecimal() else 0


def _entries(path: Path) -> list[Entry]:
    entries = []
    for number, line in enumerate(path.read_bytes().splitlines(), start=1):
        check, body = line[:_CHECK_CHARACTERS], line[_CHECK_CHARACTERS + 1 :]
        if check != _check(body):
            log.error("emergency_entry_broken", line=number)
            break
        entries.append(_entry(json.loads(body)))
    return entries


def _line(entry: Entry) -> bytes:
    is_decision = isinstance(entry.change, Decision)
    adapter: TypeAdapter[Any] = _DECISION if is_decision else _SETTLEMENT
    change = adapter.dump_python(entry.change, mode="json")
    for name in _INTENTS:
        intents: tuple[Intent, ...] = getattr(entry.change, name, ())
        for raw, intent in zip(change.get(name, ()), intents, strict=True):
            raw["action"] = intent.action.value
    kind = "decision" if is_decision else "settlement"
    body = json.dumps(
        {"epoch": entry.epoch, "kind": kind, "change": change}, separators=(",", ":")
    ).encode()
    return _check(body) + b" " + body + b"\n"


def _entry(raw: dict[str, Any]) -> Entry:
    change = raw["change"]
    commands: dict[str, list[Command]] = {}
    for name in _INTENTS:
        commands[name] = [
            _COMMANDS[Action(one.pop("action"))].validate_python(one["command"])
            for one in change.get(name, ())
        ]
        for one, command in zip(change.get(name, ()), commands[name], strict=True):
            one["command"] = command
    adapter: TypeAdapter[Any] = _DECISION if raw["kind"] == "decision" else _SETTLEMENT
    return Entry(epoch=raw["epoch"], change=adapter.validate_python(change))


def _check(body: bytes) -> bytes:
    return f"{zlib.crc32(body):0{_CHECK_CHARACTERS}x}".encode()


def _write_whole(number: int, line: bytes) -> None:
    if os.write(number, line) != len(line):
        raise OSError(errno.ENOSPC, "only a part of it fitted")
    os.fsync(number)


def _sync_folder(folder: Path) -> None:
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
