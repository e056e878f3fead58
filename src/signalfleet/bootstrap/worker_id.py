"""Which worker this is: `<server>.<number>.<life>`, where no two that live have the same."""

import hashlib
import json
import platform
import re
import secrets
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from signalfleet.bootstrap.lock import numbered
from signalfleet.bootstrap.settings import ConfigurationError

NUMBERS: Final = 256
_SERVER: Final = re.compile(r"s[0-9a-f]{12}")
_MACHINE_FILES: Final = (Path("/etc/machine-id"), Path("/var/lib/dbus/machine-id"))


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerName:
    """`life` counts the starts of this number: an earlier life is surely over."""

    server: str
    number: int
    life: int

    def __str__(self) -> str:
        return f"{self.server}.{self.number}.{self.life}"


@contextmanager
def worker_name(data_dir: Path, number: int | None = None) -> Iterator[WorkerName]:
    """Take a number on this data directory, the first free one if none is given, and hold it."""
    server = server_id(data_dir)
    for wanted in range(NUMBERS) if number is None else [number]:
        with ExitStack() as stack:
            life = stack.enter_context(numbered(data_dir, wanted))
            if life is not None:
                yield WorkerName(server=server, number=wanted, life=life)
                return
    raise ConfigurationError(
        f"worker {number} works on {data_dir} already"
        if number is not None
        else f"{NUMBERS} workers work on {data_dir} already"
    )


def server_id(data_dir: Path) -> str:
    """Return this server's id: kept in the data directory, and made anew for a copy of it.

    A copy with the same id would take the slots of the original away while that is alive.
    """
    path, place = data_dir / "server.json", _place(data_dir)
    with suppress(OSError, ValueError, KeyError, TypeError):
        found = json.loads(path.read_text(encoding="ascii"))
        if found["place"] == place and _SERVER.fullmatch(found["server"]):
            return str(found["server"])
    server = "s" + secrets.token_hex(6)
    making = path.with_name(f".server-{secrets.token_hex(4)}")
    making.write_text(json.dumps({"server": server, "place": place}), encoding="ascii")
    making.replace(path)
    return server


def _place(data_dir: Path) -> str:
    """Name the machine and the directory; a copied directory is another one."""
    machine = ""
    for path in _MACHINE_FILES:
        with suppress(OSError):
            machine = path.read_text(encoding="ascii").strip()
            break
    found = data_dir.stat()
    known = "\0".join([machine, platform.node(), str(found.st_dev), str(found.st_ino)])
    return hashlib.sha256(known.encode()).hexdigest()[:32]
