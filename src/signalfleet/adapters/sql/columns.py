"""What tables are made of: columns by their kind, checks and partial indexes."""

from collections.abc import Iterable
from typing import Any, Final

import sqlalchemy as sa

Amount: Final = sa.Numeric().with_variant(sa.Text(), "sqlite")


def column(name: str, kind: type[sa.types.TypeEngine[Any]] = sa.Text) -> sa.Column[Any]:
    return sa.Column(name, kind(), nullable=False)


def maybe(name: str, kind: type[sa.types.TypeEngine[Any]] = sa.Text) -> sa.Column[Any]:
    return sa.Column(name, kind(), nullable=True)


def key(name: str, kind: type[sa.types.TypeEngine[Any]] = sa.Text) -> sa.Column[Any]:
    return sa.Column(name, kind(), primary_key=True, autoincrement=False, nullable=False)


def owner() -> sa.Column[Any]:
    return sa.Column("user_id", sa.Text(), sa.ForeignKey("users.user_id"), primary_key=True)


def amount(name: str, *, nullable: bool = True) -> sa.Column[Any]:
    return sa.Column(name, Amount, nullable=nullable)


def one_of(column: str, words: Iterable[str]) -> sa.CheckConstraint:
    listed = ", ".join(f"'{word}'" for word in words)
    return sa.CheckConstraint(f"{column} IN ({listed})", name=column)


# Before there are statistics SQLite takes the index with the most columns in use, so the state is a
# column of these indexes too, although the condition bounds it already.
def partial(name: str, condition: str, *columns: str) -> sa.Index:
    where = sa.text(condition)
    return sa.Index(name, *columns, sqlite_where=where, postgresql_where=where)
