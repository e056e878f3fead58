"""What a user may do just now, read again every few seconds: states, plan, calendar of news."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Final

import structlog

from signalfleet.app.calendar_watch import CalendarWatch
from signalfleet.app.copy_states import load_states
from signalfleet.app.leave_account import finish_leaving
from signalfleet.app.paused_follow_ups import ReleasePaused
from signalfleet.app.plan_exit import see_plan
from signalfleet.app.quotas import QuotaWatch
from signalfleet.app.user_desk import UserDesk
from signalfleet.app.watch_losses import zone_named
from signalfleet.app.watch_probations import WatchProbations
from signalfleet.bots.services import BotServices
from signalfleet.domain.accounts.copy_states import CopyStates
from signalfleet.domain.accounts.notices import NoticeKind

log = structlog.get_logger()

Notify = Callable[[NoticeKind, str, Mapping[str, object]], Awaitable[None]]
EVERYTHING: Final = ""


class Standing:
    """Keeps the desk's states, zone and allowances true to the store."""

    def __init__(self, desk: UserDesk, services: BotServices, notify: Notify) -> None:
        self._desk = desk
        self._services = services
        self._notify = notify
        self._calendar = CalendarWatch(desk)
        self._quota = QuotaWatch(desk)
        self._probations = WatchProbations(desk)
        self._paused = ReleasePaused(desk)

    def has_news(self) -> bool:
        """Tell, without reading anything, whether something changed that no mark tells of."""
        return self._calendar.has_news()

    async def read(self) -> bool:
        """Read all of it; True if a state of copying has changed, or something is to be sent."""
        profile = await self._services.store.fleet.get_user(self._desk.user)
        if profile is not None:
            self._desk.quota = self._services.limits_of(profile.tier)
            self._desk.zone = zone_named(profile.timezone)
        told = await self._calendar.see()
        if told is not None:
            await self._notify(told[0], EVERYTHING, {"text": told[1]})
        await self._see_probations()
        store, now = self._desk.store, self._desk.clock.now()
        states = await load_states(store.settings)
        if await see_plan(store, self._desk.quota, states, now):
            states = await load_states(store.settings)
        await self._finish_leaving(states)
        is_released = await self._released()
        if states == self._desk.states:
            return is_released
        self._desk.states = states
        log.info("copy_states_changed", count=len(states.by_scope))
        return True

    async def see_trades(self) -> None:
        """See to what the bot's own trades may have changed: that alone no mark tells of."""
        await self._see_probations()
        await self._finish_leaving(self._desk.states)

    async def _see_probations(self) -> None:
        for about, text in await self._probations.see():
            await self._notify(NoticeKind.STATE_CHANGED, about, {"text": text})

    async def _finish_leaving(self, states: CopyStates) -> None:
        for account in list(self._desk.accounts.values()):
            await finish_leaving(self._desk.store, states, account.account)

    async def _released(self) -> bool:
        is_any = await self._paused.run()
        for about, facts in self._paused.refused:
            await self._notify(NoticeKind.FOLLOW_UP_NOT_APPLIED, about, facts)
        self._paused.refused.clear()
        return is_any

    def told(self, kind: NoticeKind, about: str) -> None:
        """Hear what the user is told: it may be what a channel's probation waited for."""
        self._probations.told(kind, about)

    async def traded(self) -> None:
        """Say when most, or all, of the day's trades are used up."""
        told = await self._quota.see()
        if told is not None:
            await self._notify(told[0], EVERYTHING, {"text": told[1]})
