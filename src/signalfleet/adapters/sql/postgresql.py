"""How PostgreSQL is reached, who we may be there, and what we refuse to start with."""

from typing import Any, Final, TypeAlias
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import asyncpg

from signalfleet.adapters.sql.schema import REVISION, tenant_tables
from signalfleet.ports.errors import RefusedError

SCHEME: Final = "postgresql"
OLDEST: Final = 150_000
"""Version 15, as the server counts."""
CONNECT_TIMEOUT_S: Final = 5.0
CALL_TIMEOUT_S: Final = 6.0
"""Longer than the server's own limit, which gives the better answer."""
_STATEMENTS_KEPT: Final = 512
_LOOPBACK: Final = ("localhost", "127.0.0.1", "::1", None)

# asyncpg's own types are generic over the kind of record; ours are read by name alone.
Connection: TypeAlias = "asyncpg.Connection[Any]"
Pool: TypeAlias = "asyncpg.Pool[Any]"

_SESSION: Final = {
    "application_name": "signalfleet",
    "statement_timeout": "5000",
    "lock_timeout": "2000",
    "idle_in_transaction_session_timeout": "10000",
    "synchronous_commit": "on",
    "jit": "off",
    "TimeZone": "UTC",
}

_ROLE: Final = """
SELECT current_setting('server_version_num')::integer AS version, rolsuper, rolbypassrls,
       pg_is_in_recovery() AS standby,
       EXISTS (SELECT FROM pg_class
               WHERE relname = 'users' AND relnamespace = 'public'::regnamespace
                     AND pg_has_role(current_user, relowner, 'MEMBER')) AS owns
FROM pg_roles WHERE rolname = current_user
"""
_WALLS: Final = """
SELECT relname FROM pg_class
WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')
      AND relrowsecurity AND relforcerowsecurity
"""


def is_postgresql(url: str) -> bool:
    return urlsplit(url).scheme == SCHEME


def safe_url(url: str) -> str:
    """Return the address with encryption asked for where the way leaves this machine."""
    parts = urlsplit(url)
    query = parse_qsl(parts.query, keep_blank_values=True)
    named = dict(query)
    host = parts.hostname or named.get("host")
    is_here = host in _LOOPBACK or str(host).startswith("/")
    if not is_here and "sslmode" not in named:
        query.append(("sslmode", "require"))
    return urlunsplit(parts._replace(query=urlencode(query, safe="/")))


async def connect(url: str) -> Connection:
    return await asyncpg.connect(
        safe_url(url),
        timeout=CONNECT_TIMEOUT_S,
        command_timeout=CALL_TIMEOUT_S,
        statement_cache_size=_STATEMENTS_KEPT,
        server_settings=_SESSION,
    )


async def open_pool(url: str, size: int) -> Pool:
    return await asyncpg.create_pool(
        safe_url(url),
        min_size=0,
        max_size=size,
        timeout=CONNECT_TIMEOUT_S,
        command_timeout=CALL_TIMEOUT_S,
        statement_cache_size=_STATEMENTS_KEPT,
        server_settings=_SESSION,
    )


async def require_walls(connection: Connection) -> None:
    """Refuse a server, a role or a schema with which one user could see another one's rows."""
    role = await connection.fetchrow(_ROLE)
    if role is None or role["version"] < OLDEST:
        raise RefusedError("this PostgreSQL is too old; version 15 or newer is needed")
    if role["standby"]:
        raise RefusedError("this PostgreSQL is a standby; STORE_URL must name the primary")
    await _require_revision(connection)
    if role["rolsuper"] or role["rolbypassrls"] or role["owns"]:
        raise RefusedError(
            "STORE_URL names a role that row-level security does not bind (superuser, BYPASSRLS or "
            "owner of the tables); use sf_worker, or sf_web for pages alone"
        )
    walled = {row["relname"] for row in await connection.fetch(_WALLS)}
    open_tables = sorted({table.name for table in tenant_tables()} - walled)
    if open_tables:
        raise RefusedError(
            f"row-level security is not forced on {', '.join(open_tables)}; "
            "run `signalfleet migrate` as the owner of the tables"
        )


async def _require_revision(connection: Connection) -> None:
    try:
        revision = await connection.fetchval("SELECT version_num FROM public.alembic_version")
    except asyncpg.UndefinedTableError:
        revision = None
    if revision != REVISION:
        raise RefusedError(
            f"the database has schema {revision or 'none'}, this release needs {REVISION}; "
            "run `signalfleet migrate` as the owner of the tables"
        )
