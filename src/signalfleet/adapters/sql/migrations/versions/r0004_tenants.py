"""Quotas, idempotency keys, the audit trail, departures, and whether this database is armed."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def _owner() -> sa.Column[str]:
    return sa.Column("user_id", sa.Text(), nullable=False)


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=False)


def _number(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), nullable=False)


def upgrade() -> None:  # lint: allow long-code: a list of tables
    op.create_table(
        "events",
        _owner(),
        _number("seq"),
        _number("at"),
        _text("actor"),
        _text("action"),
        _text("about"),
        _text("facts"),
        _text("prev_hash"),
        _text("hash"),
        sa.ForeignKeyConstraint(["user_id"], ["users.user_id"], name=op.f("fk_events_user_id")),
        sa.PrimaryKeyConstraint("user_id", "seq", name=op.f("pk_events")),
    )
    op.create_table(
        "quota_usage",
        _owner(),
        _text("day"),
        _text("kind"),
        sa.Column("used", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.user_id"], name=op.f("fk_quota_usage_user_id")
        ),
        sa.PrimaryKeyConstraint("user_id", "day", "kind", name=op.f("pk_quota_usage")),
    )
    op.create_table(
        "idempotency",
        _owner(),
        _text("key"),
        _text("route"),
        _text("request_hash"),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("body", sa.Text(), nullable=True),
        _number("expires_at"),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.user_id"], name=op.f("fk_idempotency_user_id")
        ),
        sa.PrimaryKeyConstraint("user_id", "key", name=op.f("pk_idempotency")),
    )
    op.create_table(
        "departures",
        _text("report_id"),
        sa.Column("user_id", sa.Text(), nullable=True),
        _number("begun_at"),
        sa.Column("finished_at", sa.BigInteger(), nullable=True),
        _text("steps"),
        sa.PrimaryKeyConstraint("report_id", name=op.f("pk_departures")),
        sa.UniqueConstraint("user_id", name=op.f("uq_departures_user_id")),
    )
    op.create_table(
        "shredded",
        _owner(),
        _number("shredded_at"),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_shredded")),
    )
    op.create_table(
        "arming",
        sa.Column("one", sa.Integer(), nullable=False),
        _number("generation"),
        _number("entries_not_before"),
        sa.CheckConstraint("one = 1", name=op.f("ck_arming_one")),
        sa.PrimaryKeyConstraint("one", name=op.f("pk_arming")),
    )
