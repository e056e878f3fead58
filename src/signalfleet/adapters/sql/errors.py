"""What the driver's errors mean, in the words of the port."""

import sqlite3

from signalfleet.domain.errors import DomainError
from signalfleet.ports.errors import ConflictError, RefusedError, StoreUnavailableError


def translated(error: sqlite3.Error) -> Exception:
    """Return the port's error, caused by the driver's; only the kind of trouble is passed on."""
    ours = _translated(error)
    ours.__cause__ = error
    return ours


def _translated(error: sqlite3.Error) -> Exception:
    name = getattr(error, "sqlite_errorname", "") or type(error).__name__
    match name:
        case "SQLITE_CONSTRAINT_FOREIGNKEY":
            return RefusedError("there is no such user; add the user first")
        case "SQLITE_CONSTRAINT_CHECK" | "SQLITE_CONSTRAINT_NOTNULL":
            return DomainError("a value is not one of those that the column may hold")
        case "SQLITE_CONSTRAINT_UNIQUE" | "SQLITE_CONSTRAINT_PRIMARYKEY":
            return ConflictError("a row with this key exists")
        case _:
            return StoreUnavailableError(f"the database cannot be used now ({name})")
