"""The first schema."""

from typing import Final

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

AMOUNT: Final = sa.Numeric().with_variant(sa.Text(), "sqlite")


def upgrade() -> None:  # lint: allow long-code: a list of tables
    op.create_table(
        "copies",
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("signal_id", sa.Text(), nullable=False),
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("plan", sa.Text(), nullable=False),
        sa.Column("fresh_until", sa.BigInteger(), nullable=True),
        sa.Column("lots", AMOUNT, nullable=False),
        sa.Column("budget", AMOUNT, nullable=False),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("settled_at", sa.BigInteger(), nullable=True),
        sa.CheckConstraint(
            "outcome IN ('FILLED', 'WORKING', 'REJECTED', 'SKIPPED', 'EXPIRED', 'CANCELLED', "
            "'UNKNOWN')",
            name=op.f("ck_copies_outcome"),
        ),
        sa.PrimaryKeyConstraint("user_id", "signal_id", "account_id", name=op.f("pk_copies")),
    )
    op.create_table(
        "installation",
        sa.Column("one", sa.Integer(), nullable=False),
        sa.Column("installation_id", sa.Text(), nullable=False),
        sa.CheckConstraint("one = 1", name=op.f("ck_installation_one")),
        sa.PrimaryKeyConstraint("one", name=op.f("pk_installation")),
    )
    op.create_table(
        "intents",
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("intent_id", sa.Text(), nullable=False),
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("trade_id", sa.Text(), nullable=False),
        sa.Column("lane", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("client_id", sa.Text(), nullable=False),
        sa.Column("request", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("valid_until", sa.BigInteger(), nullable=True),
        sa.Column("waits_for", sa.Text(), nullable=True),
        sa.Column("cancel_wanted", sa.Integer(), nullable=False),
        sa.Column("sending_at", sa.BigInteger(), nullable=True),
        sa.Column("settled_at", sa.BigInteger(), nullable=True),
        sa.Column("order_id", sa.Text(), nullable=True),
        sa.Column("position_id", sa.Text(), nullable=True),
        sa.Column("evidence", sa.Text(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("lane IN ('PROTECTIVE', 'ENTRY')", name=op.f("ck_intents_lane")),
        sa.CheckConstraint(
            "state IN ('HELD', 'SENDING', 'UNKNOWN', 'ACCEPTED', 'REJECTED', 'EXPIRED', "
            "'CANCELLED')",
            name=op.f("ck_intents_state"),
        ),
        sa.PrimaryKeyConstraint("user_id", "intent_id", name=op.f("pk_intents")),
    )
    op.create_index("intents_by_trade", "intents", ["user_id", "trade_id"], unique=False)
    op.create_index(
        "intents_open",
        "intents",
        ["user_id", "state"],
        unique=False,
        sqlite_where=sa.text("state IN ('HELD', 'SENDING', 'UNKNOWN')"),
        postgresql_where=sa.text("state IN ('HELD', 'SENDING', 'UNKNOWN')"),
    )
    op.create_table(
        "messages",
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("chat_id", sa.BigInteger(), nullable=False),
        sa.Column("msg_id", sa.BigInteger(), nullable=False),
        sa.Column("rev", sa.Integer(), nullable=False),
        sa.Column("arrival", sa.BigInteger(), nullable=False),
        sa.Column("content_hash", sa.Text(), nullable=False),
        sa.Column("edited_at", sa.BigInteger(), nullable=False),
        sa.Column("posted_at", sa.BigInteger(), nullable=False),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.Column("via", sa.Text(), nullable=False),
        sa.Column("reply_to", sa.BigInteger(), nullable=True),
        sa.Column("text", sa.Text(), nullable=True),
        sa.Column("attributes", sa.Text(), nullable=False),
        sa.Column("deleted_at", sa.BigInteger(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "state IN ('NEW', 'DONE', 'QUARANTINED')", name=op.f("ck_messages_state")
        ),
        sa.CheckConstraint(
            "via IN ('LIVE', 'REPAIR', 'CONTEXT', 'BACKFILL')", name=op.f("ck_messages_via")
        ),
        sa.PrimaryKeyConstraint("user_id", "chat_id", "msg_id", "rev", name=op.f("pk_messages")),
        sa.UniqueConstraint(
            "user_id",
            "chat_id",
            "msg_id",
            "edited_at",
            "content_hash",
            name=op.f("uq_messages_user_id_chat_id_msg_id_edited_at_content_hash"),
        ),
    )
    op.create_index("messages_by_arrival", "messages", ["user_id", "arrival"], unique=True)
    op.create_index(
        "messages_new",
        "messages",
        ["user_id", "arrival"],
        unique=False,
        sqlite_where=sa.text("state = 'NEW'"),
        postgresql_where=sa.text("state = 'NEW'"),
    )
    op.create_table(
        "signals",
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("signal_id", sa.Text(), nullable=False),
        sa.Column("chat_id", sa.BigInteger(), nullable=False),
        sa.Column("msg_id", sa.BigInteger(), nullable=False),
        sa.Column("part", sa.Integer(), nullable=False),
        sa.Column("entry_rev", sa.Integer(), nullable=False),
        sa.Column("symbol", sa.Text(), nullable=True),
        sa.Column("side", sa.Text(), nullable=False),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("posted_at", sa.BigInteger(), nullable=False),
        sa.Column("decided_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("user_id", "signal_id", name=op.f("pk_signals")),
        sa.UniqueConstraint(
            "user_id",
            "chat_id",
            "msg_id",
            "part",
            name=op.f("uq_signals_user_id_chat_id_msg_id_part"),
        ),
    )
    op.create_index("signals_by_chat", "signals", ["user_id", "chat_id", "posted_at"], unique=False)
    op.create_index("signals_by_time", "signals", ["user_id", "posted_at"], unique=False)
    op.create_table(
        "slot_fence",
        sa.Column("cell", sa.Text(), nullable=False),
        sa.Column("slot", sa.Integer(), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("worker", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("cell", "slot", name=op.f("pk_slot_fence")),
    )
    op.create_table(
        "traces",
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("chat_id", sa.BigInteger(), nullable=False),
        sa.Column("msg_id", sa.BigInteger(), nullable=False),
        sa.Column("rev", sa.Integer(), nullable=False),
        sa.Column("steps", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("user_id", "chat_id", "msg_id", "rev", name=op.f("pk_traces")),
    )
    op.create_table(
        "trades",
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("trade_id", sa.Text(), nullable=False),
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("signal_id", sa.Text(), nullable=False),
        sa.Column("leg", sa.Integer(), nullable=False),
        sa.Column("client_id", sa.Text(), nullable=False),
        sa.Column("magic", sa.BigInteger(), nullable=False),
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("side", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("volume", AMOUNT, nullable=False),
        sa.Column("volume_open", AMOUNT, nullable=False),
        sa.Column("open_price", AMOUNT, nullable=True),
        sa.Column("stop_loss", AMOUNT, nullable=True),
        sa.Column("take_profit", AMOUNT, nullable=True),
        sa.Column("close_price", AMOUNT, nullable=True),
        sa.Column("profit", AMOUNT, nullable=True),
        sa.Column("commission", AMOUNT, nullable=True),
        sa.Column("swap", AMOUNT, nullable=True),
        sa.Column("order_id", sa.Text(), nullable=True),
        sa.Column("position_id", sa.Text(), nullable=True),
        sa.Column("opened_at", sa.BigInteger(), nullable=True),
        sa.Column("closed_at", sa.BigInteger(), nullable=True),
        sa.Column("close_reason", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "state IN ('OPENING', 'PENDING', 'OPEN', 'CLOSED', 'NEVER_OPENED')",
            name=op.f("ck_trades_state"),
        ),
        sa.PrimaryKeyConstraint("user_id", "trade_id", name=op.f("pk_trades")),
        sa.UniqueConstraint(
            "user_id",
            "account_id",
            "client_id",
            name=op.f("uq_trades_user_id_account_id_client_id"),
        ),
    )
    op.create_index(
        "trades_by_signal",
        "trades",
        ["user_id", "signal_id", "account_id", "leg"],
        unique=False,
    )
    op.create_index(
        "trades_live",
        "trades",
        ["user_id", "state", "account_id"],
        unique=False,
        sqlite_where=sa.text("state IN ('OPENING', 'PENDING', 'OPEN')"),
        postgresql_where=sa.text("state IN ('OPENING', 'PENDING', 'OPEN')"),
    )
    op.create_table(
        "users",
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("telegram_id", sa.BigInteger(), nullable=True),
        sa.Column("display_name", sa.Text(), nullable=False),
        sa.Column("tier", sa.Text(), nullable=False),
        sa.Column("timezone", sa.Text(), nullable=False),
        sa.Column("cell", sa.Text(), nullable=False),
        sa.Column("slot", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_users")),
        sa.UniqueConstraint("telegram_id", name=op.f("uq_users_telegram_id")),
    )
    op.create_index("users_by_slot", "users", ["cell", "slot"], unique=False)
    op.create_table(
        "accounts",
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("broker", sa.Text(), nullable=False),
        sa.Column("mode", sa.Text(), nullable=False),
        sa.Column("metaapi_account_id", sa.Text(), nullable=True),
        sa.Column("region", sa.Text(), nullable=True),
        sa.Column("server", sa.Text(), nullable=True),
        sa.Column("login_masked", sa.Text(), nullable=True),
        sa.Column("currency", sa.Text(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("info", sa.Text(), nullable=True),
        sa.Column("synced_at", sa.BigInteger(), nullable=True),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "broker IN ('metaapi', 'mt5_local', 'paper')", name=op.f("ck_accounts_broker")
        ),
        sa.CheckConstraint("mode IN ('PAPER', 'DEMO', 'LIVE')", name=op.f("ck_accounts_mode")),
        sa.ForeignKeyConstraint(["user_id"], ["users.user_id"], name=op.f("fk_accounts_user_id")),
        sa.PrimaryKeyConstraint("user_id", "account_id", name=op.f("pk_accounts")),
    )
    op.create_table(
        "bots",
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("wish", sa.Text(), server_default="OFF", nullable=False),
        sa.Column("wish_rev", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("wish_by", sa.Text(), nullable=True),
        sa.Column("halted", sa.Integer(), server_default="0", nullable=False),
        sa.Column("state", sa.Text(), server_default="OFF", nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("since", sa.BigInteger(), nullable=True),
        sa.Column("retry_at", sa.BigInteger(), nullable=True),
        sa.Column("epoch", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("crashes", sa.Integer(), server_default="0", nullable=False),
        sa.CheckConstraint(
            "state IN ('OFF', 'QUEUED', 'STARTING', 'RUNNING', 'RETRYING', 'SIGN_IN_NEEDED', "
            "'THROTTLED', 'STOPPING', 'QUARANTINED')",
            name=op.f("ck_bots_state"),
        ),
        sa.CheckConstraint("wish IN ('ON', 'OFF')", name=op.f("ck_bots_wish")),
        sa.ForeignKeyConstraint(["user_id"], ["users.user_id"], name=op.f("fk_bots_user_id")),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_bots")),
    )
    op.create_index("bots_by_rev", "bots", ["wish_rev"], unique=False)
    op.create_table(
        "channels",
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("chat_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("access_hash", sa.Text(), nullable=False),
        sa.Column("noforwards", sa.Integer(), nullable=False),
        sa.Column("mode", sa.Text(), nullable=False),
        sa.Column("checkpoint", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("seen_max", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("pts_seen", sa.BigInteger(), nullable=True),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "mode IN ('off', 'paper', 'approve', 'on')", name=op.f("ck_channels_mode")
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.user_id"], name=op.f("fk_channels_user_id")),
        sa.PrimaryKeyConstraint("user_id", "chat_id", name=op.f("pk_channels")),
    )
    op.create_table(
        "credentials",
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("field", sa.Text(), nullable=False),
        sa.Column("key_version", sa.Integer(), nullable=False),
        sa.Column("alg", sa.Text(), nullable=False),
        sa.Column("nonce", sa.Text(), nullable=False),
        sa.Column("ciphertext", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.user_id"], name=op.f("fk_credentials_user_id")
        ),
        sa.PrimaryKeyConstraint("user_id", "field", name=op.f("pk_credentials")),
    )
    op.create_table(
        "data_keys",
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("key_version", sa.Integer(), nullable=False),
        sa.Column("kek_id", sa.Text(), nullable=False),
        sa.Column("wrapped", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.user_id"], name=op.f("fk_data_keys_user_id")),
        sa.PrimaryKeyConstraint("user_id", "key_version", name=op.f("pk_data_keys")),
    )
    op.create_table(
        "settings",
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("doc", sa.Text(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.user_id"], name=op.f("fk_settings_user_id")),
        sa.PrimaryKeyConstraint("user_id", "scope", name=op.f("pk_settings")),
    )
    op.create_table(
        "web_sessions",
        sa.Column("sid_hash", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.user_id"], name=op.f("fk_web_sessions_user_id")
        ),
        sa.PrimaryKeyConstraint("sid_hash", name=op.f("pk_web_sessions")),
    )
    op.create_index("web_sessions_by_user", "web_sessions", ["user_id"], unique=False)
