"""How a statement of the model becomes the text that a driver runs, for either dialect.

PostgreSQL gets each statement twice: for one set of parameters, and for a list of them in one round
trip. There a look-up over all users is a call of a function that may see them all.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final, Protocol

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql.elements import ColumnElement

from signalfleet.adapters.sql.schema import bots

_NAME: Final = re.compile(r"(?<![:\w]):([a-z_]\w*)")
_TYPES: Final[tuple[tuple[type[sa.types.TypeEngine[Any]], str], ...]] = (
    (sa.Text, "text"),
    (sa.BigInteger, "bigint"),
    (sa.Integer, "integer"),
    (sa.Numeric, "numeric"),
)


class Verb(Enum):
    SELECT = "SELECT"
    INSERT = "INSERT"
    UPDATE = "UPDATE"
    DELETE = "DELETE"


@dataclass(frozen=True, slots=True, eq=False)
class Statement:
    """A text and the names of its parameters. `many` takes a list for each of them."""

    text: str
    names: tuple[str, ...] = ()
    verb: Verb = Verb.SELECT
    many: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Lookup:
    """A question about all users, as the function that answers it on PostgreSQL."""

    name: str
    arguments: tuple[str, ...]
    columns: tuple[tuple[str, str], ...]
    body: str
    reads: frozenset[tuple[str, str]]
    """Table and column of all that the function looks at."""


class Texts(Protocol):
    """Makes the texts of one dialect."""

    @property
    def insert(self) -> Callable[[sa.Table], Any]: ...
    @property
    def lookups(self) -> dict[str, Lookup]: ...

    def statement(self, clause: sa.ClauseElement) -> Statement: ...

    def lookup(self, name: str, select: sa.Select[Any]) -> Statement:
        """Make a question that is asked before it is known which user it is about."""
        ...

    def next_wish_rev(self) -> ColumnElement[Any]:
        """Return what is higher than the number of any wish that was ever committed."""
        ...


class SqliteTexts:
    insert = staticmethod(sqlite.insert)
    lookups: Final[dict[str, Lookup]] = {}
    _dialect: Final[sa.Dialect] = sqlite.dialect(paramstyle="named")

    def statement(self, clause: sa.ClauseElement) -> Statement:
        text, kinds = _compiled(clause, self._dialect)
        return Statement(text, tuple(kinds), _verb(text))

    def lookup(self, name: str, select: sa.Select[Any]) -> Statement:  # noqa: ARG002
        return self.statement(select)

    def next_wish_rev(self) -> ColumnElement[Any]:
        newest = sa.select(sa.func.coalesce(sa.func.max(bots.c.wish_rev), 0) + 1)
        return newest.scalar_subquery()


@dataclass(frozen=True, slots=True)
class PostgresqlTexts:
    insert = staticmethod(postgresql.insert)
    _dialect = postgresql.dialect(paramstyle="named")  # type: ignore[no-untyped-call]
    lookups: dict[str, Lookup] = field(default_factory=dict)

    def statement(self, clause: sa.ClauseElement) -> Statement:
        text, kinds = _compiled(clause, self._dialect)
        return Statement(_numbered(text, kinds), tuple(kinds), _verb(text), _many(text, kinds))

    def lookup(self, name: str, select: sa.Select[Any]) -> Statement:
        text, kinds = _compiled(select, self._dialect)
        columns = tuple((one.name, _type_name(one.type)) for one in select.selected_columns)
        self.lookups[name] = Lookup(
            name=name,
            arguments=tuple(kinds.values()),
            columns=columns,
            body=_numbered(text, kinds),
            reads=frozenset(
                (one.table.name, one.name)
                for one in (*sa.sql.visitors.iterate(select), *select.selected_columns)
                if isinstance(one, sa.Column) and isinstance(one.table, sa.Table)
            ),
        )
        called = ", ".join(f":{one}" for one in kinds)
        call = f"SELECT found.* FROM {name}({called}) AS found"  # noqa: S608 - Our own names.
        return Statement(_numbered(call, kinds), tuple(kinds), Verb.SELECT, _many(call, kinds))

    def next_wish_rev(self) -> ColumnElement[Any]:
        # Nobody sees the wishes of all users here, and numbers must be committed in their order.
        return sa.literal_column("sf_next_wish_rev()", sa.BigInteger())


def _compiled(clause: sa.ClauseElement, dialect: sa.Dialect) -> tuple[str, dict[str, str]]:
    """Compile to text and its parameters' types.

    Constants go into the text, for a partial index needs to see them.
    """
    compiled: Any = clause.compile(dialect=dialect, compile_kwargs={"render_postcompile": True})
    text = str(compiled).replace("\n", " ")
    for name, value in compiled.params.items():
        if value is not None:
            text = re.sub(rf":{name}\b", _constant(value), text)
    types = {name: _type_name(bind.type) for name, bind in compiled.binds.items()}
    return text, {name: types[name] for name in dict.fromkeys(_NAME.findall(text))}


def _constant(value: object) -> str:
    if isinstance(value, int):
        return str(int(value))
    if isinstance(value, str) and value.isidentifier():
        return f"'{value}'"
    raise TypeError(f"{value!r} is not a constant of a statement")


def _type_name(kind: sa.types.TypeEngine[Any]) -> str:
    # A limit has no type of its own.
    return next((name for one, name in _TYPES if isinstance(kind, one)), "bigint")


def _verb(text: str) -> Verb:
    return Verb(text.split(maxsplit=1)[0])


def _numbered(text: str, kinds: dict[str, str]) -> str:
    numbers = {name: number for number, name in enumerate(kinds, start=1)}
    return _NAME.sub(lambda found: f"${numbers[found[1]]}::{kinds[found[1]]}", text)


def _many(text: str, kinds: dict[str, str]) -> str | None:
    """Make of a text for one set of parameters one that takes a list for each parameter.

    What was asked for is told apart by `ask`, the place in the lists, counted from 1.
    """
    verb = _verb(text)
    if not kinds or verb is Verb.DELETE or " RETURNING " in text:
        return None
    lists = ", ".join(f"${n}::{kind}[]" for n, kind in enumerate(kinds.values(), start=1))
    names = ", ".join(f'"{name}"' for name in kinds)
    asked = f'unnest({lists}) WITH ORDINALITY AS asked({names}, "ask")'
    text = _NAME.sub(lambda found: f'asked."{found[1]}"', text)
    match verb:
        case Verb.SELECT:
            return f"SELECT asked.ask, found.* FROM {asked}, LATERAL ({text}) AS found"  # noqa: S608
        case Verb.UPDATE:
            head, where, condition = text.partition(" WHERE ")
            return f"{head} FROM {asked}{where}{condition} RETURNING asked.ask" if where else None
        case Verb.INSERT:
            head, _, rest = text.partition(" VALUES (")
            values, _, tail = rest.rpartition(") ON CONFLICT ")
            if not values:
                values, tail = rest.removesuffix(")"), ""
            conflict = f" ON CONFLICT {tail}" if tail else ""
            return f"{head} SELECT {values} FROM {asked}{conflict}"  # noqa: S608 - All of it ours.
