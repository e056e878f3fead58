"""Orders of one account whose outcome is unknown: how old they are, and the alarm for each."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta

import structlog

from signalfleet.app.user_desk import UserDesk
from signalfleet.domain.accounts.notices import NoticeKind
from signalfleet.domain.ids import IntentId
from signalfleet.domain.trading.intents import Intent

log = structlog.get_logger()


class UnknownOrders:
    """Keeps when each was sent. The user hears of one that lasts too long, once."""

    def __init__(
        self,
        desk: UserDesk,
        notify: Callable[[NoticeKind, str, Mapping[str, object]], Awaitable[None]],
    ) -> None:
        self._desk = desk
        self._notify = notify
        self._since: dict[IntentId, datetime] = {}
        self._told: set[IntentId] = set()

    def __bool__(self) -> bool:
        return bool(self._since)

    def add(self, intent: Intent, sent_at: datetime) -> None:
        self._since[intent.intent_id] = sent_at

    def age(self) -> timedelta:
        """Return the age of the oldest one; zero if there is none."""
        now = self._desk.clock.now()
        return max((now - since for since in self._since.values()), default=timedelta(0))

    def seen(self, unknown: Sequence[Intent]) -> None:
        """Take over which are unknown after a look."""
        now = self._desk.clock.now()
        self._since = {
            one.intent_id: self._since.get(one.intent_id, one.sending_at or now) for one in unknown
        }
        self._told &= set(self._since)

    async def raise_alarms(self) -> None:
        """Tell of each that lasts too long."""
        now, limit = self._desk.clock.now(), self._desk.settle_rules.alarm_after
        late = {one: now - since for one, since in self._since.items() if now - since >= limit}
        for number in sorted(late.keys() - self._told):
            self._told.add(number)
            age = round(late[number].total_seconds())
            log.error("order_unknown_for_long", intent=number, seconds=age)
            self._desk.metrics.count("signalfleet_unknown_alarms_total")
            await self._tell(number, age)

    async def _tell(self, number: IntentId, age: int) -> None:
        journal = self._desk.store.journal
        for intent in await journal.get_intents([number]):
            trade = await journal.get_trade(intent.trade)
            if trade is not None:
                text = f"{trade.side.value} {trade.volume} {trade.symbol}, leg {trade.leg}"
                about = f"trade:{trade.trade_id}"
                facts = {"text": text, "seconds": age}
                await self._notify(NoticeKind.OUTCOME_UNKNOWN, about, facts)
