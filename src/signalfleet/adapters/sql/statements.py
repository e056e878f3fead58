"""Every statement, written once and compiled to text at start for the dialect in use."""

import re
from collections.abc import Sequence
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql.elements import ColumnElement

from signalfleet.adapters.sql.schema import (
    accounts,
    attempts,
    bots,
    channels,
    copies,
    credentials,
    data_keys,
    installation,
    intents,
    messages,
    settings,
    signals,
    slot_fence,
    traces,
    trades,
    users,
    web_sessions,
)

SQLITE: Final[sa.Dialect] = sqlite.dialect(paramstyle="named")
POSTGRESQL: Final[sa.Dialect] = postgresql.dialect(paramstyle="named")  # type: ignore[no-untyped-call]


def _param(name: str) -> sa.BindParameter[Any]:
    return sa.bindparam(name, required=False)


_LIMIT: Final = _param("limit")


def _given(column: sa.Column[Any]) -> ColumnElement[bool]:
    """The column equals the parameter of its own name."""
    return column == _param(column.name)


class Statements:
    """The texts; one attribute per statement, parameters named after the columns."""

    def __init__(self, dialect: sa.Dialect) -> None:
        self._dialect = dialect
        self._insert = postgresql.insert if dialect.name == "postgresql" else sqlite.insert
        self._fleet()
        self._records()
        self._inbox()
        self._journal()
        self._journal_reads()

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
            .where(_given(users.c.user_id), _given(users.c.cell), _given(slot_fence.c.epoch))
            .with_for_update(read=True, of=slot_fence)
        )
        self.get_installation = self._text(sa.select(installation.c.installation_id))
        self.add_installation = self._add(installation)
        self.touch_installation = self._text(
            sa.update(installation).values(installation_id=installation.c.installation_id)
        )
        self.newest_epoch = self._text(
            sa.select(sa.func.coalesce(sa.func.max(slot_fence.c.epoch), 0).label("epoch")).where(
                _given(slot_fence.c.cell)
            )
        )
        claim = self._insert(slot_fence).values(_all(slot_fence))
        self.claim_slot = self._text(
            claim.on_conflict_do_update(
                index_elements=["cell", "slot"],
                set_={"epoch": claim.excluded.epoch, "worker": claim.excluded.worker},
                where=slot_fence.c.epoch < claim.excluded.epoch,
            )
        )
        self.add_user = self._add(users)
        self.get_user = self._get(users, users.c.user_id)
        self.user_by_telegram = self._get(users, users.c.telegram_id)
        self.users_of_slot = self._text(
            sa.select(users.c.user_id)
            .where(_given(users.c.cell), _given(users.c.slot))
            .order_by(users.c.user_id)
        )
        self.wishes_since = self._text(
            sa.select(bots.c.user_id, bots.c.wish_rev)
            .where(bots.c.wish_rev > _param("wish_rev"))
            .where(sa.exists().where(users.c.user_id == bots.c.user_id).where(_given(users.c.cell)))
            .order_by(bots.c.wish_rev)
            .limit(_LIMIT)
        )
        self.put_session = self._put(web_sessions)
        self.get_session = self._get(web_sessions, web_sessions.c.sid_hash)
        self.delete_session = self._text(
            sa.delete(web_sessions).where(_given(web_sessions.c.sid_hash))
        )
        self.attempts = self._get(
            attempts, attempts.c.kind, attempts.c.key, order=[attempts.c.at.desc()]
        )
        self.add_attempt = self._add(attempts)
        self.forget_attempts = self._text(
            sa.delete(attempts).where(_given(attempts.c.kind)).where(attempts.c.at <= _param("at"))
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
            sa.delete(credentials).where(_given(credentials.c.user_id), _given(credentials.c.field))
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

    def _inbox(self) -> None:
        message = (messages.c.user_id, messages.c.chat_id, messages.c.msg_id)
        next_arrival = (
            sa.select(sa.func.coalesce(sa.func.max(messages.c.arrival), 0) + 1)
            .where(messages.c.user_id == _param("owner"))
            .scalar_subquery()
        )
        self.revisions = self._get(messages, *message, order=[messages.c.rev])
        self.add_message = self._text(
            sa.insert(messages).values(_all(messages) | {"arrival": next_arrival})
        )
        self.mark_deleted = self._text(
            sa.update(messages).where(*map(_given, message)).values(deleted_at=_param("deleted_at"))
        )
        self.leave_new = self._text(
            sa.update(messages)
            .where(*map(_given, (*message, messages.c.rev)))
            .where(messages.c.state == "NEW")
            .values({name: _param(name) for name in ("state", "reason")})
        )
        self.unread = self._text(
            sa.select(messages)
            .where(_given(messages.c.user_id), messages.c.state == "NEW")
            .order_by(messages.c.arrival)
            .limit(_LIMIT)
        )
        self.recent_messages = self._text(
            sa.select(messages)
            .where(_given(messages.c.user_id))
            .order_by(messages.c.arrival.desc())
            .limit(_LIMIT)
        )
        self.move_marks = self._replace(channels, "checkpoint", "seen_max", "pts_seen")

    def _journal(self) -> None:
        self.other_entry = self._text(
            sa.select(signals.c.signal_id)
            .where(_given(signals.c.user_id), _given(signals.c.chat_id))
            .where(_given(signals.c.msg_id))
            .where(signals.c.entry_rev != _param("rev"))
            .limit(1)
        )
        self.add_signal = self._add(signals)
        self.add_copy = self._add(copies)
        self.add_trade = self._add(trades)
        self.add_intent = self._add(intents)
        self.add_trace = self._add(traces)
        self.replace_copy = self._replace_row(copies)
        self.replace_trade = self._replace_row(trades)
        self.replace_intent = self._replace_row(intents)
        self.ends_of_copies = self._text(
            sa.select(copies.c.outcome, copies.c.reason).where(
                _given(copies.c.user_id), _given(copies.c.signal_id)
            )
        )
        self.set_outcome = self._replace(signals, "outcome", "reason")

    def _journal_reads(self) -> None:
        by_age = [intents.c.created_at, intents.c.intent_id]
        decided_at = sa.func.coalesce(signals.c.decided_at, 0)
        of_signal = sa.and_(
            signals.c.user_id == trades.c.user_id, signals.c.signal_id == trades.c.signal_id
        )
        found = sa.select(trades).join_from(trades, signals, of_signal, isouter=True)
        mine = found.where(_given(trades.c.user_id))
        inside = (trades.c.signal_id, trades.c.account_id, trades.c.leg)
        live = mine.where(trades.c.state.in_(["OPENING", "PENDING", "OPEN"])).order_by(
            decided_at, *inside
        )
        self.live_trades = self._text(live)
        self.live_trades_of_account = self._text(live.where(_given(trades.c.account_id)))
        self.get_trade = self._get(trades, trades.c.user_id, trades.c.trade_id)
        self.trades_of_signal = self._text(
            mine.where(_given(trades.c.signal_id)).order_by(trades.c.account_id, trades.c.leg)
        )
        self.recent_trades = self._text(mine.order_by(decided_at.desc(), *inside).limit(_LIMIT))
        self.open_intents = self._text(
            sa.select(intents)
            .where(_given(intents.c.user_id))
            .where(intents.c.state.in_(["HELD", "SENDING", "UNKNOWN"]))
            .order_by(*by_age)
        )
        self.get_intent = self._get(intents, intents.c.user_id, intents.c.intent_id)
        self.intents_of_trade = self._get(intents, intents.c.user_id, intents.c.trade_id)
        self.get_signal = self._get(signals, signals.c.user_id, signals.c.signal_id)
        self.signals_of_message = self._get(
            signals,
            signals.c.user_id,
            signals.c.chat_id,
            signals.c.msg_id,
            order=[signals.c.part],
        )
        newest = (signals.c.posted_at.desc(), signals.c.msg_id.desc(), signals.c.part.desc())
        self.recent_signals = self._get(signals, signals.c.user_id, order=newest, limit=True)
        self.recent_signals_of_chat = self._get(
            signals, signals.c.user_id, signals.c.chat_id, order=newest, limit=True
        )
        self.copies_of_signal = self._get(
            copies, copies.c.user_id, copies.c.signal_id, order=[copies.c.account_id]
        )
        self.get_trace = self._get(
            traces, traces.c.user_id, traces.c.chat_id, traces.c.msg_id, traces.c.rev
        )

    def _get(
        self,
        table: sa.Table,
        *keys: sa.Column[Any],
        order: Sequence[ColumnElement[Any]] = (),
        limit: bool = False,
    ) -> str:
        found = sa.select(table).where(*map(_given, keys)).order_by(*order)
        return self._text(found.limit(_LIMIT) if limit else found)

    def _add(self, table: sa.Table, *, without: Sequence[str] = ()) -> str:
        """Insert a row unless its key exists; no row touched means that it does."""
        columns = {name: one for name, one in _all(table).items() if name not in without}
        return self._text(self._insert(table).values(columns).on_conflict_do_nothing())

    def _put(self, table: sa.Table) -> str:
        """Insert a row, or replace the one with its key."""
        insert = self._insert(table).values(_all(table))
        replaced = {name: insert.excluded[name] for name in _beside_key(table)}
        return self._text(
            insert.on_conflict_do_update(
                index_elements=list(table.primary_key.columns), set_=replaced
            )
        )

    def _put_bot(self, *columns: str) -> str:
        """Set columns of the bot's row and make the row if need be; a wish gets a new number."""
        values: dict[str, Any] = {name: _param(name) for name in ("user_id", *columns)}
        if "wish_rev" in columns:
            newest = sa.select(sa.func.coalesce(sa.func.max(bots.c.wish_rev), 0) + 1)
            values["wish_rev"] = newest.scalar_subquery()
        insert = self._insert(bots).values(values)
        return self._text(
            insert.on_conflict_do_update(
                index_elements=["user_id"],
                set_={name: insert.excluded[name] for name in columns},
            )
        )

    def _save(self, table: sa.Table, *columns: str) -> str:
        """Set columns if the row has the version `seen`, and raise the version by one."""
        values: dict[str, Any] = {name: _param(name) for name in columns}
        return self._text(
            sa.update(table)
            .where(*map(_given, table.primary_key.columns))
            .where(table.c.version == _param("seen"))
            .values(values | {"version": table.c.version + 1})
        )

    def _replace(self, table: sa.Table, *columns: str) -> str:
        return self._text(
            sa.update(table)
            .where(*map(_given, table.primary_key.columns))
            .values({name: _param(name) for name in columns})
        )

    def _replace_row(self, table: sa.Table) -> str:
        return self._replace(table, *_beside_key(table))

    def _text(self, statement: sa.ClauseElement) -> str:
        """Compile to text; constants go into it, for a partial index needs to see them."""
        compiled = statement.compile(
            dialect=self._dialect, compile_kwargs={"render_postcompile": True}
        )
        text = str(compiled)
        for name, value in compiled.params.items():
            if value is not None:
                text = re.sub(rf":{name}\b", _constant(value), text)
        return text


def _all(table: sa.Table) -> dict[str, Any]:
    return {column.name: _param(column.name) for column in table.columns}


def _beside_key(table: sa.Table) -> list[str]:
    return [column.name for column in table.columns if not column.primary_key]


def _constant(value: object) -> str:
    if isinstance(value, int):
        return str(int(value))
    if isinstance(value, str) and value.isidentifier():
        return f"'{value}'"
    raise TypeError(f"{value!r} is not a constant of a statement")
