"""The forms that most statements have. Parameters are named after the columns."""

from collections.abc import Sequence
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.sql.elements import ColumnElement

from signalfleet.adapters.sql.schema import bots
from signalfleet.adapters.sql.texts import Statement, Texts


def param(name: str) -> sa.BindParameter[Any]:
    return sa.bindparam(name, required=False)


def given(column: sa.Column[Any]) -> ColumnElement[bool]:
    """The column equals the parameter of its own name."""
    return column == param(column.name)


def columns_of(table: sa.Table) -> dict[str, Any]:
    return {column.name: param(column.name) for column in table.columns}


def beside_key(table: sa.Table) -> list[str]:
    return [column.name for column in table.columns if not column.primary_key]


LIMIT: Final = param("limit")


class StatementMaker:
    """Makes texts of one dialect."""

    def __init__(self, texts: Texts) -> None:
        self._insert = texts.insert
        self._text = texts.statement
        self._lookup = texts.lookup
        self._next_wish_rev = texts.next_wish_rev()

    def _get(
        self,
        table: sa.Table,
        *keys: sa.Column[Any],
        order: Sequence[ColumnElement[Any]] = (),
        limit: bool = False,
    ) -> Statement:
        found = sa.select(table).where(*map(given, keys)).order_by(*order)
        return self._text(found.limit(LIMIT) if limit else found)

    def _add(self, table: sa.Table, *, without: Sequence[str] = ()) -> Statement:
        """Insert a row unless its key exists; no row touched means that it does."""
        columns = {name: one for name, one in columns_of(table).items() if name not in without}
        return self._text(self._insert(table).values(columns).on_conflict_do_nothing())

    def _put(self, table: sa.Table) -> Statement:
        """Insert a row, or replace the one with its key."""
        insert = self._insert(table).values(columns_of(table))
        replaced = {name: insert.excluded[name] for name in beside_key(table)}
        return self._text(
            insert.on_conflict_do_update(
                index_elements=list(table.primary_key.columns), set_=replaced
            )
        )

    def _put_bot(self, *columns: str) -> Statement:
        """Set columns of the bot's row and make the row if need be; a wish gets a new number."""
        values: dict[str, Any] = {name: param(name) for name in ("user_id", *columns)}
        if "wish_rev" in columns:
            values["wish_rev"] = self._next_wish_rev
        insert = self._insert(bots).values(values)
        return self._text(
            insert.on_conflict_do_update(
                index_elements=["user_id"],
                set_={name: insert.excluded[name] for name in columns},
            )
        )

    def _save(self, table: sa.Table, *columns: str) -> Statement:
        """Set columns if the row has the version `seen`, and raise the version by one."""
        values: dict[str, Any] = {name: param(name) for name in columns}
        return self._text(
            sa.update(table)
            .where(*map(given, table.primary_key.columns))
            .where(table.c.version == param("seen"))
            .values(values | {"version": table.c.version + 1})
        )

    def _replace(self, table: sa.Table, *columns: str) -> Statement:
        return self._text(
            sa.update(table)
            .where(*map(given, table.primary_key.columns))
            .values({name: param(name) for name in columns})
        )

    def _replace_row(self, table: sa.Table) -> Statement:
        return self._replace(table, *beside_key(table))
