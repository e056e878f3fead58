"""The tables, as SQLAlchemy Core metadata: the one model that both dialects are made from.

Times are microseconds UTC. Amounts are NUMERIC, on SQLite canonical text, since its own NUMERIC
affinity would make floats of them. Hot tables have no foreign keys: a claim must not lock users.
"""

from typing import Final

import sqlalchemy as sa

from signalfleet.adapters.sql.columns import (
    amount,
    column,
    key,
    maybe,
    one_of,
    owner,
    partial,
)
from signalfleet.domain.accounts.bot_state import BotState
from signalfleet.domain.accounts.notices import NoticeLevel
from signalfleet.domain.trading.intents import IntentState, Lane
from signalfleet.domain.trading.records import CopyOutcome, TradeState
from signalfleet.ports.account_words import BROKERS, MODES
from signalfleet.ports.chat_source import Origin
from signalfleet.ports.inbox import MessageState
from signalfleet.ports.store import CopyMode

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

installation: Final = sa.Table(
    "installation",
    metadata,
    key("one", sa.Integer),
    column("installation_id"),
    sa.CheckConstraint("one = 1", name="one"),
)
slot_fence: Final = sa.Table(
    "slot_fence",
    metadata,
    key("cell"),
    key("slot", sa.Integer),
    column("epoch", sa.BigInteger),
    column("worker"),
)
users: Final = sa.Table(
    "users",
    metadata,
    key("user_id"),
    sa.Column("telegram_id", sa.BigInteger(), nullable=True, unique=True),
    column("display_name"),
    column("tier"),
    column("timezone"),
    column("cell"),
    column("slot", sa.Integer),
    sa.Index("users_by_slot", "cell", "slot"),
)
bots: Final = sa.Table(
    "bots",
    metadata,
    owner(),
    sa.Column("wish", sa.Text(), nullable=False, server_default="OFF"),
    sa.Column("wish_rev", sa.BigInteger(), nullable=False, server_default="0"),
    maybe("wish_by"),
    sa.Column("halted", sa.Integer(), nullable=False, server_default="0"),
    sa.Column("state", sa.Text(), nullable=False, server_default="OFF"),
    maybe("reason"),
    maybe("since", sa.BigInteger),
    maybe("retry_at", sa.BigInteger),
    sa.Column("epoch", sa.BigInteger(), nullable=False, server_default="0"),
    sa.Column("crashes", sa.Integer(), nullable=False, server_default="0"),
    one_of("state", BotState),
    sa.CheckConstraint("wish IN ('ON', 'OFF')", name="wish"),
    sa.Index("bots_by_rev", "wish_rev"),
)
accounts: Final = sa.Table(
    "accounts",
    metadata,
    owner(),
    key("account_id"),
    column("broker"),
    column("mode"),
    maybe("metaapi_account_id"),
    maybe("region"),
    maybe("server"),
    maybe("login_masked"),
    maybe("currency"),
    column("state"),
    maybe("info"),
    maybe("synced_at", sa.BigInteger),
    column("version", sa.BigInteger),
    one_of("broker", BROKERS),
    one_of("mode", MODES),
)
channels: Final = sa.Table(
    "channels",
    metadata,
    owner(),
    key("chat_id", sa.BigInteger),
    column("kind"),
    column("title"),
    column("access_hash"),
    column("noforwards", sa.Integer),
    column("mode"),
    sa.Column("checkpoint", sa.BigInteger(), nullable=False, server_default="0"),
    sa.Column("seen_max", sa.BigInteger(), nullable=False, server_default="0"),
    maybe("pts_seen", sa.BigInteger),
    column("version", sa.BigInteger),
    one_of("mode", CopyMode),
)
settings: Final = sa.Table(
    "settings",
    metadata,
    owner(),
    key("scope"),
    column("doc"),
    column("version", sa.BigInteger),
)
data_keys: Final = sa.Table(
    "data_keys",
    metadata,
    owner(),
    key("key_version", sa.Integer),
    column("kek_id"),
    column("wrapped"),
)
credentials: Final = sa.Table(
    "credentials",
    metadata,
    owner(),
    key("field"),
    column("key_version", sa.Integer),
    column("alg"),
    column("nonce"),
    column("ciphertext"),
)
web_sessions: Final = sa.Table(
    "web_sessions",
    metadata,
    key("sid_hash"),
    sa.Column("user_id", sa.Text(), sa.ForeignKey("users.user_id"), nullable=False),
    column("created_at", sa.BigInteger),
    column("expires_at", sa.BigInteger),
    sa.Index("web_sessions_by_user", "user_id"),
)
attempts: Final = sa.Table(
    "attempts",
    metadata,
    key("kind"),
    key("key"),
    key("at", sa.BigInteger),
)
notices: Final = sa.Table(
    "notices",
    metadata,
    owner(),
    key("number", sa.BigInteger),
    column("kind"),
    column("level"),
    column("about"),
    column("facts"),
    column("at", sa.BigInteger),
    maybe("read_at", sa.BigInteger),
    one_of("level", NoticeLevel),
    sa.Index("notices_by_object", "user_id", "kind", "about", "at"),
    partial("notices_unread", "read_at IS NULL", "user_id", "read_at"),
)
events: Final = sa.Table(
    "events",
    metadata,
    owner(),
    key("seq", sa.BigInteger),
    column("at", sa.BigInteger),
    column("actor"),
    column("action"),
    column("about"),
    column("facts"),
    column("prev_hash"),
    column("hash"),
)
quota_usage: Final = sa.Table(
    "quota_usage",
    metadata,
    owner(),
    key("day"),
    key("kind"),
    column("used", sa.Integer),
)
idempotency: Final = sa.Table(
    "idempotency",
    metadata,
    owner(),
    key("key"),
    column("route"),
    column("request_hash"),
    maybe("status", sa.Integer),
    maybe("body"),
    column("expires_at", sa.BigInteger),
)
departures: Final = sa.Table(
    "departures",
    metadata,
    key("report_id"),
    sa.Column("user_id", sa.Text(), nullable=True, unique=True),
    column("begun_at", sa.BigInteger),
    maybe("finished_at", sa.BigInteger),
    column("steps"),
)
shredded: Final = sa.Table(
    "shredded",
    metadata,
    key("user_id"),
    column("shredded_at", sa.BigInteger),
)
arming: Final = sa.Table(
    "arming",
    metadata,
    key("one", sa.Integer),
    column("generation", sa.BigInteger),
    column("entries_not_before", sa.BigInteger),
    sa.CheckConstraint("one = 1", name="one"),
)
NEVER_EDITED: Final = 0
"""A key takes no NULL."""
messages: Final = sa.Table(
    "messages",
    metadata,
    key("user_id"),
    key("chat_id", sa.BigInteger),
    key("msg_id", sa.BigInteger),
    key("rev", sa.Integer),
    column("arrival", sa.BigInteger),
    column("content_hash"),
    column("edited_at", sa.BigInteger),
    column("posted_at", sa.BigInteger),
    column("received_at", sa.BigInteger),
    column("via"),
    maybe("reply_to", sa.BigInteger),
    maybe("text"),
    column("attributes"),
    maybe("deleted_at", sa.BigInteger),
    column("state"),
    maybe("reason"),
    column("epoch", sa.BigInteger),
    one_of("state", MessageState),
    one_of("via", Origin),
    sa.UniqueConstraint("user_id", "chat_id", "msg_id", "edited_at", "content_hash"),
    sa.Index("messages_by_arrival", "user_id", "arrival", unique=True),
    partial("messages_new", "state = 'NEW'", "user_id", "arrival"),
)
signals: Final = sa.Table(
    "signals",
    metadata,
    key("user_id"),
    key("signal_id"),
    column("chat_id", sa.BigInteger),
    column("msg_id", sa.BigInteger),
    column("part", sa.Integer),
    column("entry_rev", sa.Integer),
    maybe("symbol"),
    column("side"),
    column("payload"),
    maybe("outcome"),
    maybe("reason"),
    column("posted_at", sa.BigInteger),
    column("decided_at", sa.BigInteger),
    sa.UniqueConstraint("user_id", "chat_id", "msg_id", "part"),
    sa.Index("signals_by_time", "user_id", "posted_at"),
    sa.Index("signals_by_chat", "user_id", "chat_id", "posted_at"),
)
copies: Final = sa.Table(
    "copies",
    metadata,
    key("user_id"),
    key("signal_id"),
    key("account_id"),
    column("plan"),
    maybe("fresh_until", sa.BigInteger),
    amount("lots", nullable=False),
    amount("budget", nullable=False),
    maybe("outcome"),
    maybe("reason"),
    maybe("settled_at", sa.BigInteger),
    one_of("outcome", CopyOutcome),
)
traces: Final = sa.Table(
    "traces",
    metadata,
    key("user_id"),
    key("chat_id", sa.BigInteger),
    key("msg_id", sa.BigInteger),
    key("rev", sa.Integer),
    column("steps"),
)
intents: Final = sa.Table(
    "intents",
    metadata,
    key("user_id"),
    key("intent_id"),
    column("account_id"),
    column("trade_id"),
    column("lane"),
    column("action"),
    column("cause"),
    column("client_id"),
    column("request"),
    column("state"),
    maybe("reason"),
    column("attempt", sa.Integer),
    column("epoch", sa.BigInteger),
    maybe("valid_until", sa.BigInteger),
    maybe("waits_for"),
    column("cancel_wanted", sa.Integer),
    maybe("sending_at", sa.BigInteger),
    maybe("settled_at", sa.BigInteger),
    maybe("order_id"),
    maybe("position_id"),
    maybe("evidence"),
    column("created_at", sa.BigInteger),
    one_of("lane", Lane),
    one_of("state", IntentState),
    partial("intents_open", "state IN ('HELD', 'SENDING', 'UNKNOWN')", "user_id", "state"),
    sa.Index("intents_by_trade", "user_id", "trade_id"),
)
trades: Final = sa.Table(
    "trades",
    metadata,
    key("user_id"),
    key("trade_id"),
    column("account_id"),
    column("signal_id"),
    column("leg", sa.Integer),
    column("client_id"),
    column("magic", sa.BigInteger),
    column("symbol"),
    column("side"),
    column("state"),
    amount("volume", nullable=False),
    amount("volume_open", nullable=False),
    amount("open_price"),
    amount("stop_loss"),
    amount("take_profit"),
    amount("close_price"),
    amount("profit"),
    amount("commission"),
    amount("swap"),
    maybe("order_id"),
    maybe("position_id"),
    maybe("opened_at", sa.BigInteger),
    maybe("closed_at", sa.BigInteger),
    maybe("close_reason"),
    one_of("state", TradeState),
    sa.UniqueConstraint("user_id", "account_id", "client_id"),
    partial(
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
