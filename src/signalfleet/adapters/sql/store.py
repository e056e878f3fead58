"""The store in SQL: opened, asked for one user's part, closed."""

import asyncio
import sqlite3
from pathlib import Path
from typing import Self

from signalfleet.adapters.sql.database import Database
from signalfleet.adapters.sql.errors import translated
from signalfleet.adapters.sql.fleet import SqlFleet
from signalfleet.adapters.sql.inbox import SqlInbox
from signalfleet.adapters.sql.journal import SqlJournal
from signalfleet.adapters.sql.notices import SqlNotices
from signalfleet.adapters.sql.postgresql import is_postgresql
from signalfleet.adapters.sql.postgresql_engine import PostgresqlEngine
from signalfleet.adapters.sql.postgresql_readers import PostgresqlReaders
from signalfleet.adapters.sql.quota import SqlQuota
from signalfleet.adapters.sql.readers import Readers
from signalfleet.adapters.sql.records import (
    SqlAccounts,
    SqlBot,
    SqlChannels,
    SqlCredentials,
    SqlSettings,
)
from signalfleet.adapters.sql.row_access import SqlRowAccess
from signalfleet.adapters.sql.sqlite import (
    database_path,
    open_writer,
    prepare_file,
    require_schema,
)
from signalfleet.adapters.sql.sqlite_engine import SqliteEngine
from signalfleet.adapters.sql.statements import postgresql_statements, sqlite_statements
from signalfleet.adapters.sql.tenants import (
    SqlAuditTrail,
    SqlDepartures,
    SqlIdempotency,
    SqlRetention,
)
from signalfleet.adapters.sql.waves import DRIVER_ERRORS
from signalfleet.adapters.sql.writer import Writer
from signalfleet.domain.ids import UserId


class SqlUserStore:
    """One user's part; holds nothing but the name, so it may be made anew for each use."""

    __slots__ = ("_database", "_user_id")

    def __init__(self, database: Database, user_id: UserId) -> None:
        self._database = database.of(user_id)
        self._user_id = user_id

    @property
    def user_id(self) -> UserId:
        return self._user_id

    @property
    def inbox(self) -> SqlInbox:
        return SqlInbox(self._database, self._user_id)

    @property
    def journal(self) -> SqlJournal:
        return SqlJournal(self._database, self._user_id)

    @property
    def channels(self) -> SqlChannels:
        return SqlChannels(self._database, self._user_id)

    @property
    def accounts(self) -> SqlAccounts:
        return SqlAccounts(self._database, self._user_id)

    @property
    def settings(self) -> SqlSettings:
        return SqlSettings(self._database, self._user_id)

    @property
    def credentials(self) -> SqlCredentials:
        return SqlCredentials(self._database, self._user_id)

    @property
    def bot(self) -> SqlBot:
        return SqlBot(self._database, self._user_id)

    @property
    def notices(self) -> SqlNotices:
        return SqlNotices(self._database, self._user_id)

    @property
    def quota(self) -> SqlQuota:
        return SqlQuota(self._database, self._user_id)

    @property
    def idempotency(self) -> SqlIdempotency:
        return SqlIdempotency(self._database, self._user_id)

    @property
    def events(self) -> SqlAuditTrail:
        return SqlAuditTrail(self._database, self._user_id)

    @property
    def retention(self) -> SqlRetention:
        return SqlRetention(self._database, self._user_id)


class SqlStore:
    """A migrated database. Use `open`, and `aclose` when done."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._fleet = SqlFleet(database)

    @classmethod
    async def open(cls, path_or_url: str, *, cell: str) -> Self:
        """Open a database that `migrate` has brought to this release's schema.

        RefusedError if its schema or its place is not right, StoreUnavailableError if it cannot
        be opened now.
        """
        if is_postgresql(path_or_url):
            return cls(await _open_postgresql(path_or_url, cell))
        return cls(await asyncio.to_thread(_open, database_path(path_or_url), cell))

    def user(self, user_id: UserId) -> SqlUserStore:
        return SqlUserStore(self._database, user_id)

    @property
    def fleet(self) -> SqlFleet:
        return self._fleet

    @property
    def departures(self) -> SqlDepartures:
        return SqlDepartures(self._database)

    @property
    def rows(self) -> SqlRowAccess:
        return SqlRowAccess(self._database)

    async def ready(self) -> None:
        sql = self._database.sql
        await self._database.write(lambda session: session.run(sql.touch_installation, {}))
        await self._database.row(sql.get_installation, {})

    async def aclose(self) -> None:
        """Write what was queued, then close, each in a bounded time."""
        # Only a connection that may write can put the log back into the file when it is the last.
        await self._database.readers.aclose()
        await self._database.writer.aclose()


async def _open_postgresql(url: str, cell: str) -> Database:
    engine = PostgresqlEngine(url)
    try:
        await asyncio.to_thread(engine.open)
        try:
            readers = await PostgresqlReaders.open(url)
        except BaseException:
            await asyncio.to_thread(engine.close)
            raise
    except DRIVER_ERRORS as e:
        raise translated(e) from e
    return Database(
        cell=cell,
        sql=postgresql_statements(),
        writer=Writer(engine),
        readers=readers,
        is_postgresql=True,
    )


def _open(path: Path, cell: str) -> Database:
    prepare_file(path)
    try:
        connection = open_writer(path)
        try:
            require_schema(connection)
            readers = Readers(path)
        except BaseException:
            connection.close()
            raise
    except sqlite3.Error as e:
        raise translated(e) from e
    return Database(
        cell=cell,
        sql=sqlite_statements(),
        writer=Writer(SqliteEngine(connection)),
        readers=readers,
    )
