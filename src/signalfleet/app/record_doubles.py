"""A second order of one leg: searched for after every doubt, written down, and closed if wished."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

import structlog

from signalfleet.app.desk import AccountDesk
from signalfleet.app.effective_settings import effective_settings
from signalfleet.app.user_desk import UserDesk
from signalfleet.domain import ids
from signalfleet.domain.ids import IntentId
from signalfleet.domain.settings.choices import OnDuplicate
from signalfleet.domain.trading.doubles import Extra, was_in_doubt
from signalfleet.domain.trading.intents import (
    CancelLeg,
    CloseLeg,
    Command,
    Intent,
    IntentState,
    action_of,
)
from signalfleet.domain.trading.records import Trade
from signalfleet.domain.trading.settle import SettleRules

log = structlog.get_logger()

LEFT = "duplicate_left"
"""The user wishes so, or there is nothing of its own to close."""
ENDED = "duplicate_ended"


@dataclass(frozen=True, slots=True, kw_only=True)
class Double:
    """An extra order of a leg and the row that tells of it; to be sent if it is SENDING."""

    trade: Trade
    extra: Extra
    intent: Intent


@dataclass(slots=True)
class Searches:
    """Which ended entries are looked for once more, and when."""

    rules: SettleRules
    _due: dict[IntentId, list[datetime]] = field(default_factory=dict)

    @property
    def intents(self) -> tuple[IntentId, ...]:
        return tuple(self._due)

    def settled(self, intent: Intent) -> None:
        if was_in_doubt(intent) and intent.settled_at is not None:
            due = [intent.settled_at + wait for wait in self.rules.searches]
            self._due.setdefault(intent.intent_id, due)

    def looked(self, begun_at: datetime) -> None:
        """Strike off what a complete look into the history has done."""
        left = {one: [at for at in due if at > begun_at] for one, due in self._due.items()}
        self._due = {one: due for one, due in left.items() if due}

    def next(self) -> datetime | None:
        return min((at for due in self._due.values() for at in due), default=None)

    def is_due(self, now: datetime) -> bool:
        first = self.next()
        return first is not None and first <= now


class RecordDoubles:
    """Turns extras into rows. The row's id names the extra, so each is told and closed once."""

    def __init__(self, desk: UserDesk, account: AccountDesk) -> None:
        self._desk = desk
        self._account = account

    async def run(self, extras: Sequence[Extra], trades: Sequence[Trade]) -> tuple[Double, ...]:
        """Return the extras that no row tells of yet."""
        if not extras:
            return ()
        by_id = {trade.trade_id: trade for trade in trades}
        found = [
            Double(trade=by_id[one.trade], extra=one, intent=await self._row(one, by_id[one.trade]))
            for one in extras
        ]
        rows = [double.intent.intent_id for double in found]
        known = {row.intent_id for row in await self._desk.store.journal.get_intents(rows)}
        news = tuple(double for double in found if double.intent.intent_id not in known)
        for double in news:
            log.error(
                "duplicate_fill_found",
                trade=double.trade.trade_id,
                extra=double.extra.key,
                closing=double.intent.state is IntentState.SENDING,
            )
            self._desk.metrics.count("signalfleet_duplicate_fills_total")
        return news

    async def _row(self, extra: Extra, trade: Trade) -> Intent:
        command: Command = (
            CloseLeg(position_id=extra.position_id)
            if extra.position_id is not None
            else CancelLeg(order_id=extra.order_id)
        )
        cause = f"rec:duplicate:{extra.position_id or extra.order_id}"
        now = self._desk.clock.now()
        reason = await self._reason_to_leave(extra, trade)
        action = action_of(command)
        return Intent(
            intent_id=ids.intent_id(self._desk.user, trade.account, trade.trade_id, action, cause),
            account=trade.account,
            trade=trade.trade_id,
            cause=cause,
            client_id=ids.client_id(self._desk.installation, trade.trade_id, "C99"),
            command=command,
            state=IntentState.SENDING if reason is None else IntentState.CANCELLED,
            attempt=1,
            created_at=now,
            reason=reason,
            settled_at=None if reason is None else now,
        )

    async def _reason_to_leave(self, extra: Extra, trade: Trade) -> str | None:
        """Return why the extra is left alone. Where positions are merged there is none to close."""
        if extra.is_merged:
            return LEFT
        if not extra.is_open:
            return ENDED
        record = await self._desk.store.journal.get_signal(trade.signal)
        if record is None:
            return LEFT
        effective = await effective_settings(
            self._desk, record.chat, self._account.account.account_id
        )
        closes = effective.rules.on_duplicate is OnDuplicate.CLOSE_LATER
        return None if closes else LEFT
