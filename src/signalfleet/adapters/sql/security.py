"""Who may do what on PostgreSQL: roles, row-level security, grants, look-up functions.

All of it follows from the model, so a new table is walled by `migrate` without further ado. The
functions belong to a role that may read the columns they look at, of all users, and nothing else.
"""

from collections.abc import Iterator
from enum import StrEnum
from typing import Final

import sqlalchemy as sa

from signalfleet.adapters.sql.row_access import all_users
from signalfleet.adapters.sql.schema import metadata, tenant_tables
from signalfleet.adapters.sql.statements import Statements
from signalfleet.adapters.sql.texts import Lookup, PostgresqlTexts

OWNER: Final = "sf_owner"
DEFINER: Final = "sf_definer"


class Role(StrEnum):
    WORKER = "sf_worker"
    WEB = "sf_web"
    ADMIN = "sf_admin"


_ALL: Final = "SELECT, INSERT, UPDATE, DELETE"
_SECRET: Final = frozenset({"credentials", "data_keys"})
_APPEND_ONLY: Final = frozenset({"events"})
_WORKERS: Final = frozenset(
    {"slot_fence", "messages", "signals", "copies", "traces", "intents", "trades", "shredded"}
)
"""What only workers write; pages read it."""
_HIDDEN_FROM_ADMIN: Final = {"messages": frozenset({"text"})}
_MINE: Final = "user_id = ANY (string_to_array(current_setting('app.user_ids', true), ','))"


def roles_sql(database: str = "signalfleet") -> str:
    """Return what a superuser runs once, before the first `migrate`; passwords are left to them."""
    logins = (OWNER, *Role)
    lines = [
        *(f"CREATE ROLE {one} LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEROLE;" for one in logins),
        f"CREATE ROLE {DEFINER} NOLOGIN NOSUPERUSER NOBYPASSRLS;",
        f"GRANT {DEFINER} TO {OWNER};",
        f"CREATE DATABASE {database} OWNER {OWNER} ENCODING 'UTF8' TEMPLATE template0;",
        f"REVOKE ALL ON DATABASE {database} FROM PUBLIC;",
        f"GRANT CONNECT ON DATABASE {database} TO {', '.join(Role)};",
    ]
    return "\n".join(lines) + "\n"


def walls_sql() -> str:
    """Return what makes the rights of all roles what they are to be; may run again and again."""
    texts = PostgresqlTexts()
    Statements(texts)
    texts.lookup("sf_all_users", all_users())
    lookups = tuple(texts.lookups.values())
    lines = [
        f"GRANT USAGE ON SCHEMA public TO {', '.join(Role)}, {DEFINER};",
        f"REVOKE ALL ON ALL TABLES IN SCHEMA public FROM PUBLIC, {', '.join(Role)}, {DEFINER};",
        f"GRANT SELECT ON alembic_version TO {', '.join(Role)};",
        *_policies(),
        *_grants(),
        *_wish_numbers(),
        # To own a function a role must be allowed to make one; only while this runs.
        f"GRANT CREATE ON SCHEMA public TO {DEFINER};",
        *(line for lookup in lookups for line in _function(lookup)),
        f"REVOKE CREATE ON SCHEMA public FROM {DEFINER};",
        *_definer_reads(lookups),
    ]
    return "\n".join(lines)


def _policies() -> Iterator[str]:
    for table in tenant_tables():
        yield f"ALTER TABLE {table.name} ENABLE ROW LEVEL SECURITY;"
        yield f"ALTER TABLE {table.name} FORCE ROW LEVEL SECURITY;"
        yield f"DROP POLICY IF EXISTS tenant ON {table.name};"
        yield f"CREATE POLICY tenant ON {table.name} USING ({_MINE}) WITH CHECK ({_MINE});"


def _grants() -> Iterator[str]:
    for table in metadata.sorted_tables:
        for role in Role:
            rights = _rights(table, role)
            if rights:
                yield f"GRANT {rights} ON {table.name} TO {role};"


def _rights(table: sa.Table, role: Role) -> str:
    name = table.name
    match role:
        case Role.WORKER:
            return "SELECT, INSERT, DELETE" if name in _APPEND_ONLY else _ALL
        case Role.WEB:
            if name in _SECRET:
                return ""
            if name in _APPEND_ONLY:
                return "SELECT, INSERT"
            if name == "installation":
                return "SELECT, INSERT, UPDATE (one)"
            return "SELECT" if name in _WORKERS else _ALL
        case Role.ADMIN:
            hidden = _HIDDEN_FROM_ADMIN.get(name, frozenset())
            columns = [one.name for one in table.columns if one.name not in hidden]
            return "" if name in _SECRET else f"SELECT ({', '.join(columns)})"


def _wish_numbers() -> Iterator[str]:
    """Yield what numbers wishes in the order of their commits, so that a watcher misses none."""
    yield "CREATE SEQUENCE IF NOT EXISTS wish_rev;"
    yield "REVOKE ALL ON SEQUENCE wish_rev FROM PUBLIC;"
    yield f"GRANT USAGE ON SEQUENCE wish_rev TO {Role.WORKER}, {Role.WEB};"
    yield """CREATE OR REPLACE FUNCTION sf_next_wish_rev() RETURNS bigint
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('signalfleet wishes', 0));
    RETURN nextval('public.wish_rev');
END $$;"""
    yield """CREATE OR REPLACE FUNCTION sf_raise_wish_rev(newest bigint) RETURNS bigint
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
    SELECT setval('public.wish_rev', greatest(newest, (SELECT last_value FROM public.wish_rev), 1))
$$;"""
    yield "REVOKE ALL ON FUNCTION sf_raise_wish_rev(bigint) FROM PUBLIC;"
    yield f"GRANT EXECUTE ON FUNCTION sf_raise_wish_rev(bigint) TO {Role.WORKER};"
    yield "REVOKE ALL ON FUNCTION sf_next_wish_rev() FROM PUBLIC;"
    yield f"GRANT EXECUTE ON FUNCTION sf_next_wish_rev() TO {Role.WORKER}, {Role.WEB};"


def _function(lookup: Lookup) -> Iterator[str]:
    signature = f"{lookup.name}({', '.join(lookup.arguments)})"
    columns = ", ".join(f'"{name}" {kind}' for name, kind in lookup.columns)
    yield f"DROP FUNCTION IF EXISTS {signature};"
    yield (
        f"CREATE FUNCTION {signature} RETURNS TABLE ({columns}) LANGUAGE sql STABLE "
        f"SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$ {lookup.body} $$;"
    )
    yield f"ALTER FUNCTION {signature} OWNER TO {DEFINER};"
    yield f"REVOKE ALL ON FUNCTION {signature} FROM PUBLIC;"
    yield f"GRANT EXECUTE ON FUNCTION {signature} TO {Role.WORKER}, {Role.WEB};"


def _definer_reads(lookups: tuple[Lookup, ...]) -> Iterator[str]:
    columns: dict[str, set[str]] = {}
    for table, column in sorted(pair for lookup in lookups for pair in lookup.reads):
        columns.setdefault(table, set()).add(column)
    walled = {table.name for table in tenant_tables()}
    for name, seen in columns.items():
        yield f"GRANT SELECT ({', '.join(sorted(seen))}) ON {name} TO {DEFINER};"
        if name in walled:
            yield f"DROP POLICY IF EXISTS lookups ON {name};"
            yield f"CREATE POLICY lookups ON {name} FOR SELECT TO {DEFINER} USING (true);"
