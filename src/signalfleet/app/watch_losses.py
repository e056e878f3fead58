"""Keep an account's books of losses: anchors at each reset, and limits that were reached."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from decimal import Decimal
from typing import Final
from zoneinfo import ZoneInfo

import structlog

from signalfleet.app.user_desk import UserDesk
from signalfleet.domain.errors import DomainError
from signalfleet.domain.ids import AccountId
from signalfleet.domain.risk.facts import LossLine, LossStreak
from signalfleet.domain.risk.losses import Crossing, LossBook
from signalfleet.domain.settings.catalogue import Rules
from signalfleet.domain.settings.choices import LossAction
from signalfleet.domain.settings.times import MINE
from signalfleet.domain.trading.records import Trade, TradeState
from signalfleet.domain.trading.reports import AccountFacts
from signalfleet.ports.errors import ConflictError, RefusedError, TemporaryError
from signalfleet.ports.store import UserStore

log = structlog.get_logger()

ATTEMPTS: Final = 3
NOTHING: Final[tuple[Crossing, ...]] = ()
STREAK_TRADES: Final = 200


def scope_of(account: AccountId) -> str:
    return f"loss:{account}"


def zone_of(rules: Rules, mine: tzinfo) -> tzinfo | None:
    """Return the zone that a user has set; None if no such zone is known."""
    return mine if rules.time_zone == MINE else _zone(rules.time_zone)


def zone_named(name: str) -> tzinfo:
    """Return the zone of a user's pages; UTC, which the pages show then too, if it is unknown."""
    return _zone(name) or UTC


def _zone(name: str) -> tzinfo | None:
    try:
        return ZoneInfo(name)
    except (KeyError, OSError, ValueError):
        return None


def has_limits(rules: Rules) -> bool:
    return any((rules.daily_loss, rules.weekly_loss, rules.total_drawdown))


@dataclass(frozen=True, slots=True, kw_only=True)
class Losses:
    """The limits at work, and what was crossed by this look for the first time."""

    lines: tuple[LossLine, ...] = ()
    crossed: tuple[Crossing, ...] = ()

    def closes_all(self, rules: Rules) -> bool:
        is_reached = any(line.reached for line in self.lines)
        return is_reached and rules.loss_action is LossAction.CLOSE_ALL


class WatchLosses:
    def __init__(self, desk: UserDesk) -> None:
        self._desk = desk

    async def see(self, account: AccountId, facts: AccountFacts, rules: Rules) -> Losses:
        """Compare the account with its limits and write down what changed.

        Without limits nothing is read. Two who look at once write one after the other.
        """
        zone = zone_of(rules, self._desk.zone)
        if not has_limits(rules) or zone is None:
            return Losses()
        settings = self._desk.store.settings
        for _ in range(ATTEMPTS):
            doc, version = await settings.get(scope_of(account))
            now = self._desk.clock.now()
            before = _read(doc, facts, now)
            known = await self._accounted(account, before, facts)
            rolled = known.rolled(now, zone, rules.loss_reset, facts.balance, facts.equity)
            after, crossed = rolled, NOTHING
            if rolled.money.is_clear(now) and not rolled.money.needs_rows(facts.balance):
                after, crossed = rolled.seen(facts.equity, rules)
            if after == before:
                return Losses(lines=after.lines(rules))
            try:
                await settings.put(scope_of(account), after.document(), version)
            except ConflictError:
                continue
            for one in crossed:
                log.warning("loss_limit_crossed", limit=one.line.code, reached=one.is_reached)
            return Losses(lines=after.lines(rules), crossed=crossed)
        raise ConflictError("the record of losses is being changed by somebody else")

    async def _accounted(self, account: AccountId, book: LossBook, facts: AccountFacts) -> LossBook:
        """Read what changed the balance since it was last known: trades, charges or payments."""
        desk = self._desk.accounts.get(account)
        if desk is None or not book.money.needs_rows(facts.balance):
            return book
        now = self._desk.clock.now()
        try:
            moves = await desk.broker.movements(book.money.since(now))
        except (TemporaryError, RefusedError):
            return book.unread(now, facts.balance)
        return book.accounted(now, facts.balance, moves)

    async def streak(self, account: AccountId) -> LossStreak:
        """Count the copies in a row that lost, from the newest that closed."""
        by_copy: dict[str, list[Trade]] = {}
        for trade in await self._desk.store.journal.recent_trades(STREAK_TRADES):
            if trade.account == account:
                by_copy.setdefault(trade.signal, []).append(trade)
        ended = [found for legs in by_copy.values() if (found := _result(legs)) is not None]
        ended.sort(key=lambda item: item[0], reverse=True)
        losses = 0
        for _, result in ended:
            if result >= 0:
                break
            losses += 1
        return LossStreak(losses=losses, last_at=ended[0][0] if ended else None)


def _read(doc: Mapping[str, object], facts: AccountFacts, now: datetime) -> LossBook:
    """Read the record; one that cannot be read counts as reached until each period is over."""
    try:
        return LossBook.of_document(doc)
    except DomainError:
        log.exception("losses_unreadable")
        return LossBook.all_reached(now, facts.balance, facts.equity)


async def restart_total(store: UserStore, account: AccountId) -> None:
    """Count the loss in all from now on, as the user asked."""
    for _ in range(ATTEMPTS):
        doc, version = await store.settings.get(scope_of(account))
        if not version:
            return
        try:
            book = LossBook.of_document(doc).without_total()
            await store.settings.put(scope_of(account), book.document(), version)
        except ConflictError:
            continue
        return
    raise ConflictError("the record of losses was changed just now; try again")


def _result(legs: list[Trade]) -> tuple[datetime, Decimal] | None:
    """Return when a copy ended and with what; None while it lives or if it never opened."""
    if any(leg.state.is_live for leg in legs):
        return None
    closed = [leg for leg in legs if leg.state is TradeState.CLOSED and leg.closed_at is not None]
    if not closed:
        return None
    total = sum(
        (part for leg in closed for part in (leg.profit, leg.swap, leg.commission) if part),
        Decimal(0),
    )
    return max(leg.closed_at for leg in closed if leg.closed_at is not None), total
