"""What each row of the table of rights allows, written down apart from the rules themselves."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

ME: Final = "u_mfrggzdfmztwq2lk"
OTHER: Final = "u_nbswy3dpo5xxe3de"
NEW: Final = "u_" + "n" * 16
GONE: Final = "u_" + "g" * 16
EPOCH: Final = 5
NOW_MS: Final = 1_800_000_000_000
YEAR_US: Final = 365 * 86_400 * 1_000_000
NOW_US: Final = NOW_MS * 1000

WHO: Final[dict[str, Any]] = {
    "nobody": None,
    "me": {"uid": ME},
    "other": {"uid": OTHER},
    "web": {"uid": "sf-web"},
    "worker": {"uid": "sf-worker"},
    "stranger": {"uid": "sf-admin"},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    who: str
    kind: str
    path: str
    value: Any = None
    allowed: bool

    @property
    def asked(self) -> dict[str, Any]:
        return {"auth": WHO[self.who], "kind": self.kind, "path": self.path, "value": self.value}


def _user(user: str) -> dict[str, Any]:
    row = {"epoch": EPOCH, "body": "x"}
    return {
        "profile": {"display_name": user},
        "settings": {"user": {"doc": "{}", "version": 1}},
        "channels": {"c-100": {"title": "x"}},
        "notifications": {"n1": {"number": 1, "at": NOW_US}},
        "jobs": {"j1": {"state": "x"}},
        "account_info": {"a_1": {"body": "x"}},
        "quota": {"2026-01-01_trades": {"used": 1}},
        "trades": {"T1": row},
        "signals": {"S1": row},
        "intents": {"I1": row},
        "decisions": {"c-100_m1": row},
        "inbox": {"c-100_m1_r0": row},
        "bot": {
            "wish": {"on": True},
            "halted": False,
            "epoch": EPOCH,
            "state": {"state": "RUNNING", "epoch": EPOCH},
            "fence": {"epoch": EPOCH, "seq": 7, "wid": "x"},
        },
        "events": {
            "000000000001": {"at": NOW_US - 3 * YEAR_US, "hash": "x"},
            "000000000002": {"at": NOW_US, "hash": "x"},
        },
        "ledger": {"c-100_1": {"hash": "x"}},
        "commands": {"c1": {"kind": "x"}},
        "idempotency": {
            "k0": {"route": "x", "until": NOW_US - 1_000_000},
            "k1": {"route": "x", "until": NOW_US + YEAR_US},
        },
        "hook_events": {"e1": {"route": "x"}},
        "traces": {"c-100_m1_r0": row},
        "snapshots": {"s1": {"doc": "x"}},
        "mt5_credentials": {"telegram_session": {"ciphertext": "x"}, "_keys": {"v1": {"w": "x"}}},
    }


def root() -> dict[str, Any]:
    """Return the database that all cases start from."""
    return {
        "installation": {"identity": {"installation_id": "in_1"}},
        "directory": {ME: {"shard": 0}, OTHER: {"shard": 0}},
        "logins": {"t1": {"user_id": ME}},
        "attempts": {"a1": {"times": "[]"}},
        "departures": {"r1": {"steps": "{}"}},
        "slots": {"c1_1": {ME: 3, OTHER: 4}, "c1_newest": {"rev": 4}},
        "fences": {"c1_1": {"epoch": EPOCH, "worker": "w"}},
        "sessions": {"s1": {"user_id": ME}},
        "tokens": {"h1": {"user_id": ME}},
        "shredded": {GONE: {"at": 1}},
        "users": {ME: _user(ME), OTHER: _user(OTHER), GONE: _user(GONE)},
    }


ALL: Final = frozenset({"me", "web", "worker"})
BOTH: Final = frozenset({"web", "worker"})
WORKER: Final = frozenset({"worker"})
WEB: Final = frozenset({"web"})
NONE: Final[frozenset[str]] = frozenset()
_WHOLE: Final = {"x": {"x": 1}}
_ROW: Final = {"epoch": EPOCH, "body": "new"}
_MINE: Final = f"users/{ME}"

READS: Final = {
    **dict.fromkeys(("", "users", _MINE, "directory", "logins", "attempts", "tokens"), NONE),
    **dict.fromkeys(("installation", f"directory/{ME}", "logins/t1", "attempts/a1"), BOTH),
    **dict.fromkeys(("slots", "slots/c1_1", "fences/c1_1", "shredded", "departures"), WORKER),
    **dict.fromkeys((f"slots/c1_1/{ME}", "slots/c1_newest/rev"), BOTH),
    **dict.fromkeys(("sessions", "sessions/s1", "tokens/h1"), WEB),
    "fences": WORKER,
    **{
        f"{_MINE}/{name}": ALL
        for name in (
            *("profile", "settings", "channels", "notifications", "jobs", "account_info", "quota"),
            *("trades", "signals", "bot", "events", "ledger", "traces", "snapshots"),
        )
    },
    **{f"{_MINE}/{name}": BOTH for name in ("intents", "decisions", "inbox", "commands")},
    f"{_MINE}/idempotency": BOTH,
    f"{_MINE}/hook_events": WEB,
    f"{_MINE}/mt5_credentials": WORKER,
    f"{_MINE}/mt5_credentials/telegram_session": WORKER,
    f"{_MINE}/mt5_credentials/_keys/v1": WORKER,
}
"""Who may read which node, by design. `other` is a user too, and is in none of these."""

WRITES: Final[dict[str, tuple[Any, frozenset[str]]]] = {
    "installation/proof": ({"layout": 1}, WORKER),
    f"directory/{NEW}": ({"shard": 0}, BOTH),
    "logins/t2": ({"user_id": NEW}, BOTH),
    "attempts/a2": ({"times": "[]"}, BOTH),
    "departures/r2": ({"steps": "{}"}, WORKER),
    f"slots/c1_1/{ME}": (5, BOTH),
    "slots/c1_newest/rev": (5, BOTH),
    "fences/c1_1": ({"epoch": EPOCH + 1, "worker": "w2"}, WORKER),
    "fences/c1_2": ({"epoch": 1, "worker": "w2"}, WORKER),
    "sessions/s2": ({"user_id": ME}, WEB),
    "tokens/h2": ({"user_id": ME}, WEB),
    f"shredded/{ME}": ({"at": 1}, WORKER),
    f"{_MINE}/profile": ({"display_name": "x"}, BOTH),
    f"{_MINE}/settings/user": ({"doc": "{}", "version": 2}, BOTH),
    f"{_MINE}/channels/c-100/title": ("x", BOTH),
    f"{_MINE}/notifications/n2": ({"number": 2}, BOTH),
    f"{_MINE}/jobs/j2": ({"state": "x"}, BOTH),
    f"{_MINE}/account_info/a_1": ({"body": "y"}, WORKER),
    f"{_MINE}/quota/2026-01-02_trades": ({"used": 1}, WORKER),
    f"{_MINE}/bot/wish": ({"on": False}, BOTH),
    f"{_MINE}/bot/halted": (True, BOTH),
    f"{_MINE}/bot/epoch": (EPOCH + 1, WORKER),
    f"{_MINE}/bot/state": ({"state": "OFF", "epoch": EPOCH}, WORKER),
    f"{_MINE}/bot/fence": ({"epoch": EPOCH, "seq": 8, "wid": "y"}, WORKER),
    f"{_MINE}/events/000000000003": ({"at": NOW_US, "hash": "y"}, BOTH),
    f"{_MINE}/ledger/c-100_2": ({"hash": "y"}, WORKER),
    f"{_MINE}/commands/c2": ({"kind": "x"}, BOTH),
    f"{_MINE}/idempotency/k2": ({"route": "x"}, WEB),
    f"{_MINE}/hook_events/e2": ({"route": "x"}, WEB),
    f"{_MINE}/snapshots/s2": ({"doc": "x"}, WORKER),
    f"{_MINE}/mt5_credentials/metaapi_token": ({"ciphertext": "y"}, WORKER),
    f"{_MINE}/mt5_credentials/_keys/v2": ({"w": "y"}, WORKER),
    **{
        f"{_MINE}/{name}/{key}": (_ROW, WORKER)
        for name in ("trades", "signals", "intents", "decisions", "inbox", "traces")
        for key in ("new", *(_user(ME)[name]))
    },
    **dict.fromkeys(
        ("", "users", _MINE, "directory", "slots", "sessions"), ({"x": {"x": 1}}, NONE)
    ),
}
"""Who may write what where, by design."""

FENCED: Final = ("trades", "signals", "intents", "decisions", "inbox", "traces")


def table() -> Iterator[Case]:
    """Every row of the table with every identity, allowed or not."""
    for path, readers in READS.items():
        for who in WHO:
            yield Case(who=who, kind="read", path=path, allowed=who in readers)
    for path, (value, writers) in WRITES.items():
        for who in WHO:
            yield Case(who=who, kind="write", path=path, value=value, allowed=who in writers)


def foreign() -> Iterator[Case]:
    """One user asks for everything of another: reads, lists and writes are denied."""
    theirs = f"users/{OTHER}"
    for path in READS:
        if path.startswith(_MINE):
            place = path.replace(_MINE, theirs)
            yield Case(who="me", kind="read", path=place, allowed=False)
    for path, (value, _) in WRITES.items():
        if path.startswith(_MINE):
            place = path.replace(_MINE, theirs)
            yield Case(who="me", kind="write", path=place, value=value, allowed=False)
    both = {f"users/{ME}/bot/halted": True, f"{theirs}/bot/halted": True}
    yield Case(who="me", kind="update", path="", value=both, allowed=False)


def fenced() -> Iterator[Case]:
    """Neither an old nor a future epoch writes, nothing fenced is deleted, epochs only rise."""
    for name in FENCED:
        for key in ("new", *(_user(ME)[name])):
            for epoch in (EPOCH - 1, EPOCH + 1, None, str(EPOCH)):
                row = {"epoch": epoch, "body": "x"}
                place = f"{_MINE}/{name}/{key}"
                yield Case(who="worker", kind="write", path=place, value=row, allowed=False)
        for who in WHO:
            gone = f"{_MINE}/{name}/{next(iter(_user(ME)[name]))}"
            may = who == "worker" and name == "traces"
            yield Case(who=who, kind="write", path=gone, value=None, allowed=may)
        nobodys = f"users/{NEW}/{name}/new"
        yield Case(who="worker", kind="write", path=nobodys, value=_ROW, allowed=False)
    yield from _falling()
    yield from _as_one_unit()


def _falling() -> Iterator[Case]:
    """An epoch, and the number of a write within it, neither stand still nor fall."""
    for epoch in (EPOCH, EPOCH - 1, 0, str(EPOCH + 1), None, True):
        place = f"{_MINE}/bot/epoch"
        yield Case(who="worker", kind="write", path=place, value=epoch, allowed=False)
        fence = {"epoch": epoch, "worker": "w"}
        yield Case(who="worker", kind="write", path="fences/c1_1", value=fence, allowed=False)
    yield Case(who="worker", kind="write", path="fences/c1_1", value=None, allowed=False)
    for seq, epoch in ((7, EPOCH), (6, EPOCH), (9, EPOCH - 1), (9, EPOCH + 1), ("9", EPOCH)):
        late = {"epoch": epoch, "seq": seq, "wid": "z"}
        place = f"{_MINE}/bot/fence"
        yield Case(who="worker", kind="write", path=place, value=late, allowed=False)
    for epoch in (EPOCH - 1, EPOCH + 1):
        state = {"state": "OFF", "epoch": epoch}
        place = f"{_MINE}/bot/state"
        yield Case(who="worker", kind="write", path=place, value=state, allowed=False)


def _as_one_unit() -> Iterator[Case]:
    """A fenced path in an update takes all others down with it."""
    for epoch, seq, allowed in ((EPOCH, 8, True), (EPOCH - 1, 8, False), (EPOCH, 7, False)):
        values = {
            "channels/c-100/checkpoint": 9,
            "trades/T1": _ROW,
            "bot/fence": {"epoch": epoch, "seq": seq, "wid": "z"},
        }
        yield Case(who="worker", kind="update", path=_MINE, value=values, allowed=allowed)
    for number, allowed in ((5, True), (4, False), (6, False), (3, False)):
        values = {"c1_newest/rev": number, f"c1_1/{ME}": number}
        yield Case(who="web", kind="update", path="slots", value=values, allowed=allowed)
    first = {"c9_newest/rev": 1, f"c9_1/{ME}": 1}
    yield Case(who="web", kind="update", path="slots", value=first, allowed=True)


def kept() -> Iterator[Case]:
    """What was audited neither changes nor vanishes; a user goes only after the keys have."""
    for who in WHO:
        for place in ("events/000000000002", "ledger/c-100_1"):
            for value in ({"at": 1, "hash": "z"}, None):
                path = f"{_MINE}/{place}"
                yield Case(who=who, kind="write", path=path, value=value, allowed=False)
        old = f"{_MINE}/events/000000000001"
        yield Case(who=who, kind="write", path=old, value=None, allowed=who == "worker")
        yield Case(who=who, kind="write", path=old, value={"at": 1}, allowed=False)
        yield Case(who=who, kind="write", path=_MINE, value=None, allowed=False)
        gone = f"users/{GONE}"
        yield Case(who=who, kind="write", path=gone, value=None, allowed=who == "worker")
        again = f"shredded/{GONE}"
        for mark in ({"at": 2}, None):
            yield Case(who=who, kind="write", path=again, value=mark, allowed=False)


def swept() -> Iterator[Case]:
    """Keys of requests are the web's; a worker takes those away that are over."""
    for who in WHO:
        over, valid = f"{_MINE}/idempotency/k0", f"{_MINE}/idempotency/k1"
        yield Case(who=who, kind="write", path=over, value=None, allowed=who in BOTH)
        yield Case(who=who, kind="write", path=valid, value=None, allowed=who in WEB)
        yield Case(who=who, kind="write", path=over, value={"route": "y"}, allowed=who in WEB)
        gone = {"idempotency/k0": None, "idempotency/k1": None}
        yield Case(who=who, kind="update", path=_MINE, value=gone, allowed=who in WEB)


def cases() -> list[Case]:
    return [*table(), *foreign(), *fenced(), *kept(), *swept()]
