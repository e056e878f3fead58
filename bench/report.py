"""Runs named measurements and drills, and prints one line for each: shared by bench and drills.

A line of `--json` is `{"name", "ok", "figures": {...}, "seconds"}`. The exit status is 1 if one is
not ok and 2 if a name is unknown.
"""

import argparse
import asyncio
import inspect
import json
import sys
import time
import traceback
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import structlog

Figure: TypeAlias = int | float | str | bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a run found: whether it holds, and the measured figures by name (units in the name)."""

    ok: bool = True
    figures: Mapping[str, Figure] = field(default_factory=dict)


Run: TypeAlias = Callable[[], Result | Awaitable[Result]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    title: str
    run: Run


def run_named(registry: Mapping[str, Named], argv: Sequence[str] | None = None) -> int:
    """Run the entries named in `argv` (all, if none is), print each result, return the status."""
    parser = argparse.ArgumentParser(description="Run by name; without a name, everything.")
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    parser.add_argument("--list", action="store_true", help="show the names and stop")
    wanted = parser.parse_args(argv)
    if wanted.list:
        for name, entry in registry.items():
            print(f"{name:<12} {entry.title}")
        return 0
    # Standard output is for the results alone.
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(file=sys.stderr))
    by_lower_name = {name.lower(): name for name in registry}
    unknown = [name for name in wanted.names if name.lower() not in by_lower_name]
    if unknown:
        known = ", ".join(registry) or "none yet"
        print(f"Unknown: {', '.join(unknown)}. Known: {known}", file=sys.stderr)
        return 2
    names = [by_lower_name[name.lower()] for name in wanted.names] or list(registry)
    verdicts = [_report(name, registry[name], as_json=wanted.json) for name in names]
    return 0 if all(verdicts) else 1


def _report(name: str, entry: Named, *, as_json: bool) -> bool:
    started = time.perf_counter()
    try:
        result = _finish(entry.run())
    except Exception as error:  # noqa: BLE001 - one that fails must not hide the results of the others
        traceback.print_exc()
        result = Result(ok=False, figures={"error": f"{type(error).__name__}: {error}"})
    seconds = round(time.perf_counter() - started, 3)
    if as_json:
        line = {"name": name, "ok": result.ok, "figures": dict(result.figures), "seconds": seconds}
        print(json.dumps(line), flush=True)
    else:
        print(f"{name:<12} {'ok' if result.ok else 'FAILED':<7} {seconds:8.2f} s  {entry.title}")
        for figure, value in result.figures.items():
            print(f"{'':<13}{figure} = {value}", flush=True)
    return result.ok


def _finish(outcome: Result | Awaitable[Result]) -> Result:
    if not inspect.isawaitable(outcome):
        return outcome

    async def wait() -> Result:
        return await outcome

    return asyncio.run(wait())
