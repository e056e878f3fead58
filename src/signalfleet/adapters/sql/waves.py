"""Operations of many users side by side, statement by statement, on PostgreSQL.

Each operation runs until it asks its session for something. What was asked with the same statement
is answered by one round trip for all. Row-level security keeps users' rows apart, so the order
between users does not matter; operations of one user follow each other.
"""

from collections import deque
from collections.abc import Awaitable, Generator, Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from operator import itemgetter
from typing import Any, Final, Generic, TypeVar

import asyncpg

from signalfleet.adapters.sql.postgresql import Connection
from signalfleet.adapters.sql.session import Operation, Params, Row, Undo
from signalfleet.adapters.sql.texts import Statement, Verb
from signalfleet.adapters.sql.writer import AnyJob

A = TypeVar("A")
T = TypeVar("T")

LOCK: Final = Statement("SELECT pg_advisory_xact_lock(hashtextextended($1::text, 0))", ("name",))


class Want(Enum):
    COUNT = 1
    ROW = 2
    ROWS = 3
    NOTHING = 4


class Unsure(Exception):  # noqa: N818 - Says that the batch must be run in another way.
    """The answer for all together does not tell which of them it is about."""


class Ask(Generic[A]):
    """What an operation waits for."""

    __slots__ = ("params", "sql", "want")

    def __init__(self, want: Want, sql: Statement, params: Sequence[Params]) -> None:
        self.want = want
        self.sql = sql
        self.params = params

    def __await__(self) -> "Generator[Ask[A], A, A]":
        answer: A = yield self
        return answer


class AskingSession:
    """Hands each question to whoever runs the operation."""

    __slots__ = ()

    def run(self, sql: Statement, params: Params) -> Ask[int]:
        return Ask(Want.COUNT, sql, (params,))

    def run_all(self, sql: Statement, params: Sequence[Params]) -> Ask[int]:
        return Ask(Want.COUNT, sql, params)

    def row(self, sql: Statement, params: Params) -> Ask[Row | None]:
        return Ask(Want.ROW, sql, (params,))

    def rows(self, sql: Statement, params: Params) -> Ask[Sequence[Row]]:
        return Ask(Want.ROWS, sql, (params,))

    def rows_of_each(self, sql: Statement, params: Sequence[Params]) -> Ask[Sequence[Row]]:
        return Ask(Want.ROWS, sql, params)

    def lock(self, name: str) -> Ask[None]:
        return Ask(Want.NOTHING, LOCK, ({"name": name},))


SESSION: Final = AskingSession()
Steps = Generator[Any, Any, Any]


def begun(operation: Operation[T]) -> Steps:
    work: Awaitable[T] = operation(SESSION)
    return work.__await__()


async def run_alone(connection: Connection, operation: Operation[T]) -> T:
    """Run one operation to its end inside the open transaction."""
    steps = begun(operation)
    try:
        ask = next(steps)
        while True:
            found = await _one_by_one(connection, ask)
            ask = steps.send(_answer(ask.want, found))
    except StopIteration as end:
        answer: T = end.value
        return answer
    finally:
        steps.close()


@dataclass(slots=True)
class _Run:
    job: AnyJob
    steps: Steps
    ask: Ask[Any] | None = None
    has_written: bool = False


