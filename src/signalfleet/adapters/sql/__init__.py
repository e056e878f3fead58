"""The store in a SQL database: SQLite and PostgreSQL.

Holds the schema and its migrations, the statements (written once, compiled to text at start), one
writer with group commit, the readers, and on PostgreSQL the walls between users. It holds no rule
about trading.
"""

from signalfleet.adapters.sql.migrate import migrate
from signalfleet.adapters.sql.schema import REVISION as SCHEMA_REVISION
from signalfleet.adapters.sql.security import roles_sql
from signalfleet.adapters.sql.sqlite import database_path
from signalfleet.adapters.sql.store import SqlStore

__all__ = ["SCHEMA_REVISION", "SqlStore", "database_path", "migrate", "roles_sql"]
