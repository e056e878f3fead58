"""What is of no single user, by the names of the SQL schema and as nodes: for copying a store."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from signalfleet.adapters.firebase.client import Row
from signalfleet.adapters.firebase.database import text, whole
from signalfleet.adapters.firebase.paths import decode_key, path, slot_key
from signalfleet.adapters.firebase.rows import to_json
from signalfleet.ports.store_copy import CopiedRow

IDENTITY: Final = path("installation", "identity")
_ARMING: Final = path("installation", "arming")
Nodes = dict[str, Row]


@dataclass(frozen=True, slots=True)
class Shared:
    """A table that is one collection, or one node; `nodes` gives the whole of it anew."""

    place: str
    cells: Callable[[Mapping[str, Row]], list[CopiedRow]]
    nodes: Callable[[Sequence[CopiedRow]], Nodes]
    is_one: bool = False

    def rows_in(self, found: Row) -> list[CopiedRow]:
        children = {self.place: found} if self.is_one else found
        return self.cells({key: row for key, row in children.items() if isinstance(row, dict)})

    def value_of(self, rows: Sequence[CopiedRow]) -> Row | None:
        nodes = self.nodes(rows)
        value: Row | None = nodes.get(self.place) if self.is_one else {**nodes}
        return value or None


def _fence_cells(found: Mapping[str, Row]) -> list[CopiedRow]:
    made: list[CopiedRow] = []
    for key, row in found.items():
        cell, _, slot = decode_key(key).rpartition("_")
        if slot.isdigit():
            epoch, worker = whole(row, "epoch"), text(row, "worker") or ""
            made.append({"cell": cell, "slot": int(slot), "epoch": epoch, "worker": worker})
    return made


def _fences(rows: Sequence[CopiedRow]) -> Nodes:
    return {
        path(slot_key(str(row["cell"]), int(row["slot"] or 0))): {
            "epoch": row["epoch"],
            "worker": row["worker"],
        }
        for row in rows
    }


def _attempt_cells(found: Mapping[str, Row]) -> list[CopiedRow]:
    made: list[CopiedRow] = []
    for name, row in found.items():
        kind, bar, key = decode_key(name).partition("|")
        times = json.loads(text(row, "times") or "[]")
        made += [{"kind": kind, "key": key, "at": at} for at in times if bar]
    return made


def _attempts(rows: Sequence[CopiedRow]) -> Nodes:
    times: dict[str, list[int]] = {}
    for row in rows:
        times.setdefault(path(f"{row['kind']}|{row['key']}"), []).append(int(row["at"] or 0))
    return {key: {"times": to_json(sorted(some), "attempts")} for key, some in times.items()}


def _departure_cells(found: Mapping[str, Row]) -> list[CopiedRow]:
    return [
        {
            "report_id": decode_key(key),
            "user_id": text(row, "user_id"),
            "begun_at": whole(row, "begun_at"),
            "finished_at": whole(row, "finished_at") if "finished_at" in row else None,
            "steps": text(row, "steps") or "{}",
        }
        for key, row in found.items()
    ]


def _departures(rows: Sequence[CopiedRow]) -> Nodes:
    names = ("user_id", "begun_at", "finished_at", "steps")
    return {
        path(str(row["report_id"])): {name: row[name] for name in names if row[name] is not None}
        for row in rows
    }


def _shredded_cells(found: Mapping[str, Row]) -> list[CopiedRow]:
    return [{"user_id": key, "shredded_at": whole(row, "at")} for key, row in found.items()]


def _shredded(rows: Sequence[CopiedRow]) -> Nodes:
    return {path(str(row["user_id"])): {"at": row["shredded_at"]} for row in rows}


def _arming_cells(found: Mapping[str, Row]) -> list[CopiedRow]:
    return [
        {
            "one": 1,
            "generation": whole(row, "generation"),
            "entries_not_before": whole(row, "not_before"),
        }
        for row in found.values()
    ]


def _arming(rows: Sequence[CopiedRow]) -> Nodes:
    made: Nodes = {}
    for row in rows:
        since = {"not_before": row["entries_not_before"]} if row["entries_not_before"] else {}
        made[_ARMING] = {"generation": row["generation"], **since}
    return made


def _installation_cells(found: Mapping[str, Row]) -> list[CopiedRow]:
    return [{"one": 1, "installation_id": text(row, "installation_id")} for row in found.values()]


def _installation(rows: Sequence[CopiedRow]) -> Nodes:
    known = [row["installation_id"] for row in rows]
    return {IDENTITY: {"installation_id": known[0]}} if known else {}


SHARED: Final[Mapping[str, Shared]] = {
    "slot_fence": Shared("fences", _fence_cells, _fences),
    "attempts": Shared("attempts", _attempt_cells, _attempts),
    "departures": Shared("departures", _departure_cells, _departures),
    "shredded": Shared("shredded", _shredded_cells, _shredded),
    "arming": Shared(_ARMING, _arming_cells, _arming, is_one=True),
    "installation": Shared(IDENTITY, _installation_cells, _installation, is_one=True),
}
"""The last one says that a store is in use."""
