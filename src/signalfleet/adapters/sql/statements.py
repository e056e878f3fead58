"""Every statement, written once and compiled to text at start for the dialect in use."""

from functools import cache

from signalfleet.adapters.sql.journal_statements import JournalStatements
from signalfleet.adapters.sql.record_statements import RecordStatements
from signalfleet.adapters.sql.tenant_statements import TenantStatements
from signalfleet.adapters.sql.texts import PostgresqlTexts, SqliteTexts, Texts


class Statements(RecordStatements, TenantStatements, JournalStatements):
    """The texts; one attribute per statement."""

    def __init__(self, texts: Texts) -> None:
        super().__init__(texts)
        self._fleet()
        self._marks()
        self._sign_in()
        self._records()
        self._notices()
        self._tenants()
        self._departures()
        self._retention()
        self._inbox()
        self._journal()
        self._journal_reads()


@cache
def sqlite_statements() -> Statements:
    """Return the texts for SQLite, compiled once in a process."""
    return Statements(SqliteTexts())


@cache
def postgresql_statements() -> Statements:
    return Statements(PostgresqlTexts())
