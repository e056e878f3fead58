"""The tables, as SQLAlchemy Core metadata: the one model that both dialects are made from.

Times are microseconds UTC. Amounts are NUMERIC, on SQLite canonical text, since its own NUMERIC
affinity would make floats of them. Hot tables have no foreign keys: a claim must not lock users.
"""

from enum import StrEnum
from typing import Any, Final

import sqlalchemy as sa

from signalfleet.domain.accounts.bot_state import BotState
from signalfleet.domain.accounts.notices import NoticeLevel
from signalfleet.domain.trading.intents import IntentState, Lane
from signalfleet.domain.trading.records import CopyOutcome, TradeState
from signalfleet.ports.chat_source import Origin
from signalfleet.ports.store import CopyMode, MessageState

REVISION: Final = "0004"
"""The migration after which there are exactly these tables."""

metadata: Final = sa.MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    }
)

Amount: Final = sa.Numeric().with_variant(sa.Text(), "sqlite")


def _column(name: str, kind: type[sa.types.TypeEngine[Any]] = sa.Text) -> sa.Column[Any]:
    return sa.Column(name, kind(), nullable=False)


def _maybe(name: str, kind: type[sa.types.TypeEngine[Any]] = sa.Text) -> sa.Column[Any]:
    return sa.Column(name, kind(), nullable=True)


def _key(name: str, kind: type[sa.types.TypeEngine[Any]] = sa.Text) -> sa.Column[Any]:
    return sa.Column(name, kind(), primary_key=True, autoincrement=False, nullable=False)


def _owner() -> sa.Column[Any]:
    return sa.Column("user_id", sa.Text(), sa.ForeignKey("users.user_id"), primary_key=True)


def _amount(name: str, *, nullable: bool = True) -> sa.Column[Any]:
    return sa.Column(name, Amount, nullable=nullable)


def _one_of(column: str, words: type[StrEnum]) -> sa.CheckConstraint:
    listed = ", ".join(f"'{word.value}'" for word in words)
    return sa.CheckConstraint(f"{column} IN ({listed})", name=column)


# Before there are statistics SQLite takes the index with the most columns in use, so the state is a
# column of these indexes too, although the condition bounds it already.
def _partial(name: str, condition: str, *columns: str) -> sa.Index:
    where = sa.text(condition)
    return sa.Index(name, *columns, sqlite_where=where, postgresql_where=where)


