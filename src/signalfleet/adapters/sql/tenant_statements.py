"""Statements about quotas, keys of requests, the audit trail, retention and departures."""

from typing import Any

import sqlalchemy as sa

from signalfleet.adapters.sql.schema import (
    arming,
    attempts,
    channels,
    credentials,
    data_keys,
    departures,
    events,
    idempotency,
    messages,
    metadata,
    notices,
    quota_usage,
    settings,
    shredded,
    signals,
    traces,
)
from signalfleet.adapters.sql.statement_maker import LIMIT, StatementMaker, columns_of, given, param
from signalfleet.adapters.sql.texts import Statement


class TenantStatements(StatementMaker):
    """About the rows that tenancy needs."""

    def _tenants(self) -> None:
        self.list_settings = self._get(settings, settings.c.user_id, order=[settings.c.scope])
        self.settings_versions = self._text(
            sa.select(settings.c.scope, settings.c.version).where(given(settings.c.user_id))
        )
        self.list_sealed = self._get(
            credentials, credentials.c.user_id, order=[credentials.c.field]
        )
        self.replace_sealed = self._text(
            sa.update(credentials)
            .where(given(credentials.c.user_id), given(credentials.c.field))
            .where(credentials.c.nonce == param("old_nonce"))
            .where(credentials.c.ciphertext == param("old_ciphertext"))
            .values({name: param(name) for name in ("key_version", "alg", "nonce", "ciphertext")})
        )
        self.list_keys = self._get(data_keys, data_keys.c.user_id, order=[data_keys.c.key_version])
        self.swap_key = self._text(
            sa.update(data_keys)
            .where(given(data_keys.c.user_id), given(data_keys.c.key_version))
            .where(data_keys.c.wrapped == param("old_wrapped"))
            .values(kek_id=param("kek_id"), wrapped=param("wrapped"))
        )
        uses_key = sa.exists().where(
            credentials.c.user_id == data_keys.c.user_id,
            credentials.c.key_version == data_keys.c.key_version,
        )
        self.delete_key = self._text(
            sa.delete(data_keys)
            .where(given(data_keys.c.user_id), given(data_keys.c.key_version))
            .where(~uses_key)
        )
        self._accountability()

    def _accountability(self) -> None:
        self.newest_event = self._get(
            events, events.c.user_id, order=[events.c.seq.desc()], limit=True
        )
        self.add_event = self._text(sa.insert(events).values(columns_of(events)))
        self.events_after = self._text(
            sa.select(events)
            .where(given(events.c.user_id))
            .where(events.c.seq > param("after"))
            .order_by(events.c.seq)
            .limit(LIMIT)
        )
        one = self._insert(quota_usage).values(columns_of(quota_usage))
        self.reserve_quota = self._text(
            one.on_conflict_do_update(
                index_elements=["user_id", "day", "kind"],
                set_={"used": quota_usage.c.used + one.excluded.used},
                where=quota_usage.c.used + one.excluded.used <= LIMIT,
            ).returning(quota_usage.c.used)
        )
        in_quota = (quota_usage.c.user_id, quota_usage.c.day, quota_usage.c.kind)
        self.give_back_quota = self._text(
            sa.update(quota_usage)
            .where(*map(given, in_quota), quota_usage.c.used > 0)
            .values(used=quota_usage.c.used - 1)
        )
        self.get_quota = self._get(quota_usage, *in_quota)
        in_use = (idempotency.c.user_id, idempotency.c.key)
        self.get_idempotency = self._get(idempotency, *in_use)
        self.add_idempotency = self._add(idempotency)
        self.forget_idempotency = self._text(
            sa.delete(idempotency)
            .where(*map(given, in_use))
            .where(idempotency.c.expires_at <= param("at"))
        )
        self.finish_idempotency = self._replace(idempotency, "status", "body")
        self.give_back_idempotency = self._text(
            sa.delete(idempotency).where(*map(given, in_use), idempotency.c.status.is_(None))
        )

    def _departures(self) -> None:
        self.add_departure = self._add(departures)
        self.departure_of = self._get(departures, departures.c.user_id)
        self.get_departure = self._get(departures, departures.c.report_id)
        self.open_departures = self._text(
            sa.select(departures)
            .where(departures.c.finished_at.is_(None))
            .order_by(departures.c.begun_at, departures.c.report_id)
        )
        self.note_departure = self._replace(departures, "steps")
        self.finish_departure = self._text(
            sa.update(departures)
            .where(given(departures.c.report_id))
            .values(user_id=sa.null(), finished_at=param("finished_at"))
        )
        self.shred_keys = self._text(sa.delete(data_keys).where(given(data_keys.c.user_id)))
        self.add_shredded = self._add(shredded)
        self.list_shredded = self._text(sa.select(shredded).order_by(shredded.c.user_id))
        self.put_arming = self._put(arming)
        self.get_arming = self._text(sa.select(arming))
        self.erase_attempts = self._text(
            sa.delete(attempts).where(attempts.c.key == param("user_id"))
        )
        kept = {"departures", "shredded"}
        # Children first, so that no foreign key is in the way.
        self.erase_tables = tuple(
            table.name
            for table in reversed(metadata.sorted_tables)
            if "user_id" in table.c and table.name not in kept
        )
        for name in self.erase_tables:
            table = metadata.tables[name]
            text = self._text(sa.delete(table).where(given(table.c.user_id)))
            setattr(self, f"erase_{name}", text)

    def _retention(self) -> None:
        mine = messages.c.user_id == param("user_id")
        has_signal = sa.exists().where(
            signals.c.user_id == messages.c.user_id,
            signals.c.chat_id == messages.c.chat_id,
            signals.c.msg_id == messages.c.msg_id,
        )
        is_protected = sa.exists().where(
            channels.c.user_id == messages.c.user_id,
            channels.c.chat_id == messages.c.chat_id,
            channels.c.noforwards == 1,
        )
        is_old = sa.or_(
            messages.c.received_at < param("signal_text"),
            sa.and_(
                messages.c.received_at < param("other_text"), sa.or_(~has_signal, is_protected)
            ),
            messages.c.deleted_at < param("deleted_text"),
        )
        address = tuple(messages.primary_key.columns)
        found = sa.select(*address).where(
            mine, messages.c.text.is_not(None), messages.c.state != "NEW", is_old
        )
        self.forget_texts = self._text(
            sa.update(messages)
            .where(sa.tuple_(*address).in_(found.limit(LIMIT)))
            .values(text=sa.null())
        )
        self._old_rows()

    def _old_rows(self) -> None:
        # A trace has no time of its own: that of its message stands for it.
        old_traces = (
            sa.select(*traces.primary_key.columns)
            .join_from(
                traces,
                messages,
                sa.and_(*(one == messages.c[one.name] for one in traces.primary_key.columns)),
            )
            .where(traces.c.user_id == param("user_id"))
            .where(messages.c.received_at < param("traces"))
        )
        self.forget_traces = self._forget(traces, old_traces)
        self.forget_events = self._forget(
            events,
            sa.select(*events.primary_key.columns)
            .where(events.c.user_id == param("user_id"), events.c.at < param("audit"))
            .order_by(events.c.seq),
        )
        self.forget_old_notices = self._forget(
            notices,
            sa.select(*notices.primary_key.columns).where(
                notices.c.user_id == param("user_id"), notices.c.at < param("notices")
            ),
        )
        self.forget_keys_used = self._forget(
            idempotency,
            sa.select(*idempotency.primary_key.columns).where(
                idempotency.c.user_id == param("user_id"),
                idempotency.c.expires_at <= param("now"),
            ),
        )
        self.forget_quotas = self._forget(
            quota_usage,
            sa.select(*quota_usage.primary_key.columns).where(
                quota_usage.c.user_id == param("user_id"),
                quota_usage.c.day < param("quota_day"),
            ),
        )

    def _forget(self, table: sa.Table, found: sa.Select[Any]) -> Statement:
        """Delete at most `limit` of the rows found."""
        address = tuple(table.primary_key.columns)
        return self._text(sa.delete(table).where(sa.tuple_(*address).in_(found.limit(LIMIT))))