class Wave:
    """Runs jobs side by side; `guilty` are those that must run alone, in another transaction."""

    def __init__(self, connection: Connection, jobs: Iterable[AnyJob]) -> None:
        self._connection = connection
        self._waiting: dict[str, deque[AnyJob]] = {}
        for job in jobs:
            self._waiting.setdefault(str(job.user), deque()).append(job)
        self._runs: list[_Run] = []
        self.guilty: list[AnyJob] = []
        self._asked: list[AnyJob] = []

    @property
    def suspects(self) -> list[AnyJob]:
        """Return the jobs of the statement that was run last."""
        return self._asked

    async def run(self) -> None:
        try:
            for lane in self._waiting.values():
                self._begin(lane.popleft())
            while self._runs:
                for runs in self._groups():
                    await self._serve(runs)
            if self.guilty:
                raise Unsure
        finally:
            for run in self._runs:
                run.steps.close()

    def _groups(self) -> list[list[_Run]]:
        groups: dict[tuple[Statement, Want], list[_Run]] = {}
        for run in self._runs:
            if run.ask is not None:
                groups.setdefault((run.ask.sql, run.ask.want), []).append(run)
        self._runs = []
        return list(groups.values())

    async def _serve(self, runs: list[_Run]) -> None:
        asks = [run.ask for run in runs if run.ask is not None]
        self._asked = [run.job for run in runs]
        answers = await _together(self._connection, asks)
        writes = asks[0].sql.verb is not Verb.SELECT
        for run, answer in zip(runs, answers, strict=True):
            run.has_written = run.has_written or writes
            self._step(run, answer)

    def _begin(self, job: AnyJob) -> None:
        job.answer = job.error = None
        self._step(_Run(job, begun(job.operation)), None)

    def _step(self, run: _Run, answer: object) -> None:
        """Let an operation go on to its next question, or to its end."""
        try:
            run.ask = run.steps.send(answer)
        except StopIteration as end:
            run.job.answer = end.value
        except Undo as e:
            run.job.answer = e.answer
            self._undo(run)
        except Exception as e:  # noqa: BLE001 - It belongs to who asked.
            run.job.error = e
            self._undo(run)
        else:
            self._runs.append(run)
            return
        lane = self._waiting[str(run.job.user)]
        if lane:
            self._begin(lane.popleft())

    def _undo(self, run: _Run) -> None:
        if run.has_written:
            self.guilty.append(run.job)


async def _together(connection: Connection, asks: Sequence[Ask[Any]]) -> list[Any]:
    first = asks[0]
    params = [one for ask in asks for one in ask.params]
    if len(params) < 2 or first.sql.many is None:  # noqa: PLR2004
        return [_answer(ask.want, await _one_by_one(connection, ask)) for ask in asks]
    found = await _fetch_many(connection, first.sql, params)
    if first.sql.verb is Verb.INSERT:
        if found != len(params):
            raise Unsure
        return [len(ask.params) for ask in asks]
    answers: list[list[Row]] = []
    owner: list[list[Row]] = []
    for ask in asks:
        answers.append([])
        owner += [answers[-1]] * len(ask.params)
    for row in found:
        owner[row["ask"] - 1].append(row)
    return [_answer(ask.want, rows) for ask, rows in zip(asks, answers, strict=True)]


def _answer(want: Want, rows: Any) -> object:  # noqa: ANN401 - A count or rows, as was asked.
    match want:
        case Want.COUNT:
            return rows if isinstance(rows, int) else len(rows)
        case Want.ROW:
            return rows[0] if rows else None
        case Want.ROWS:
            return rows
        case Want.NOTHING:
            return None


async def _fetch_many(connection: Connection, sql: Statement, params: Sequence[Params]) -> Any:  # noqa: ANN401 - A count or rows, by the verb.
    text = sql.many or ""
    columns = [[one[name] for one in params] for name in sql.names]
    if sql.verb is Verb.INSERT:
        return _touched(await connection.execute(text, *columns))
    # The planner may turn the order of the lists round; what belongs to one of them keeps its own.
    return sorted(await connection.fetch(text, *columns), key=itemgetter("ask"))


async def _one_by_one(connection: Connection, ask: Ask[Any]) -> Any:  # noqa: ANN401 - As above.
    text, values = ask.sql.text, _values(ask.sql)
    if ask.want is Want.COUNT:
        return sum([_touched(await connection.execute(text, *values(one))) for one in ask.params])
    if len(ask.params) == 1:
        return await connection.fetch(text, *values(ask.params[0]))
    if ask.params and ask.sql.many is not None:
        return await _fetch_many(connection, ask.sql, ask.params)
    return [row for one in ask.params for row in await connection.fetch(text, *values(one))]


def _values(sql: Statement) -> Any:  # noqa: ANN401 - A function from parameters to a tuple.
    if len(sql.names) == 1:
        (name,) = sql.names
        return lambda params: (params[name],)
    return itemgetter(*sql.names) if sql.names else lambda _params: ()


def _touched(status: str) -> int:
    """Return the count of a status such as `INSERT 0 3`."""
    last = status.rpartition(" ")[2]
    return int(last) if last.isdigit() else 0


# The driver calls it its own mistake when the server goes while it waits for an answer.
LOST: Final = (
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    OSError,
    TimeoutError,
)
DRIVER_ERRORS: Final = (asyncpg.PostgresError, *LOST)
