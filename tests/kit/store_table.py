"""Which operations of the store port were tried on which store, and how that went.

`python -m tools.store_table` prints it. The stores of the contract suite are wrapped, so a test
need not say what it tries: what it calls is what counts.
"""

import inspect
import os
from collections import defaultdict
from collections.abc import Iterable
from typing import Any, Final, cast

import pytest

from signalfleet.ports.store import Store

PROPERTY: Final = "store operations"
STORES: Final = ("memory", "sqlite", "postgresql", "firebase")
UNVERIFIED: Final = "unverified: needs a real project"
VERIFY: Final = "FIREBASE_TEST_URL=... make test-firebase"


class Calls:
    """The names of operations that the body of a test used."""

    def __init__(self) -> None:
        self.names: set[str] = set()
        self.counts = True


class Watched:
    """A store, or a part of one, that notes which of its methods are called."""

    def __init__(self, target: object, path: str, calls: Calls) -> None:
        self._target = target
        self._path = path
        self._calls = calls

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._target, name)
        path = f"{self._path}.{name}" if self._path else name
        if name == "user" and callable(value):
            return lambda user: Watched(value(user), "user", self._calls)
        if inspect.iscoroutinefunction(value):
            if self._calls.counts:
                self._calls.names.add(path)
            return value
        if name.startswith("_") or isinstance(value, str):
            return value
        return Watched(value, path, self._calls)


def watched(store: Store, calls: Calls) -> Store:
    return cast("Store", Watched(store, "", calls))


def unwatched(store: Store) -> Store:
    return cast("Store", store._target) if isinstance(store, Watched) else store


_outcomes: dict[tuple[str, str], set[str]] = defaultdict(set)
"""By operation and store: the outcomes of the tests that used it."""
_failed: set[str] = set()


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.failed:
        _failed.add(report.nodeid)
    if report.when != "teardown":
        return
    for name, value in report.user_properties:
        if name == PROPERTY:
            store, operations = str(value).split(":", maxsplit=1)
            outcome = "failed" if report.nodeid in _failed else "passed"
            for operation in filter(None, operations.split(",")):
                _outcomes[operation, store].add(outcome)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if not _outcomes:
        return
    operations = sorted({operation for operation, _ in _outcomes})
    if os.environ.get("STORE_TABLE") != "1":
        seen = ", ".join(one for one in STORES if any(store == one for _, store in _outcomes))
        terminalreporter.write_line(
            f"{len(operations)} operations of the store port were tried on {seen}; "
            "`python -m tools.store_table` prints each"
        )
        return
    for line in table_lines(operations):
        terminalreporter.write_line(line)


def table_lines(operations: Iterable[str]) -> Iterable[str]:
    listed = list(operations)
    width = max(map(len, listed))
    cells = [[_cell(one, store) for store in STORES] for one in listed]
    widths = [max(len(name), *(len(row[n]) for row in cells)) for n, name in enumerate(STORES)]
    head = "  ".join(name.ljust(size) for name, size in zip(STORES, widths, strict=True))
    yield f"{'operation'.ljust(width)}  {head}".rstrip()
    for name, row in zip(listed, cells, strict=True):
        line = "  ".join(cell.ljust(size) for cell, size in zip(row, widths, strict=True))
        yield f"{name.ljust(width)}  {line}".rstrip()
    if not os.environ.get("FIREBASE_TEST_URL"):
        yield f"* passed on our own stand-in, {UNVERIFIED}: {VERIFY}"
        yield "UNVERIFIED: Firebase store never ran against the real service"


def _cell(operation: str, store: str) -> str:
    outcomes = _outcomes.get((operation, store))
    if not outcomes:
        return "not tried" if store != "firebase" else UNVERIFIED
    if "failed" in outcomes:
        return "FAILED"
    is_stand_in = store == "firebase" and not os.environ.get("FIREBASE_TEST_URL")
    return "unverified*" if is_stand_in else "passed"
