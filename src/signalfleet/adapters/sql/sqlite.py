"""Where the SQLite file is, who may read it, and how it is opened."""

import contextlib
import os
import sqlite3
from pathlib import Path
from typing import Final

from signalfleet.adapters.sql.schema import REVISION
from signalfleet.ports.errors import RefusedError, StoreUnavailableError

OLDEST_SQLITE: Final = (3, 35, 0)
"""RETURNING came with it."""
LOCK_WAIT_MS: Final = 1_500
"""Shorter than a hot call may take, so that a locked file is an answer and not a time-out."""
_STATEMENT_CACHE: Final = 256
_WAL_LIMIT_BYTES: Final = 64 * 1024 * 1024
_NETWORK: Final = ("nfs", "cifs", "smb", "9p", "afs", "ceph", "glusterfs", "fuse.sshfs")

_PRAGMAS: Final = (
    f"PRAGMA busy_timeout={LOCK_WAIT_MS}",
    "PRAGMA foreign_keys=ON",
    "PRAGMA trusted_schema=OFF",
    "PRAGMA temp_store=MEMORY",
    "PRAGMA cache_size=-16000",
)
_WRITER_PRAGMAS: Final = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    "PRAGMA secure_delete=ON",
    f"PRAGMA journal_size_limit={_WAL_LIMIT_BYTES}",
)


def database_path(path_or_url: str) -> Path:
    """Return the file that a path or a `sqlite:///` address names."""
    scheme, separator, rest = path_or_url.partition("://")
    if separator and scheme != "sqlite":
        raise RefusedError(f"stores at {scheme}:// are not supported; use sqlite:///PATH")
    path = rest.removeprefix("/") if separator else path_or_url
    if not path or path == ":memory:":
        raise RefusedError("the store needs a file; use sqlite:///PATH")
    return Path(path).absolute()


def prepare_file(path: Path) -> None:
    """Make directory and file, for the owner only, on a disk of this machine."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if is_on_network(path.parent.resolve(), _mounts()):
            raise RefusedError(
                f"{path.parent} is on a network file system, where SQLite loses data; "
                "use a local disk"
            )
        os.close(os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))
        path.chmod(0o600)
    except OSError as e:
        raise StoreUnavailableError(f"{path} cannot be opened: {e.strerror}") from e


def is_on_network(folder: Path, mounts: str) -> bool:
    """Tell whether a folder lies on a network file system, by the text of /proc/mounts."""
    fields = (line.split() for line in mounts.splitlines())
    known = ((Path(one[1]), one[2]) for one in fields if len(one) > 2)  # noqa: PLR2004
    holding = [(point, kind) for point, kind in known if folder.is_relative_to(point)]
    _, kind = max(holding, key=lambda one: len(one[0].parts), default=(folder, ""))
    return kind.startswith(_NETWORK)


def _mounts() -> str:
    with contextlib.suppress(OSError):  # Only Linux has this list.
        return Path("/proc/mounts").read_text(encoding="utf-8", errors="replace")
    return ""


def open_writer(path: Path) -> sqlite3.Connection:
    """Open the connection that writes; it is used by the writer's thread only."""
    if sqlite3.sqlite_version_info < OLDEST_SQLITE:
        raise RefusedError(f"SQLite {sqlite3.sqlite_version} is too old; 3.35 is needed")
    connection = _connect(f"{path.as_uri()}?mode=rw")
    _configure(connection, _PRAGMAS + _WRITER_PRAGMAS)
    return connection


def open_reader(path: Path) -> sqlite3.Connection:
    connection = _connect(f"{path.as_uri()}?mode=ro")
    _configure(connection, (*_PRAGMAS, "PRAGMA query_only=ON"))
    return connection


def require_schema(connection: sqlite3.Connection) -> None:
    """Refuse a database that this release cannot work with."""
    try:
        found = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    except sqlite3.OperationalError:
        found = None
    revision = found[0] if found else "none"
    if revision != REVISION:
        raise RefusedError(
            f"the database has schema {revision}, this release needs {REVISION}; migrate it first"
        )


def _connect(uri: str) -> sqlite3.Connection:
    connection = sqlite3.connect(
        uri,
        uri=True,
        isolation_level=None,
        check_same_thread=False,
        cached_statements=_STATEMENT_CACHE,
    )
    connection.row_factory = sqlite3.Row
    return connection


def _configure(connection: sqlite3.Connection, pragmas: tuple[str, ...]) -> None:
    try:
        for pragma in pragmas:
            connection.execute(pragma).fetchall()
    except sqlite3.Error:
        connection.close()
        raise
