"""One user's nodes to rows by the names of the SQL schema, and back: for copying a store. Pure.

Rows go through the domain's values both ways, so what arrives is what this release understands.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from signalfleet.adapters.firebase.client import Json, Row, as_row, as_rows
from signalfleet.adapters.firebase.copied_trading import (
    copy_cells,
    intent_cells,
    intent_node,
    message_cells,
    message_node,
    signal_cells,
    signal_node,
    trace_cells,
    trace_node,
    trade_cells,
    trade_node,
)
from signalfleet.adapters.firebase.credentials import KEYS, NODE, version_key
from signalfleet.adapters.firebase.database import text, whole
from signalfleet.adapters.firebase.notices import HEAD, REMEMBERED, notice_key
from signalfleet.adapters.firebase.paths import (
    chat_key,
    decode_key,
    encode_key,
    post_key,
)
from signalfleet.adapters.firebase.quota import quota_key
from signalfleet.adapters.firebase.rows import (
    account_text,
    channel_row,
    stored_account,
    stored_channel,
    stored_view,
    to_json,
    to_micros,
    view_text,
)
from signalfleet.adapters.firebase.tenants import event_key, request_key
from signalfleet.domain.accounts.bot_state import BotState
from signalfleet.domain.accounts.notices import NoticeKind, level_of
from signalfleet.domain.ids import ChannelId, MessageId
from signalfleet.ports.store import Account, Channel, CopyMode
from signalfleet.ports.store_copy import Cell, CopiedRow, Tables

Nodes: TypeAlias = dict[str, Row]
"""The rows of one collection by their keys."""


def tables_of(found: Mapping[str, Nodes], bot: Row, wish_rev: int) -> dict[str, list[CopiedRow]]:
    """Return the rows of a user by tables; `found` has the nodes of each collection."""
    tables = {one.table: one.read(found[one.collection]) for one in _KINDS}
    keys = as_rows({**found[NODE].get(KEYS, {})}).values()
    signals = found["signals"].values()
    return {
        **tables,
        "data_keys": [_key_cells(row) for row in keys],
        "signals": list(map(signal_cells, signals)),
        "copies": [one for row in signals for one in copy_cells(row)],
        "trades": list(map(trade_cells, found["trades"].values())),
        "bots": _bot_cells(bot, wish_rev),
    }


def nodes_of(tables: Tables) -> dict[str, Nodes]:
    """Return what these rows become below a user, but for the bot."""
    decided = {row["signal_id"]: _int(row, "decided_at") for row in tables["signals"]}
    copies: dict[object, dict[str, CopiedRow]] = {}
    for row in tables["copies"]:
        copies.setdefault(row["signal_id"], {})[encode_key(str(row["account_id"]))] = row
    nodes = {one.collection: one.written(tables[one.table]) for one in _KINDS}
    keys: Row = {
        version_key(_int(row, "key_version")): _key_node(row) for row in tables["data_keys"]
    }
    if keys:
        nodes[NODE][KEYS] = keys
    if nodes["notifications"]:
        nodes["notifications"][HEAD] = _head(tuple(nodes["notifications"].values()))
    return nodes | {
        "signals": {
            encode_key(str(row["signal_id"])): signal_node(row, copies.get(row["signal_id"], {}))
            for row in tables["signals"]
        },
        "trades": {
            encode_key(str(row["trade_id"])): trade_node(row, decided.get(row["signal_id"], 0))
            for row in tables["trades"]
        },
        "decisions": {_post(row): _claim(row) for row in tables["signals"]},
    }


def bot_node(bots: Sequence[CopiedRow]) -> Row:
    if not bots:
        return {}
    (cells,) = bots
    state: Row = {"state": cells["state"], "crashes": cells["crashes"], "epoch": cells["epoch"]}
    state |= {name: cells[name] for name in _BOT_MAYBE if cells[name] is not None}
    wish: Row = {"on": cells["wish"] == "ON"}
    if cells["wish_by"] is not None:
        wish["by"] = cells["wish_by"]
    node: Row = {"wish": wish, "halted": bool(cells["halted"]), "state": state}
    return {**node, "epoch": cells["epoch"]} if cells["epoch"] else node


_BOT_MAYBE: Final = ("since", "retry_at", "reason")


def _bot_cells(bot: Row, wish_rev: int) -> list[CopiedRow]:
    wish, state = as_row(bot.get("wish")) or {}, as_row(bot.get("state")) or {}
    if not wish and not state and "halted" not in bot:
        return []
    row: CopiedRow = {
        "wish": "ON" if wish.get("on") is True else "OFF",
        "wish_rev": wish_rev,
        "wish_by": text(wish, "by"),
        "halted": int(bot.get("halted") is True),
        "state": text(state, "state") or BotState.OFF.value,
        "reason": text(state, "reason"),
        "since": whole(state, "since") if "since" in state else None,
        "retry_at": whole(state, "retry_at") if "retry_at" in state else None,
        "epoch": whole(state, "epoch"),
        "crashes": whole(state, "crashes"),
    }
    return [row]


def _claim(signal: CopiedRow) -> Row:
    """What is decided stays decided: the claim as it is once its rows are written."""
    rev = signal["entry_rev"]
    return {"entry_rev": rev, f"r{rev}": {"done": True}, "epoch": 0}


@dataclass(frozen=True, slots=True)
class _Kind:
    """A table whose rows are the nodes of one collection, each for itself."""

    table: str
    collection: str
    cells: Callable[[str, Row], CopiedRow | None]
    key: Callable[[CopiedRow], str]
    node: Callable[[CopiedRow], Row]

    def read(self, nodes: Nodes) -> list[CopiedRow]:
        made = (self.cells(key, row) for key, row in nodes.items())
        return [cells for cells in made if cells is not None]

    def written(self, rows: Sequence[CopiedRow]) -> Nodes:
        return {self.key(cells): self.node(cells) for cells in rows}


def _account_cells(_: str, row: Row) -> CopiedRow:
    account, view = stored_account(row), text(row, "view")
    seen = None if view is None else stored_view(view)
    return {
        **{name: getattr(account, name) for name in Account.__slots__},
        "info": None if seen is None else view_text(seen),
        "synced_at": None if seen is None else to_micros(seen.seen_at),
    }


def _account_node(cells: CopiedRow) -> Row:
    fields: dict[str, Any] = {name: cells[name] for name in Account.__slots__}
    account, info = Account(**fields), cells["info"]
    node: Row = {
        "body": account_text(account),
        "version": account.version,
        "broker": account.broker,
        "mode": account.mode,
        "state": account.state,
    }
    return node if info is None else {**node, "view": view_text(stored_view(str(info)))}


def _channel_cells(_: str, row: Row) -> CopiedRow:
    channel = stored_channel(row)
    return {
        "chat_id": channel.chat,
        "kind": channel.kind,
        "title": channel.title,
        "access_hash": str(channel.access_hash),
        "noforwards": int(channel.is_protected),
        "mode": channel.mode.value,
        "checkpoint": channel.checkpoint,
        "seen_max": channel.seen_max,
        "pts_seen": channel.pts_seen,
        "version": channel.version,
    }


def _channel_node(cells: CopiedRow) -> Row:
    pts = cells["pts_seen"]
    channel = Channel(
        chat=ChannelId(_int(cells, "chat_id")),
        kind=str(cells["kind"]),
        title=str(cells["title"]),
        access_hash=_int(cells, "access_hash"),
        mode=CopyMode(str(cells["mode"])),
        checkpoint=_int(cells, "checkpoint"),
        seen_max=_int(cells, "seen_max"),
        pts_seen=None if pts is None else int(pts),
        is_protected=bool(cells["noforwards"]),
        version=_int(cells, "version"),
    )
    return channel_row(channel)


def _settings_cells(_: str, row: Row) -> CopiedRow:
    doc = to_json(json.loads(str(row["doc"])), "settings")
    return {"scope": str(row["scope"]), "doc": doc, "version": whole(row, "version")}


def _settings_node(cells: CopiedRow) -> Row:
    doc = to_json(json.loads(str(cells["doc"])), "settings")
    return {"scope": cells["scope"], "doc": doc, "version": cells["version"]}


def _secret_cells(key: str, row: Row) -> CopiedRow | None:
    if key == KEYS:
        return None
    return {
        "field": str(row["field"]),
        "key_version": whole(row, "key_version"),
        "alg": str(row["algorithm"]),
        "nonce": str(row["nonce"]),
        "ciphertext": str(row["ciphertext"]),
    }


def _secret_node(cells: CopiedRow) -> Row:
    names = ("field", "key_version", "nonce", "ciphertext")
    return {**{name: cells[name] for name in names}, "algorithm": cells["alg"]}


def _key_cells(row: Row) -> CopiedRow:
    return {
        "key_version": whole(row, "key_version"),
        "kek_id": str(row["kek_id"]),
        "wrapped": str(row["wrapped"]),
    }


def _key_node(cells: CopiedRow) -> Row:
    return {name: cells[name] for name in ("key_version", "kek_id", "wrapped")}


def _notice_cells(key: str, row: Row) -> CopiedRow | None:
    if key == HEAD:
        return None
    kind = NoticeKind(str(row["kind"]))
    return {
        "number": whole(row, "number"),
        "kind": kind.value,
        "level": level_of(kind).value,
        "about": str(row.get("about", "")),
        "facts": str(row["facts"]),
        "at": whole(row, "at"),
        "read_at": whole(row, "read_at") if "read_at" in row else None,
    }


def _notice_node(cells: CopiedRow) -> Row:
    node: Row = {name: cells[name] for name in ("number", "kind", "about", "facts", "at")}
    read = cells["read_at"]
    return {**node, "unread": True} if read is None else {**node, "read_at": read}


def _head(notices: Sequence[Row]) -> Row:
    told = sorted(notices, key=lambda row: whole(row, "number"))
    lately: list[Json] = [[row["kind"], row["about"], row["at"]] for row in told[-REMEMBERED:]]
    return {"newest": whole(told[-1], "number"), "lately": to_json(lately, "notices")}


_EVENT: Final = ("seq", "at", "actor", "action", "about", "facts", "prev_hash", "hash")


def _event_cells(_: str, row: Row) -> CopiedRow:
    return {**_same(row, _EVENT), "about": text(row, "about") or ""}


def _event_node(cells: CopiedRow) -> Row:
    return {name: cells[name] for name in _EVENT}


def _quota_cells(key: str, row: Row) -> CopiedRow:
    day, _, kind = decode_key(key).partition("_")
    return {"day": day, "kind": kind, "used": whole(row, "used")}


def _request_cells(_: str, row: Row) -> CopiedRow | None:
    """A key that was given back, or is of a release that kept only its hash, is left behind."""
    key = text(row, "key")
    if key is None or not whole(row, "until"):
        return None
    return {
        "key": key,
        "route": str(row["route"]),
        "request_hash": str(row["hash"]),
        "status": whole(row, "status") if "status" in row else None,
        "body": text(row, "body") or "" if "status" in row else None,
        "expires_at": whole(row, "until"),
    }


def _request_node(cells: CopiedRow) -> Row:
    node: Row = {
        "key": cells["key"],
        "route": cells["route"],
        "hash": cells["request_hash"],
        "until": cells["expires_at"],
    }
    if cells["status"] is None:
        return node
    return {**node, "status": cells["status"], "body": cells["body"] or ""}


def _same(row: Row, names: Sequence[str]) -> dict[str, Cell]:
    """Return children that are words or whole numbers, as they are."""
    return {name: _cell(row[name]) for name in names}


def _cell(value: Json) -> Cell:
    return value if isinstance(value, int) else str(value)


def _int(cells: CopiedRow, name: str) -> int:
    return int(cells[name] or 0)


def _post(cells: CopiedRow) -> str:
    return post_key(ChannelId(_int(cells, "chat_id")), MessageId(_int(cells, "msg_id")))


def _revision(cells: CopiedRow) -> str:
    return f"{_post(cells)}_r{cells['rev']}"


def _named(column: str) -> Callable[[CopiedRow], str]:
    return lambda cells: encode_key(str(cells[column]))


_KINDS: Final = (
    _Kind("accounts", "account_info", _account_cells, _named("account_id"), _account_node),
    _Kind(
        "channels",
        "channels",
        _channel_cells,
        lambda cells: chat_key(ChannelId(_int(cells, "chat_id"))),
        _channel_node,
    ),
    _Kind("settings", "settings", _settings_cells, _named("scope"), _settings_node),
    _Kind("credentials", NODE, _secret_cells, _named("field"), _secret_node),
    _Kind(
        "notices",
        "notifications",
        _notice_cells,
        lambda cells: notice_key(_int(cells, "number")),
        _notice_node,
    ),
    _Kind(
        "events", "events", _event_cells, lambda cells: event_key(_int(cells, "seq")), _event_node
    ),
    _Kind(
        "quota_usage",
        "quota",
        _quota_cells,
        lambda cells: encode_key(quota_key(str(cells["day"]), str(cells["kind"]))),
        lambda cells: {"used": cells["used"]},
    ),
    _Kind(
        "idempotency",
        "idempotency",
        _request_cells,
        lambda cells: request_key(str(cells["key"])),
        _request_node,
    ),
    _Kind("messages", "inbox", lambda _, row: message_cells(row), _revision, message_node),
    _Kind("traces", "traces", trace_cells, _revision, trace_node),
    _Kind("intents", "intents", lambda _, row: intent_cells(row), _named("intent_id"), intent_node),
)
COLLECTIONS: Final = (*(one.collection for one in _KINDS), "signals", "trades")
