"""What the drivers' errors mean, in the words of the port."""

import sqlite3

import asyncpg

from signalfleet.domain.errors import DomainError
from signalfleet.ports.errors import ConflictError, RefusedError, StoreUnavailableError

_NO_USER = "there is no such user; add the user first"
_WRONG_VALUE = "a value is not one of those that the column may hold"
_EXISTS = "a row with this key exists"


def translated(error: Exception) -> Exception:
    """Return the port's error, caused by the driver's; only the kind of trouble is passed on."""
    ours = _of_sqlite(error) if isinstance(error, sqlite3.Error) else _of_postgresql(error)
    ours.__cause__ = error
    return ours


def _of_sqlite(error: sqlite3.Error) -> Exception:
    name = getattr(error, "sqlite_errorname", "") or type(error).__name__
    match name:
        case "SQLITE_CONSTRAINT_FOREIGNKEY":
            return RefusedError(_NO_USER)
        case "SQLITE_CONSTRAINT_CHECK" | "SQLITE_CONSTRAINT_NOTNULL":
            return DomainError(_WRONG_VALUE)
        case "SQLITE_CONSTRAINT_UNIQUE" | "SQLITE_CONSTRAINT_PRIMARYKEY":
            return ConflictError(_EXISTS)
        case _:
            return StoreUnavailableError(f"the database cannot be used now ({name})")


def _of_postgresql(error: Exception) -> Exception:
    match error:
        case asyncpg.ForeignKeyViolationError():
            return RefusedError(_NO_USER)
        case asyncpg.UniqueViolationError():
            return ConflictError(_EXISTS)
        case (
            asyncpg.CheckViolationError()
            | asyncpg.NotNullViolationError()
            | asyncpg.DataError()
            | asyncpg.exceptions.CharacterNotInRepertoireError()
        ):
            return DomainError(_WRONG_VALUE)
        case asyncpg.InsufficientPrivilegeError():
            return RefusedError("the role in STORE_URL may not do this")
        case _:
            name = getattr(error, "sqlstate", None) or type(error).__name__
            return StoreUnavailableError(f"the database cannot be used now ({name})")
