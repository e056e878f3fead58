"""Statements about slots, users, sessions and what a user set up."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.sql.elements import ColumnElement

from signalfleet.adapters.sql.schema import (
    accounts,
    attempts,
    bots,
    channels,
    credentials,
    data_keys,
    installation,
    messages,
    notices,
    settings,
    slot_fence,
    users,
    web_sessions,
)
from signalfleet.adapters.sql.statement_maker import LIMIT, StatementMaker, columns_of, given, param
from signalfleet.ports.fleet_rows import OFTEN_WRITTEN
from signalfleet.ports.inbox import MessageState


class RecordStatements(StatementMaker):
    """About users and what they set up."""

    def _fleet(self) -> None:
        # Locked where rows can be locked, so the epoch cannot rise before our commit. SQLite has
        # one writer at a time, there the look alone is enough.
        self.fence = self._text(
            sa.select(sa.literal_column("1"))
            .select_from(
                users.join(
                    slot_fence,
                    sa.and_(slot_fence.c.cell == users.c.cell, slot_fence.c.slot == users.c.slot),
                )
            )
            .where(given(users.c.user_id), given(users.c.cell), given(slot_fence.c.epoch))
            .with_for_update(read=True, of=slot_fence)
        )
        self.get_installation = self._text(sa.select(installation.c.installation_id))
        self.add_installation = self._add(installation)
        self.touch_installation = self._text(sa.update(installation).values(one=installation.c.one))
        self.slot_epochs = self._text(
            sa.select(slot_fence.c.slot, slot_fence.c.epoch).where(given(slot_fence.c.cell))
        )
        claim = self._insert(slot_fence).values(columns_of(slot_fence))
        self.raise_fence = self._text(
            claim.on_conflict_do_update(
                index_elements=["cell", "slot"],
                set_={"epoch": claim.excluded.epoch, "worker": claim.excluded.worker},
                where=slot_fence.c.epoch < claim.excluded.epoch,
            )
        )
        self.add_user = self._add(users)
        self.get_user = self._get(users, users.c.user_id)
        self.set_tier = self._replace(users, "tier")
        self.user_by_telegram = self._lookup(
            "sf_user_by_telegram", sa.select(users).where(given(users.c.telegram_id))
        )
        self.users_of_slot = self._lookup(
            "sf_users_of_slot",
            sa.select(users.c.user_id)
            .where(given(users.c.cell), given(users.c.slot))
            .order_by(users.c.user_id),
        )
        self.wishes_since = self._lookup(
            "sf_wishes_since",
            sa.select(bots.c.user_id, bots.c.wish_rev)
            .where(bots.c.wish_rev > param("wish_rev"))
            .where(sa.exists().where(users.c.user_id == bots.c.user_id).where(given(users.c.cell)))
            .order_by(bots.c.wish_rev)
            .limit(LIMIT),
        )

    def _marks(self) -> None:
        mine = users.c.user_id
        seldom = [
            sa.func.substr(settings.c.scope, 1, len(name)) != sa.literal_column(f"'{name}'")
            for name in OFTEN_WRITTEN
        ]

        def one(value: ColumnElement[Any], table: sa.Table, *more: ColumnElement[bool]) -> Any:  # noqa: ANN401
            return sa.select(value).where(table.c.user_id == mine, *more).scalar_subquery()

        def total(table: sa.Table, *more: ColumnElement[bool]) -> Any:  # noqa: ANN401
            found = sa.func.coalesce(sa.func.sum(table.c.version), 0)
            return one(sa.cast(found, sa.BigInteger()), table, *more)

        newest = sa.func.coalesce(sa.func.max(accounts.c.account_id), "none", type_=sa.Text())
        count = sa.cast(sa.func.count(channels.c.chat_id), sa.BigInteger())
        # Named columns: who asks on PostgreSQL may not look at the texts.
        unread = sa.select(messages.c.user_id).where(
            messages.c.user_id == mine, messages.c.state == MessageState.NEW.value
        )
        self.marks = self._lookup(
            "sf_marks",
            sa.select(
                users.c.user_id,
                users.c.tier,
                users.c.timezone,
                one(bots.c.wish_rev, bots).label("wish_rev"),
                one(bots.c.halted, bots).label("halted"),
                total(accounts).label("accounts"),
                one(newest, accounts).label("account"),
                total(channels).label("channels"),
                one(count, channels).label("chats"),
                total(settings, *seldom).label("settings"),
                sa.case((unread.exists(), 1), else_=0).label("unread"),
            ).where(
                given(users.c.cell),
                users.c.slot >= param("first"),
                users.c.slot <= param("last"),
            ),
        )

    def _sign_in(self) -> None:
        self.put_session = self._put(web_sessions)
        self.get_session = self._lookup(
            "sf_session", sa.select(web_sessions).where(given(web_sessions.c.sid_hash))
        )
        self.delete_session = self._text(
            sa.delete(web_sessions).where(given(web_sessions.c.sid_hash))
        )
        self.attempts = self._get(
            attempts, attempts.c.kind, attempts.c.key, order=[attempts.c.at.desc()]
        )
        self.add_attempt = self._add(attempts)
        self.forget_attempts = self._text(
            sa.delete(attempts).where(given(attempts.c.kind)).where(attempts.c.at <= param("at"))
        )

    def _records(self) -> None:
        self.list_channels = self._get(channels, channels.c.user_id, order=[channels.c.chat_id])
        self.get_channel = self._get(channels, channels.c.user_id, channels.c.chat_id)
        self.add_channel = self._add(channels, without=("checkpoint", "seen_max", "pts_seen"))
        self.save_channel = self._save(
            channels, "kind", "title", "access_hash", "noforwards", "mode"
        )
        self.list_accounts = self._get(accounts, accounts.c.user_id, order=[accounts.c.account_id])
        self.get_account = self._get(accounts, accounts.c.user_id, accounts.c.account_id)
        self.add_account = self._add(accounts, without=("info", "synced_at"))
        self.save_account = self._save(
            accounts,
            "broker",
            "mode",
            "metaapi_account_id",
            "region",
            "server",
            "login_masked",
            "currency",
            "state",
        )
        self.put_view = self._replace(accounts, "info", "synced_at")
        self.get_settings = self._get(settings, settings.c.user_id, settings.c.scope)
        self.add_settings = self._add(settings)
        self.save_settings = self._save(settings, "doc")
        self.get_sealed = self._get(credentials, credentials.c.user_id, credentials.c.field)
        self.put_sealed = self._put(credentials)
        self.delete_sealed = self._text(
            sa.delete(credentials).where(given(credentials.c.user_id), given(credentials.c.field))
        )
        self.get_key = self._get(data_keys, data_keys.c.user_id, data_keys.c.key_version)
        self.newest_key = self._get(
            data_keys, data_keys.c.user_id, order=[data_keys.c.key_version.desc()], limit=True
        )
        self.add_key = self._add(data_keys)
        self.get_bot = self._get(bots, bots.c.user_id)
        self.set_wish = self._put_bot("wish", "wish_by", "wish_rev")
        self.set_halted = self._put_bot("halted", "wish_rev")
        self.set_state = self._put_bot("state", "reason", "since", "retry_at", "crashes", "epoch")

    def _notices(self) -> None:
        next_number = (
            sa.select(sa.func.coalesce(sa.func.max(notices.c.number), 0) + 1)
            .where(notices.c.user_id == param("owner"))
            .scalar_subquery()
        )
        self.same_notice = self._text(
            sa.select(notices.c.number)
            .where(given(notices.c.user_id), given(notices.c.kind), given(notices.c.about))
            .where(notices.c.at > param("since"))
            .limit(1)
        )
        new = {name: one for name, one in columns_of(notices).items() if name != "read_at"}
        self.add_notice = self._text(sa.insert(notices).values(new | {"number": next_number}))
        newest = (
            sa.select(sa.func.max(notices.c.number))
            .where(notices.c.user_id == param("owner"))
            .scalar_subquery()
        )
        self.forget_notices = self._text(
            sa.delete(notices)
            .where(given(notices.c.user_id))
            .where(notices.c.number <= newest - param("kept"))
        )
        self.recent_notices = self._get(
            notices, notices.c.user_id, order=[notices.c.number.desc()], limit=True
        )
        self.unread_notices = self._text(
            sa.select(sa.func.count().label("unread"))
            .select_from(notices)
            .where(given(notices.c.user_id), notices.c.read_at.is_(None))
        )
        self.read_notices = self._text(
            sa.update(notices)
            .where(given(notices.c.user_id), notices.c.read_at.is_(None))
            .where(notices.c.number <= param("number"))
            .values(read_at=param("read_at"))
        )
