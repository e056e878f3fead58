"""Delete a user: step by step, each noted when it is done, so that a crash goes on where it was."""

import json
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from datetime import datetime, timedelta
from typing import Final

import structlog

from signalfleet.app.connect_mt5 import TOKEN_FIELD
from signalfleet.app.copy_states import load_states
from signalfleet.app.exits import begin_exit, exit_left
from signalfleet.app.sign_in import SignIn
from signalfleet.domain.accounts.copy_states import USER
from signalfleet.domain.accounts.exits import ExitCause
from signalfleet.domain.ids import UserId
from signalfleet.domain.settings.choices import ExitPolicy
from signalfleet.ports.clock import Clock
from signalfleet.ports.departures import Departure
from signalfleet.ports.errors import PortError, RefusedError, SignInRequiredError, TemporaryError
from signalfleet.ports.provisioning import AccountProvisioning
from signalfleet.ports.secrets import CredentialStore, Secret
from signalfleet.ports.store import Account, Store, UserStore

log = structlog.get_logger()

CLOSE_WITHIN: Final = timedelta(minutes=3)
"""How long open trades that the user wants closed are waited for."""
ASK_FOR: Final = timedelta(hours=20)
"""How long Telegram and MetaApi are asked again before the rest is done without them."""
OURS: Final = "SignalFleet "
"""How accounts begin to be called that we have added at MetaApi."""


class DeleteAccount:
    """Ends what is outside, destroys the data key, deletes the rows. Repeats do no harm.

    `alone` keeps everybody else off the user's Telegram session; `remember` writes the deletion
    down where no backup undoes it; `scrub` takes deleted rows out of logs that the store keeps.
    """

    def __init__(
        self,
        *,
        store: Store,
        credentials: CredentialStore,
        sign_in: SignIn,
        hosting: Callable[[Secret | None], AccountProvisioning],
        clock: Clock,
        alone: Callable[[UserId], AbstractAsyncContextManager[None]],
        remember: Callable[[UserId, datetime], None],
        scrub: Callable[[], Awaitable[None]],
    ) -> None:
        self._store = store
        self._credentials = credentials
        self._sign_in = sign_in
        self._hosting = hosting
        self._clock = clock
        self._alone = alone
        self._remember = remember
        self._scrub = scrub

    async def run(self, departure: Departure) -> Departure:
        """Do what is left to do; TemporaryError if something outside must be asked again later."""
        if departure.user is None:
            return departure
        if not await self.trades_are_over(departure):
            raise TemporaryError("trades are still being closed")
        departure = await self._store.departures.report(departure.report_id) or departure
        user, report = departure.user, departure.report_id
        if user is None:
            return departure
        note = self._store.departures.note
        if "stopped" not in departure.steps:
            departure = await note(report, "stopped", await self._stop(user))
        if "telegram" not in departure.steps:
            departure = await note(report, "telegram", await self._leave_telegram(departure, user))
        if "metaapi" not in departure.steps:
            departure = await note(report, "metaapi", await self._leave_metaapi(departure, user))
        if "shredded" not in departure.steps:
            now = self._clock.now()
            self._remember(user, now)
            keys = await self._store.departures.shred(user, now)
            departure = await note(report, "shredded", f"{keys} data keys destroyed")
        if "erased" not in departure.steps:
            erased = await self._store.departures.erase(user)
            await self._scrub()
            departure = await note(report, "erased", json.dumps(erased, sort_keys=True))
        log.info("user_deleted", report=report)
        return await self._store.departures.finish(report, self._clock.now())

    async def trades_are_over(self, departure: Departure) -> bool:
        """Look whether what the user wants closed is closed, or was waited for long enough.

        Until then the user's bot runs, with entries stopped: it is what closes.
        """
        user, steps = departure.user, departure.steps
        if user is None or "trades" in steps or "stopped" in steps:
            return True
        store = self._store.user(user)
        if not await closes_trades(store):
            return True
        await store.bot.set_halted(halted=True)
        left = await exit_left(store)
        if left and self._clock.now() - departure.begun_at < CLOSE_WITHIN:
            if not (await store.bot.status()).wish_on:
                await store.bot.set_wish(on=True, by="departure")
            return False
        minutes = CLOSE_WITHIN // timedelta(minutes=1)
        said = f"{left} not closed within {minutes} minutes" if left else "all closed"
        await self._store.departures.note(departure.report_id, "trades", said)
        return True

    async def _stop(self, user: UserId) -> str:
        """Stop entries at once, then the bot. Trades that are open now stay: the user was told."""
        store = self._store.user(user)
        await store.bot.set_halted(halted=True)
        await store.bot.set_wish(on=False, by="departure")
        left = await store.journal.live_trades()
        return f"{len(left)} trades left at the broker"

    async def _leave_telegram(self, departure: Departure, user: UserId) -> str:
        try:
            async with self._alone(user):
                had_one = await self._sign_in.sign_out(user)
        except TemporaryError:
            self._require_patience(departure)
            return "not told: end it in Telegram under Settings, Devices"
        return "signed out" if had_one else "no session"

    async def _leave_metaapi(self, departure: Departure, user: UserId) -> str:
        """Stop the accounts that we have added; those that the user brought stay as they are."""
        accounts = [one for one in await self._store.user(user).accounts.list() if _is_hosted(one)]
        if not accounts:
            return "no account"
        try:
            hosting = self._hosting(await self._credentials.get(user, TOKEN_FIELD))
            stopped = [await self._undeploy(hosting, one) for one in accounts]
        except TemporaryError:
            self._require_patience(departure)
            return "not told: look at app.metaapi.cloud"
        except PortError as error:
            log.warning("metaapi_not_left", report=departure.report_id, cause=type(error).__name__)
            return "no access: look at app.metaapi.cloud"
        return f"{sum(stopped)} of {len(accounts)} accounts stopped, the others are the user's own"

    async def _undeploy(self, hosting: AccountProvisioning, account: Account) -> bool:
        try:
            hosted = await hosting.account(account.metaapi_account_id or "")
            if not hosted.name.startswith(OURS):
                return False
            await hosting.undeploy(hosted.account_id)
        except (RefusedError, SignInRequiredError):
            return False  # It is gone there, or the token does not reach it any more.
        return True

    def _require_patience(self, departure: Departure) -> None:
        if self._clock.now() - departure.begun_at < ASK_FOR:
            raise TemporaryError("something outside does not answer; this is tried again")


async def begin_closing(store: UserStore, now: datetime) -> None:
    """Let the bot close everything, as the user wishes who is about to leave."""
    await begin_exit(store, USER, ExitCause.DELETION, now, ExitPolicy.FLATTEN)


async def closes_trades(store: UserStore) -> bool:
    known = (await load_states(store.settings)).exits.get(USER)
    return known is not None and known.cause is ExitCause.DELETION


def _is_hosted(account: Account) -> bool:
    return account.broker == "metaapi" and account.metaapi_account_id is not None