installation: Final = sa.Table(
    "installation",
    metadata,
    _key("one", sa.Integer),
    _column("installation_id"),
    sa.CheckConstraint("one = 1", name="one"),
)
slot_fence: Final = sa.Table(
    "slot_fence",
    metadata,
    _key("cell"),
    _key("slot", sa.Integer),
    _column("epoch", sa.BigInteger),
    _column("worker"),
)
users: Final = sa.Table(
    "users",
    metadata,
    _key("user_id"),
    sa.Column("telegram_id", sa.BigInteger(), nullable=True, unique=True),
    _column("display_name"),
    _column("tier"),
    _column("timezone"),
    _column("cell"),
    _column("slot", sa.Integer),
    sa.Index("users_by_slot", "cell", "slot"),
)
bots: Final = sa.Table(
    "bots",
    metadata,
    _owner(),
    sa.Column("wish", sa.Text(), nullable=False, server_default="OFF"),
    sa.Column("wish_rev", sa.BigInteger(), nullable=False, server_default="0"),
    _maybe("wish_by"),
    sa.Column("halted", sa.Integer(), nullable=False, server_default="0"),
    sa.Column("state", sa.Text(), nullable=False, server_default="OFF"),
    _maybe("reason"),
    _maybe("since", sa.BigInteger),
    _maybe("retry_at", sa.BigInteger),
    sa.Column("epoch", sa.BigInteger(), nullable=False, server_default="0"),
    sa.Column("crashes", sa.Integer(), nullable=False, server_default="0"),
    _one_of("state", BotState),
    sa.CheckConstraint("wish IN ('ON', 'OFF')", name="wish"),
    sa.Index("bots_by_rev", "wish_rev"),
)
accounts: Final = sa.Table(
    "accounts",
    metadata,
    _owner(),
    _key("account_id"),
    _column("broker"),
    _column("mode"),
    _maybe("metaapi_account_id"),
    _maybe("region"),
    _maybe("server"),
    _maybe("login_masked"),
    _maybe("currency"),
    _column("state"),
    _maybe("info"),
    _maybe("synced_at", sa.BigInteger),
    _column("version", sa.BigInteger),
    sa.CheckConstraint("broker IN ('metaapi', 'mt5_local', 'paper')", name="broker"),
    sa.CheckConstraint("mode IN ('PAPER', 'DEMO', 'LIVE')", name="mode"),
)
channels: Final = sa.Table(
    "channels",
    metadata,
    _owner(),
    _key("chat_id", sa.BigInteger),
    _column("kind"),
    _column("title"),
    _column("access_hash"),
    _column("noforwards", sa.Integer),
    _column("mode"),
    sa.Column("checkpoint", sa.BigInteger(), nullable=False, server_default="0"),
    sa.Column("seen_max", sa.BigInteger(), nullable=False, server_default="0"),
    _maybe("pts_seen", sa.BigInteger),
    _column("version", sa.BigInteger),
    _one_of("mode", CopyMode),
)
settings: Final = sa.Table(
    "settings",
    metadata,
    _owner(),
    _key("scope"),
    _column("doc"),
    _column("version", sa.BigInteger),
)
data_keys: Final = sa.Table(
    "data_keys",
    metadata,
    _owner(),
    _key("key_version", sa.Integer),
    _column("kek_id"),
    _column("wrapped"),
)
credentials: Final = sa.Table(
    "credentials",
    metadata,
    _owner(),
    _key("field"),
    _column("key_version", sa.Integer),
    _column("alg"),
    _column("nonce"),
    _column("ciphertext"),
)
web_sessions: Final = sa.Table(
    "web_sessions",
    metadata,
    _key("sid_hash"),
    sa.Column("user_id", sa.Text(), sa.ForeignKey("users.user_id"), nullable=False),
    _column("created_at", sa.BigInteger),
    _column("expires_at", sa.BigInteger),
    sa.Index("web_sessions_by_user", "user_id"),
)
attempts: Final = sa.Table(
    "attempts",
    metadata,
    _key("kind"),
    _key("key"),
    _key("at", sa.BigInteger),
)
notices: Final = sa.Table(
    "notices",
    metadata,
    _owner(),
    _key("number", sa.BigInteger),
    _column("kind"),
    _column("level"),
    _column("about"),
    _column("facts"),
    _column("at", sa.BigInteger),
    _maybe("read_at", sa.BigInteger),
    _one_of("level", NoticeLevel),
    sa.Index("notices_by_object", "user_id", "kind", "about", "at"),
    _partial("notices_unread", "read_at IS NULL", "user_id", "read_at"),
)
events: Final = sa.Table(
    "events",
    metadata,
    _owner(),
    _key("seq", sa.BigInteger),
    _column("at", sa.BigInteger),
    _column("actor"),
    _column("action"),
    _column("about"),
    _column("facts"),
    _column("prev_hash"),
    _column("hash"),
)
quota_usage: Final = sa.Table(
    "quota_usage",
    metadata,
    _owner(),
    _key("day"),
    _key("kind"),
    _column("used", sa.Integer),
)
idempotency: Final = sa.Table(
    "idempotency",
    metadata,
    _owner(),
    _key("key"),
    _column("route"),
    _column("request_hash"),
    _maybe("status", sa.Integer),
    _maybe("body"),
    _column("expires_at", sa.BigInteger),
)
departures: Final = sa.Table(
    "departures",
    metadata,
    _key("report_id"),
    sa.Column("user_id", sa.Text(), nullable=True, unique=True),
    _column("begun_at", sa.BigInteger),
    _maybe("finished_at", sa.BigInteger),
    _column("steps"),
)
shredded: Final = sa.Table(
    "shredded",
    metadata,
    _key("user_id"),
    _column("shredded_at", sa.BigInteger),
)
arming: Final = sa.Table(
    "arming",
    metadata,
    _key("one", sa.Integer),
    _column("generation", sa.BigInteger),
    _column("entries_not_before", sa.BigInteger),
    sa.CheckConstraint("one = 1", name="one"),
)
messages: Final = sa.Table(
    "messages",
    metadata,
    _key("user_id"),
    _key("chat_id", sa.BigInteger),
    _key("msg_id", sa.BigInteger),
    _key("rev", sa.Integer),
    _column("arrival", sa.BigInteger),
    _column("content_hash"),
    _column("edited_at", sa.BigInteger),
    _column("posted_at", sa.BigInteger),
    _column("received_at", sa.BigInteger),
    _column("via"),
    _maybe("reply_to", sa.BigInteger),
    _maybe("text"),
    _column("attributes"),
    _maybe("deleted_at", sa.BigInteger),
    _column("state"),
    _maybe("reason"),
    _column("epoch", sa.BigInteger),
    _one_of("state", MessageState),
    _one_of("via", Origin),
    sa.UniqueConstraint("user_id", "chat_id", "msg_id", "edited_at", "content_hash"),
    sa.Index("messages_by_arrival", "user_id", "arrival", unique=True),
    _partial("messages_new", "state = 'NEW'", "user_id", "arrival"),
)
signals: Final = sa.Table(
    "signals",
    metadata,
    _key("user_id"),
    _key("signal_id"),
    _column("chat_id", sa.BigInteger),
    _column("msg_id", sa.BigInteger),
    _column("part", sa.Integer),
    _column("entry_rev", sa.Integer),
    _maybe("symbol"),
    _column("side"),
    _column("payload"),
    _maybe("outcome"),
    _maybe("reason"),
    _column("posted_at", sa.BigInteger),
    _column("decided_at", sa.BigInteger),
    sa.UniqueConstraint("user_id", "chat_id", "msg_id", "part"),
    sa.Index("signals_by_time", "user_id", "posted_at"),
    sa.Index("signals_by_chat", "user_id", "chat_id", "posted_at"),
)
copies: Final = sa.Table(
    "copies",
    metadata,
    _key("user_id"),
    _key("signal_id"),
    _key("account_id"),
    _column("plan"),
    _maybe("fresh_until", sa.BigInteger),
    _amount("lots", nullable=False),
    _amount("budget", nullable=False),
    _maybe("outcome"),
    _maybe("reason"),
    _maybe("settled_at", sa.BigInteger),
    _one_of("outcome", CopyOutcome),
)
traces: Final = sa.Table(
    "traces",
    metadata,
    _key("user_id"),
    _key("chat_id", sa.BigInteger),
    _key("msg_id", sa.BigInteger),
    _key("rev", sa.Integer),
    _column("steps"),
)
intents: Final = sa.Table(
    "intents",
    metadata,
    _key("user_id"),
    _key("intent_id"),
    _column("account_id"),
    _column("trade_id"),
    _column("lane"),
    _column("action"),
    _column("cause"),
    _column("client_id"),
    _column("request"),
    _column("state"),
    _maybe("reason"),
    _column("attempt", sa.Integer),
    _column("epoch", sa.BigInteger),
    _maybe("valid_until", sa.BigInteger),
    _maybe("waits_for"),
    _column("cancel_wanted", sa.Integer),
    _maybe("sending_at", sa.BigInteger),
    _maybe("settled_at", sa.BigInteger),
    _maybe("order_id"),
    _maybe("position_id"),
    _maybe("evidence"),
    _column("created_at", sa.BigInteger),
    _one_of("lane", Lane),
    _one_of("state", IntentState),
    _partial("intents_open", "state IN ('HELD', 'SENDING', 'UNKNOWN')", "user_id", "state"),
    sa.Index("intents_by_trade", "user_id", "trade_id"),
)
trades: Final = sa.Table(
    "trades",
    metadata,
    _key("user_id"),
    _key("trade_id"),
    _column("account_id"),
    _column("signal_id"),
    _column("leg", sa.Integer),
    _column("client_id"),
    _column("magic", sa.BigInteger),
    _column("symbol"),
    _column("side"),
    _column("state"),
    _amount("volume", nullable=False),
    _amount("volume_open", nullable=False),
    _amount("open_price"),
    _amount("stop_loss"),
    _amount("take_profit"),
    _amount("close_price"),
    _amount("profit"),
    _amount("commission"),
    _amount("swap"),
    _maybe("order_id"),
    _maybe("position_id"),
    _maybe("opened_at", sa.BigInteger),
    _maybe("closed_at", sa.BigInteger),
    _maybe("close_reason"),
    _one_of("state", TradeState),
    sa.UniqueConstraint("user_id", "account_id", "client_id"),
    _partial(
        "trades_live",
        "state IN ('OPENING', 'PENDING', 'OPEN')",
        "user_id",
        "state",
        "account_id",
    ),
    sa.Index("trades_by_signal", "user_id", "signal_id", "account_id", "leg"),
)

OF_NOBODY: Final = frozenset({"departures", "shredded"})
"""Tables about users who leave: the fleet's, although they name a user."""


def tenant_tables() -> tuple[sa.Table, ...]:
    """Return the tables whose rows belong to one user each, parents first."""
    return tuple(
        table
        for table in metadata.sorted_tables
        if "user_id" in table.columns and table.name not in OF_NOBODY
    )
