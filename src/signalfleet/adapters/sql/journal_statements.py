"""Statements of the inbox and the journal: the hot path and what is read from it."""

from typing import Any

import sqlalchemy as sa

from signalfleet.adapters.sql.schema import (
    NEVER_EDITED,
    channels,
    copies,
    intents,
    messages,
    signals,
    traces,
    trades,
)
from signalfleet.adapters.sql.statement_maker import LIMIT, StatementMaker, columns_of, given, param


class JournalStatements(StatementMaker):
    """About messages, decisions and what becomes of them."""

    def _inbox(self) -> None:
        message = (messages.c.user_id, messages.c.chat_id, messages.c.msg_id)
        next_arrival = (
            sa.select(sa.func.coalesce(sa.func.max(messages.c.arrival), 0) + 1)
            .where(messages.c.user_id == param("owner"))
            .scalar_subquery()
        )
        self.revisions = self._get(messages, *message, order=[messages.c.rev])
        self.add_message = self._text(
            sa.insert(messages).values(columns_of(messages) | {"arrival": next_arrival})
        )
        self.mark_deleted = self._text(
            sa.update(messages).where(*map(given, message)).values(deleted_at=param("deleted_at"))
        )
        leave = (
            sa.update(messages)
            .where(*map(given, (*message, messages.c.rev)))
            .where(messages.c.state == "NEW")
            .values({name: param(name) for name in ("state", "reason")})
        )
        self.leave_new = self._text(leave)
        other_entry = sa.exists().where(
            signals.c.user_id == messages.c.user_id,
            signals.c.chat_id == messages.c.chat_id,
            signals.c.msg_id == messages.c.msg_id,
            signals.c.entry_rev != messages.c.rev,
        )
        self.leave_new_to_enter = self._text(leave.where(~other_entry))
        self.unread = self._text(
            sa.select(messages)
            .where(given(messages.c.user_id), messages.c.state == "NEW")
            .order_by(messages.c.arrival)
            .limit(LIMIT)
        )
        self.protective = self._text(_protective().limit(LIMIT))
        self.recent_messages = self._text(
            sa.select(messages)
            .where(given(messages.c.user_id))
            .order_by(messages.c.arrival.desc())
            .limit(LIMIT)
        )
        self.move_marks = self._replace(channels, "checkpoint", "seen_max", "pts_seen")

    def _journal(self) -> None:
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
                given(copies.c.user_id), given(copies.c.signal_id)
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
        mine = found.where(given(trades.c.user_id))
        inside = (trades.c.signal_id, trades.c.account_id, trades.c.leg)
        live = mine.where(trades.c.state.in_(["OPENING", "PENDING", "OPEN"])).order_by(
            decided_at, *inside
        )
        self.live_trades = self._text(live)
        self.live_trades_of_account = self._text(live.where(given(trades.c.account_id)))
        self.get_trade = self._get(trades, trades.c.user_id, trades.c.trade_id)
        self.trades_of_signal = self._text(
            mine.where(given(trades.c.signal_id)).order_by(trades.c.account_id, trades.c.leg)
        )
        self.recent_trades = self._text(mine.order_by(decided_at.desc(), *inside).limit(LIMIT))
        self.open_intents = self._text(
            sa.select(intents)
            .where(given(intents.c.user_id))
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


def _protective() -> sa.Select[Any]:
    """Select what `Inbox.protective` is asked for, of a user's NEW revisions."""
    may_protect = sa.or_(
        messages.c.edited_at != NEVER_EDITED,
        messages.c.deleted_at.is_not(None),
        messages.c.reply_to.is_not(None),
    )
    new = (given(messages.c.user_id), messages.c.state == "NEW")
    # By the column itself SQLite would read all messages ever, in the order of another index.
    chat = messages.c.chat_id + 0
    entries = (
        sa.select(
            chat.label("chat_id"),
            sa.func.min(messages.c.arrival).label("arrival"),
            sa.func.min(messages.c.msg_id).label("msg_id"),
        )
        .where(*new, ~may_protect)
        .group_by(chat)
        .subquery("entries")
    )
    may_pass = sa.or_(
        entries.c.chat_id.is_(None),
        messages.c.arrival < entries.c.arrival,
        messages.c.reply_to < entries.c.msg_id,
    )
    return (
        sa.select(messages)
        .outerjoin(entries, messages.c.chat_id == entries.c.chat_id)
        .where(*new, may_protect, may_pass)
        .order_by(messages.c.arrival)
    )
