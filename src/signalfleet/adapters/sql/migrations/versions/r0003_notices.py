"""What users are told."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "notices",
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("level", sa.Text(), nullable=False),
        sa.Column("about", sa.Text(), nullable=False),
        sa.Column("facts", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("read_at", sa.BigInteger(), nullable=True),
        sa.CheckConstraint(
            "level IN ('money', 'attention', 'info')", name=op.f("ck_notices_level")
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.user_id"], name=op.f("fk_notices_user_id")),
        sa.PrimaryKeyConstraint("user_id", "number", name=op.f("pk_notices")),
    )
    op.create_index("notices_by_object", "notices", ["user_id", "kind", "about", "at"])
    where = sa.text("read_at IS NULL")
    op.create_index(
        "notices_unread",
        "notices",
        ["user_id", "read_at"],
        sqlite_where=where,
        postgresql_where=where,
    )
