"""Put everything that is stored of a user into one archive, without secrets."""

import csv
import io
import json
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from datetime import datetime
from decimal import Decimal
from enum import Enum
from typing import Any, Final

from signalfleet.domain.accounts.audit import AuditRow
from signalfleet.domain.money import Lots, Price
from signalfleet.domain.trading.records import MessageKey, SignalRecord, Trade
from signalfleet.ports.errors import RefusedError
from signalfleet.ports.store import UserProfile, UserStore

MOST_ROWS: Final = 200_000
PAGE: Final = 200
MOST_BYTES: Final = 50 * 1024 * 1024
FORMULA_STARTS: Final = ("=", "+", "-", "@", "\t", "\r", "\0")
INNER_SCOPES: Final = ("hold:", "connect:", "export", "habit:", "notify:")
LEFT_OUT: Final = frozenset({"access_hash", "telegram_id"})
"""Of use to a program that is signed in as the user, and to nobody else."""
README: Final = """\
What SignalFleet holds about you, one file for each kind.

trades.csv is for spreadsheets; all other files are JSON. Times are UTC. Amounts are text, so that
nothing is rounded. Your Telegram session, MetaApi token and the addresses that notices go to are
stored encrypted and never given out; settings.json shows the addresses masked. Texts of messages
that are older than we keep them are empty.
activity.json is a chain: each entry's hash covers the one before it.
"""
TRADE_COLUMNS: Final = (
    *("trade_id", "signal", "account", "symbol", "side", "state", "volume", "volume_open"),
    *("open_price", "stop_loss", "take_profit", "close_price", "profit", "commission", "swap"),
    *("opened_at", "closed_at", "close_reason", "position_id", "order_id"),
)


async def export_account(store: UserStore, profile: UserProfile, now: datetime) -> bytes:
    """Return a ZIP; RefusedError if it would be larger than a browser should be given."""
    files = {
        "README.txt": README,
        **{name: _json(value) for name, value in (await _tables(store, profile, now)).items()},
    }
    trades = await store.journal.recent_trades(limit=MOST_ROWS)
    files["trades.json"] = _json(trades)
    files["trades.csv"] = trades_csv(trades)
    if sum(map(len, files.values())) > MOST_BYTES:
        raise RefusedError("this is more than fits into one download; ask the operator for it")
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            info = zipfile.ZipInfo(f"signalfleet/{name}", now.timetuple()[:6])
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = 0o600 << 16
            archive.writestr(info, text)
    return packed.getvalue()


async def _tables(store: UserStore, profile: UserProfile, now: datetime) -> dict[str, object]:
    accounts = await store.accounts.list()
    signals = await store.journal.recent_signals(limit=MOST_ROWS)
    trades = await store.journal.recent_trades(limit=MOST_ROWS)
    documents = await store.settings.list()
    return {
        "profile.json": {"exported_at": now, **_plain_fields(profile)},
        "bot.json": await store.bot.status(),
        "settings.json": {
            scope: doc for scope, doc in documents.items() if not scope.startswith(INNER_SCOPES)
        },
        "channels.json": await store.channels.list(),
        "accounts.json": [
            {"account": one, "last_seen": await store.accounts.view(one.account_id)}
            for one in accounts
        ],
        "messages.json": await store.inbox.recent(limit=MOST_ROWS),
        "signals.json": signals,
        "copies.json": await store.journal.copies_of_signals([one.signal_id for one in signals]),
        "intents.json": await store.journal.intents_of_trades([one.trade_id for one in trades]),
        "traces.json": await _traces(store, signals),
        "notices.json": await store.notices.recent(limit=MOST_ROWS),
        "activity.json": await all_events(store),
    }


async def _traces(store: UserStore, signals: Sequence[SignalRecord]) -> list[object]:
    found: list[object] = []
    for one in signals:
        key = MessageKey(chat=one.chat, message=one.message, rev=one.entry_rev)
        found.append({"of": key, "steps": await store.journal.trace(key)})
    return found


async def all_events(store: UserStore) -> list[AuditRow]:
    """Return the whole audit trail, oldest first."""
    rows: list[AuditRow] = []
    while True:
        more = await store.events.list(after=rows[-1].seq if rows else 0, limit=PAGE)
        rows.extend(more)
        if len(more) < PAGE:
            return rows


def trades_csv(trades: Iterable[Trade]) -> str:
    """Write trades for a spreadsheet: RFC 4180, and no cell that it would take for a formula."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(TRADE_COLUMNS)
    for trade in trades:
        writer.writerow([_cell(getattr(trade, column)) for column in TRADE_COLUMNS])
    return text.getvalue()


def _cell(value: object) -> str:
    match value:
        case None:
            return ""
        case Decimal():
            return format(value, "f")
        case Price() | Lots():
            return format(value.value, "f")
        case _:
            return _text_cell(str(plain(value)))


def _text_cell(text: str) -> str:
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text


def _json(value: object) -> str:
    return json.dumps(plain(value), ensure_ascii=False, indent=1)


def plain(value: Any) -> Any:  # noqa: ANN401 - whatever is stored, by its type
    """Return a value as JSON can say it, without what is left out."""
    match value:
        case None | bool() | int():
            return value
        case Enum():
            return value.value
        case str():
            return str(value)
        case Decimal():
            return format(value, "f")
        case Price() | Lots():
            return format(value.value, "f")
        case datetime():
            return value.isoformat()
        case Mapping():
            return {str(plain(key)): plain(one) for key, one in value.items()}
        case list() | tuple() | set() | frozenset():
            return [plain(one) for one in value]
        case _ if is_dataclass(value):
            return _plain_fields(value)
        case _:
            return str(value)


def _plain_fields(value: Any) -> dict[str, Any]:  # noqa: ANN401 - any dataclass
    return {
        one.name: plain(getattr(value, one.name))
        for one in fields(value)
        if one.name not in LEFT_OUT
    }
