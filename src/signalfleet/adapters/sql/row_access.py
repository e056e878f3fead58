"""Rows as they are, for copying a store."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from typing import Final

import sqlalchemy as sa

from signalfleet.adapters.sql.database import Database
from signalfleet.adapters.sql.schema import installation, metadata, tenant_tables, users
from signalfleet.adapters.sql.session import Params, Row, Session
from signalfleet.adapters.sql.statement_maker import LIMIT, columns_of, given, param
from signalfleet.adapters.sql.texts import PostgresqlTexts, SqliteTexts, Statement, Texts, Verb
from signalfleet.domain.ids import UserId
from signalfleet.ports.store_copy import Cell, CopiedRow, Tables

PAGE: Final = 2_000
AT_ONCE: Final = 500
_RAISE: Final = Statement("SELECT sf_raise_wish_rev($1::bigint)", ("newest",), Verb.SELECT)
_TENANTS: Final = {table.name: table for table in tenant_tables()}
_SHARED: Final = {
    table.name: table
    for table in metadata.sorted_tables
    if table.name not in _TENANTS and table is not installation
} | {installation.name: installation}


@dataclass(frozen=True, slots=True)
class _TableTexts:
    page: Statement
    insert: Statement
    delete: Statement


@dataclass(frozen=True, slots=True)
class _CopyTexts:
    tables: Mapping[str, _TableTexts]
    users: Statement


@cache
def _copy_texts(*, is_postgresql: bool) -> _CopyTexts:
    texts: Texts = PostgresqlTexts() if is_postgresql else SqliteTexts()
    tables = (*_TENANTS.values(), *_SHARED.values())
    # The function that lists users on PostgreSQL is made with all the others, from the same select.
    return _CopyTexts(
        tables={table.name: _table_texts(texts, table) for table in tables},
        users=texts.lookup("sf_all_users", all_users()),
    )


def all_users() -> "sa.Select[tuple[str]]":
    after = users.c.user_id > param("after")
    return sa.select(users.c.user_id).where(after).order_by(users.c.user_id).limit(LIMIT)


def _table_texts(texts: Texts, table: sa.Table) -> _TableTexts:
    mine = [given(table.c.user_id)] if table.name in _TENANTS else []
    keys = list(table.primary_key.columns)
    page = sa.select(table).where(*mine).order_by(*keys).limit(LIMIT).offset(param("skipped"))
    return _TableTexts(
        page=texts.statement(page),
        insert=texts.statement(sa.insert(table).values(columns_of(table))),
        delete=texts.statement(sa.delete(table).where(*mine)),
    )


class SqlRowAccess:
    def __init__(self, database: Database) -> None:
        self._database = database
        self._texts = _copy_texts(is_postgresql=database.is_postgresql)

    @property
    def shared_tables(self) -> Sequence[str]:
        return tuple(_SHARED)

    async def is_live(self) -> bool:
        return bool(await self.shared_rows(installation.name))

    async def users(self, after: str, limit: int) -> tuple[UserId, ...]:
        text, params = self._texts.users, {"after": after, "limit": limit}
        rows = await self._database.rows(text, params)
        return tuple(UserId(row["user_id"]) for row in rows)

    async def tables_of(self, user: UserId) -> Tables:
        return {name: await self._rows_of(user, name) for name in _TENANTS}

    def as_kept(self, user: UserId, tables: Tables) -> Tables:  # noqa: ARG002 - All is kept.
        return tables

    async def replace_user(self, user: UserId, tables: Tables) -> None:
        async def operation(session: Session) -> None:
            await self._forget(session, user)
            for name in _TENANTS:
                await self._insert(session, name, tables.get(name, ()))

        await self._database.of(user).write(operation, hot=False)

    async def delete_user(self, user: UserId) -> None:
        mine = self._database.of(user)
        await mine.write(lambda session: self._forget(session, user), hot=False)

    async def shared_rows(self, table: str) -> Sequence[CopiedRow]:
        return await self._all(self._database, _SHARED[table], {})

    async def replace_shared(self, table: str, rows: Sequence[CopiedRow]) -> None:
        async def operation(session: Session) -> None:
            await session.run(self._texts.tables[table].delete, {})
            await self._insert(session, table, rows)

        await self._database.write(operation, hot=False)

    async def close_gaps(self) -> None:
        if not self._database.is_postgresql:
            return
        newest, after = 0, ""
        while page := await self.users(after, PAGE):
            for user in page:
                found = await self._rows_of(user, "bots")
                newest = max([newest, *(int(row["wish_rev"] or 0) for row in found)])
            after = page[-1]
        params = {"newest": newest}
        await self._database.write(lambda session: session.row(_RAISE, params), hot=False)

    async def _rows_of(self, user: UserId, table: str) -> Sequence[CopiedRow]:
        return await self._all(self._database.of(user), _TENANTS[table], {"user_id": user})

    async def _all(
        self, database: Database, table: sa.Table, params: Params
    ) -> Sequence[CopiedRow]:
        text = self._texts.tables[table.name].page
        found: list[CopiedRow] = []
        while True:
            rows = await self._page(database, text, {**params, "skipped": len(found)})
            found += [_plain(row, table) for row in rows]
            if len(rows) < PAGE:
                return found

    async def _page(self, database: Database, text: Statement, params: Params) -> Sequence[Row]:
        page = {**params, "limit": PAGE}
        return await database.rows(text, page, is_long=True)

    async def _forget(self, session: Session, user: UserId) -> None:
        for name in reversed(_TENANTS):
            await session.run(self._texts.tables[name].delete, {"user_id": user})

    async def _insert(self, session: Session, table: str, rows: Sequence[CopiedRow]) -> None:
        text = self._texts.tables[table].insert
        for first in range(0, len(rows), AT_ONCE):
            await session.run_all(text, rows[first : first + AT_ONCE])


def _plain(row: Row, table: sa.Table) -> CopiedRow:
    return {column.name: _cell(row[column.name], column) for column in table.columns}


def _cell(value: object, column: "sa.Column[object]") -> Cell:
    if value is None or isinstance(value, int):
        return value
    if isinstance(column.type, sa.Numeric):
        return f"{Decimal(str(value)):f}"
    return str(value)
