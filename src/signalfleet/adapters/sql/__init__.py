"""The store in a SQL database: SQLite now, written so that PostgreSQL needs a driver only.

Holds the schema and its migrations, the statements (written once, compiled to text at start), one
writer with group commit, and readers in threads. It holds no rule about trading.
"""

from signalfleet.adapters.sql.migrate import migrate
from signalfleet.adapters.sql.store import SqlStore

__all__ = ["SqlStore", "migrate"]
