"""The rules of the database as values; `python -m tools.firebase_rules` writes them as a file.

A grant cannot be taken back further down, so nothing is granted at a user's node: each child that
somebody may read or write is named. The Admin SDK passes rules by unless it is started with an
identity; ours always is, so these are a second wall behind the code, and they fence every write.
"""

import json
from typing import Final, TypeAlias

Rules: TypeAlias = "dict[str, str | list[str] | Rules]"

_WORKER: Final = "auth.uid === 'sf-worker'"
_WEB: Final = "auth.uid === 'sf-web'"
_OWN: Final = "auth.uid === $uid"
_EPOCH: Final = "root.child('users/' + $uid + '/bot/epoch').val()"


def _who(*conditions: str) -> str:
    return f"auth != null && ({' || '.join(conditions)})"


_BY_WORKER: Final = _who(_WORKER)
_BY_WEB: Final = _who(_WEB)
_BY_BOTH: Final = _who(_WEB, _WORKER)
_BY_ALL: Final = _who(_OWN, _WEB, _WORKER)
_FENCED: Final = (
    f"{_BY_WORKER} && newData.exists() && newData.child('epoch').val() === {_EPOCH}"
    " && (!data.exists() || newData.child('epoch').val() >= data.child('epoch').val())"
)
_CREATE: Final = "!data.exists() && newData.exists()"
_RISING: Final = "newData.isNumber() && (!data.exists() || newData.val() > data.val())"
_NEXT: Final = (
    "newData.isNumber() && ((!data.exists() && newData.val() === 1)"
    " || newData.val() === data.val() + 1)"
)
_TWO_YEARS_MS: Final = 2 * 365 * 86_400_000


def rules() -> Rules:
    """Return the whole document, as Firebase takes it."""
    return {
        "rules": {
            ".read": "false",
            ".write": "false",
            "installation": _node(_BY_BOTH, _BY_WORKER),
            "directory": {"$uid": _node(_BY_BOTH, _BY_BOTH)},
            "logins": {"$tid": _node(_BY_BOTH, _BY_BOTH)},
            "attempts": {"$id": _node(_BY_BOTH, _BY_BOTH)},
            "departures": _node(_BY_WORKER, _BY_WORKER),
            "slots": {
                ".read": _BY_WORKER,
                "$slot": {
                    "rev": _node(_BY_BOTH, f"{_BY_BOTH} && {_NEXT}"),
                    "$uid": _node(_BY_BOTH, _BY_BOTH),
                },
            },
            "fences": {
                ".read": _BY_WORKER,
                "$slot": {
                    ".write": f"{_BY_WORKER} && newData.child('epoch').isNumber()"
                    " && (!data.exists()"
                    " || newData.child('epoch').val() > data.child('epoch').val())",
                },
            },
            "sessions": {
                ".read": _BY_WEB,
                ".indexOn": ["user_id"],
                "$sid": _node(_BY_WEB, _BY_WEB),
            },
            "tokens": {"$hash": _node(_BY_WEB, _BY_WEB)},
            "shredded": {
                ".read": _BY_WORKER,
                "$uid": {".write": f"{_BY_WORKER} && {_CREATE}"},
            },
            "users": {"$uid": _user()},
        }
    }


def _user() -> Rules:
    return {
        # A user's node may go as a whole, after it was noted that the keys are gone.
        ".write": f"{_BY_WORKER} && !newData.exists() && root.child('shredded/' + $uid).exists()",
        "profile": _node(_BY_ALL, _BY_BOTH),
        "settings": _node(_BY_ALL, _BY_BOTH),
        "channels": _node(_BY_ALL, _BY_BOTH),
        "notifications": _node(_BY_ALL, _BY_BOTH, "number", "unread", "at"),
        "jobs": _node(_BY_ALL, _BY_BOTH),
        "account_info": _node(_BY_ALL, _BY_WORKER),
        "quota": _node(_BY_ALL, _BY_WORKER),
        "trades": _rows(_BY_ALL, _FENCED, "live", "signal", "newest", "client"),
        "signals": _rows(_BY_ALL, _FENCED, "post", "order", "chat_order"),
        "intents": _rows(_BY_BOTH, _FENCED, "open", "trade"),
        "decisions": _rows(_BY_BOTH, _FENCED),
        "inbox": _rows(_BY_BOTH, _FENCED, "new", "arrival"),
        "bot": {
            ".read": _BY_ALL,
            "wish": {".write": _BY_BOTH},
            "halted": {".write": _BY_BOTH},
            "epoch": {".write": f"{_BY_WORKER} && {_RISING}"},
            "state": {".write": f"{_BY_WORKER} && newData.child('epoch').val() === {_EPOCH}"},
            "fence": {
                ".write": f"{_FENCED} && newData.child('seq').isNumber() && (!data.exists()"
                " || newData.child('epoch').val() > data.child('epoch').val()"
                " || newData.child('seq').val() > data.child('seq').val())"
            },
        },
        "events": _rows(
            _BY_ALL,
            f"({_BY_BOTH} && {_CREATE}) || ({_BY_WORKER} && !newData.exists()"
            f" && data.child('at').val() < (now - {_TWO_YEARS_MS}) * 1000)",
            "at",
        ),
        "ledger": _rows(_BY_ALL, f"{_BY_WORKER} && {_CREATE}"),
        "commands": _node(_BY_BOTH, _BY_BOTH),
        # Kept by the web, swept by workers too: pages may run where nothing sweeps.
        "idempotency": {
            **_node(_BY_BOTH, _BY_WEB, "until"),
            "$id": {
                ".write": f"{_BY_WORKER} && !newData.exists()"
                " && data.child('until').val() <= now * 1000"
            },
        },
        "hook_events": _node(_BY_WEB, _BY_WEB),
        "traces": _rows(_BY_ALL, f"({_FENCED}) || ({_BY_WORKER} && !newData.exists())"),
        "snapshots": _node(_BY_ALL, _BY_WORKER),
        "mt5_credentials": _node(_BY_WORKER, _BY_WORKER),
    }


def _node(read: str, write: str, *indexes: str) -> Rules:
    return {".read": read, ".write": write, **_indexed(indexes)}


def _rows(read: str, write: str, *indexes: str) -> Rules:
    """A collection that is read as a whole and written row by row."""
    return {".read": read, **_indexed(indexes), "$id": {".write": write}}


def _indexed(indexes: tuple[str, ...]) -> Rules:
    return {".indexOn": list(indexes)} if indexes else {}


def rules_text() -> str:
    return json.dumps(rules(), indent=2) + "\n"
