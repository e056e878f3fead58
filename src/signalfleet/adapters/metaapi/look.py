"""One look at an account in the order that proves most, and what made it incomplete."""

from collections.abc import Callable
from datetime import datetime
from typing import TypeVar

import structlog

from signalfleet.adapters.metaapi import limits, mapping
from signalfleet.adapters.metaapi.fields import Fields, UnreadableError
from signalfleet.adapters.metaapi.lanes import Lane
from signalfleet.adapters.metaapi.route import AccountRoute
from signalfleet.domain.risk.facts import Movement
from signalfleet.domain.trading.reports import Deal, HistoryOrder, Snapshot
from signalfleet.ports.clock import Clock
from signalfleet.ports.errors import RefusedError, TemporaryError

log = structlog.get_logger()

T = TypeVar("T")


class Look:
    """Reads state, positions, orders, then history: what fills between two reads is in the later.

    A part that fails leaves the look incomplete, and the other parts are still read: presence
    proves something even then.
    """

    def __init__(self, route: AccountRoute, clock: Clock, lane: Lane) -> None:
        self._route = route
        self._lane = lane
        self._clock = clock
        self._complete = True
        self._answered = 0
        self._last: TemporaryError | RefusedError | None = None

    async def take(self, since: datetime, *, full: bool) -> Snapshot:
        begun_at = self._clock.now()
        until = begun_at + limits.HISTORY_AHEAD
        region = self._route.region
        await self._require_connected(max_age_s=limits.STATE_AGE_S)
        positions = await self._list("positions", mapping.position)
        orders = await self._list("orders", mapping.working_order)
        history: tuple[HistoryOrder, ...] = ()
        deals: tuple[Deal, ...] = ()
        if full:
            history = await self._pages(
                "history-orders", "historyOrders", mapping.history_order, since, until
            )
            deals = await self._pages("history-deals", "deals", mapping.deal, since, until)
        if not self._answered:
            reason = self._last or "no part of the account could be read"
            retry = self._last.retry_after if isinstance(self._last, TemporaryError) else None
            raise TemporaryError(str(reason), retry_after=retry)
        if full:
            await self._account_information()
            await self._require_connected(max_age_s=-1)  # Past the cache.
        if self._route.region != region:
            self._spoil("region", "moved")
        if self._lane is not Lane.PROTECTIVE:
            await self._route.refresh_credits()
        return Snapshot(
            positions=positions,
            orders=orders,
            history_orders=history,
            deals=deals,
            begun_at=begun_at,
            full=full,
            complete=self._complete,
        )

    async def movements(self, since: datetime) -> tuple[Movement, ...]:
        """Read what changed the balance; TemporaryError if a part of it cannot be read."""
        until = self._clock.now() + limits.HISTORY_AHEAD
        found = await self._pages("history-deals", "deals", mapping.movement, since, until)
        if not self._complete:
            raise TemporaryError("the history of the account cannot be read whole")
        return found

    async def _require_connected(self, *, max_age_s: float) -> None:
        try:
            state = await self._route.state(max_age_s=max_age_s)
        except (TemporaryError, RefusedError) as e:
            self._failed("state", e)
            return
        if not state.is_deployed:  # No terminal runs: each read would take its whole time-out.
            raise TemporaryError(f"the account is {state.state} at MetaApi: deploy it there")
        if not state.is_connected:
            self._spoil("state", state.connection)

    async def _list(self, what: str, one: Callable[[Fields], T | None]) -> tuple[T, ...]:
        try:
            payload = await self._route.read(
                f"/{what}", lane=self._lane, refreshTerminalState="true"
            )
            rows = mapping.rows_of(payload, what)
        except (TemporaryError, RefusedError, UnreadableError) as e:
            self._failed(what, e)
            return ()
        return self._map(what, rows, one)

    async def _pages(
        self,
        what: str,
        wrapper: str,
        one: Callable[[Fields], T | None],
        since: datetime,
        until: datetime,
    ) -> tuple[T, ...]:
        facts: tuple[T, ...] = ()
        for page in range(limits.MAX_PAGES):
            try:
                payload = await self._route.history(
                    what, since, until, page * limits.PAGE, self._lane
                )
                rows = mapping.rows_of(payload, wrapper)
            except (TemporaryError, RefusedError, UnreadableError) as e:
                self._failed(what, e)
                return facts
            facts += self._map(what, rows, one)
            if len(rows.items) < limits.PAGE:
                return facts
        self._spoil(what, "too_many_pages")
        return facts

    async def _account_information(self) -> None:
        try:
            await self._route.read(
                "/account-information", lane=self._lane, refreshTerminalState="true"
            )
        except (TemporaryError, RefusedError) as e:
            self._failed("account", e)

    def _map(
        self, what: str, rows: mapping.Rows, one: Callable[[Fields], T | None]
    ) -> tuple[T, ...]:
        self._answered += 1
        facts, whole = mapping.map_rows(rows.items, one)
        if not whole:
            self._spoil(what, "unreadable_row")
        if rows.synchronizing:
            self._spoil(what, "synchronizing")
        return facts

    def _failed(self, part: str, error: TemporaryError | RefusedError | UnreadableError) -> None:
        if not isinstance(error, UnreadableError):
            self._last = self._last or error
        self._spoil(part, type(error).__name__)

    def _spoil(self, part: str, reason: str) -> None:
        self._complete = False
        log.info("account_look_incomplete", part=part, reason=reason)
