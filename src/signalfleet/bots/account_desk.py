"""AccountDesk: people connect their MetaTrader accounts here, beside the bots and not in the web.

What a user types arrives sealed. A password lives until MetaApi has it, a token until it is stored.
"""

import asyncio
import hashlib
import re
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

import structlog

from signalfleet.app.account_report import AccountReport
from signalfleet.app.connect_mt5 import (
    Connected,
    ConnectMt5,
    Mt5Order,
    Offer,
    Progress,
    Way,
    in_words,
)
from signalfleet.domain.errors import DomainError
from signalfleet.domain.ids import UserId
from signalfleet.ports.bus import Bus, LiveEvent, Plain, WorkItem
from signalfleet.ports.clock import Clock
from signalfleet.ports.errors import PortError, RefusedError, TemporaryError
from signalfleet.ports.fleet_rows import AttemptLimit
from signalfleet.ports.secrets import IntakeBinding, Opener, Secret
from signalfleet.ports.store import Store

log = structlog.get_logger()

TRIES: Final = (AttemptLimit(count=10, within=timedelta(hours=1)),)
"""Adds that fail are billed by MetaApi, and repeated ones refused."""
AT_ONCE: Final = 50
KEPT: Final = 500
LIFE: Final = timedelta(hours=1)
OUR_FAULT: Final = "something went wrong on our side; start again"
_ATTEMPT: Final = re.compile(r"[A-Za-z0-9_-]{20,50}")


@dataclass(slots=True, kw_only=True)
class _Talk:
    """How far one user is. The token is dropped with it."""

    begun: datetime
    state: dict[str, object] = field(default_factory=lambda: {"step": "begin"})
    token: Secret | None = None
    task: asyncio.Task[None] | None = None
    used: set[str] = field(default_factory=set)


class AccountDesk:
    """Answers the pages about one talk for each user. `needs_token` False: the platform has one."""

    def __init__(
        self,
        *,
        store: Store,
        bus: Bus,
        clock: Clock,
        opener: Opener,
        connect: ConnectMt5,
        needs_token: bool,
    ) -> None:
        self._store = store
        self._bus = bus
        self._clock = clock
        self._opener = opener
        self._connect = connect
        self._needs_token = needs_token
        self._talks: OrderedDict[UserId, _Talk] = OrderedDict()
        self._tasks: asyncio.TaskGroup | None = None
        self.ready = asyncio.Event()

    async def run(self) -> None:
        """Be there for who connects, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            self.ready.set()
            await asyncio.get_running_loop().create_future()

    async def answer(self, question: Plain) -> Plain:
        """Answer the web: state, token, add or again."""
        try:
            user = UserId(str(question.get("user")))
        except DomainError:
            raise RefusedError("whose this is was not said") from None
        talk = self._talk(user)
        match question.get("op"):
            case "state":
                pass
            case "token":
                await self._take_token(user, talk, question)
            case "add":
                await self._add(user, talk, question)
            case "again":
                self._end(user)
                talk = self._talk(user)
            case _:
                raise RefusedError("the account desk cannot do this")
        return {**talk.state, "needs_token": self._needs_token}

    def _talk(self, user: UserId) -> _Talk:
        now = self._clock.now()
        talk = self._talks.get(user)
        if talk is not None and talk.task is None and now - talk.begun > LIFE:
            self._end(user)
            talk = None
        if talk is None:
            talk = self._talks[user] = _Talk(begun=now)
            while len(self._talks) > KEPT:
                self._end(next(iter(self._talks)))
        return talk

    def _end(self, user: UserId) -> None:
        talk = self._talks.pop(user, None)
        if talk is not None and talk.task is not None:
            talk.task.cancel()

    async def _take_token(self, user: UserId, talk: _Talk, question: Plain) -> None:
        self._require_idle(talk)
        token = self._opened(user, talk, question, "metaapi_token")
        if token is None and self._needs_token:
            raise RefusedError("paste a token first")
        await self._allow(user)
        try:
            offer = await self._connect.look(token)
        except PortError as error:
            raise RefusedError(in_words(error)) from None
        talk.begun, talk.token = self._clock.now(), token
        talk.state = _offered(offer)

    async def _add(self, user: UserId, talk: _Talk, question: Plain) -> None:
        self._require_idle(talk)
        if talk.state.get("step") not in ("choose", "failed"):
            raise RefusedError("paste the token again: this page was open for too long")
        try:
            order = Mt5Order(
                way=Way(str(question.get("way"))),
                account=_text(question, "account"),
                server=_text(question, "server"),
                region=_text(question, "region"),
                login=_text(question, "login") or None,
                password=self._opened(user, talk, question, "mt5_password"),
            )
        except DomainError as error:
            raise RefusedError(str(error)) from None
        except ValueError:
            raise RefusedError("choose how to connect") from None
        if sum(one.task is not None for one in self._talks.values()) >= AT_ONCE or not self._tasks:
            raise TemporaryError("too many people connect just now; try again in a minute")
        await self._allow(user)
        talk.state = {**talk.state, "step": "adding"}
        talk.task = self._tasks.create_task(self._run(user, talk, order), name=f"mt5:{user}")

    async def _run(self, user: UserId, talk: _Talk, order: Mt5Order) -> None:
        """Connect, whatever happens; its end is a state, and never an error for others."""
        offered = {name: talk.state.get(name) for name in ("accounts", "regions")}

        def tell(progress: Progress) -> None:
            talk.state = {**offered, **_shown(progress)}

        try:
            connected = await self._connect.run(user, talk.token, order, tell)
            await self._wake(user)
        except PortError as error:
            log.info("account_not_connected", kind=type(error).__name__)
            words = in_words(error)
            talk.state = {**offered, "step": "failed", "trouble": words}
        except Exception as error:  # noqa: BLE001 - others connect beside this one
            # Its text could quote what was typed.
            log.error("account_desk_crashed", kind=type(error).__name__)  # noqa: TRY400
            talk.state = {**offered, "step": "failed", "trouble": OUR_FAULT}
        else:
            talk.token = None
            talk.state = _done(connected)
        finally:
            talk.task = None

    async def _wake(self, user: UserId) -> None:
        """Give the bot's wish a new number: its owner looks, and finds the account."""
        bot = self._store.user(user).bot
        await bot.set_wish(on=True, by="account")
        rev = (await bot.status()).wish_rev
        try:
            await self._bus.publish_work(WorkItem(user=user, kind="cmd", key=f"wish:{rev}"))
        except PortError as error:
            # The owner also looks by itself every few seconds.
            log.warning("wish_wake_failed", cause=type(error).__name__)
        await self._bus.publish_event(
            LiveEvent(user=user, kind="bot", payload={"mt5": "connected"})
        )

    async def _allow(self, user: UserId) -> None:
        now = self._clock.now()
        free = await self._store.fleet.count_attempt("mt5_connect", str(user), now, TRIES)
        if free is not None:
            wait = max((free - now).total_seconds(), 1.0)
            raise TemporaryError("too many tries within an hour", retry_after=wait)

    def _opened(self, user: UserId, talk: _Talk, question: Plain, name: str) -> Secret | None:
        """Open what was typed, once: the same box again is nobody's doing."""
        box, attempt = question.get("box"), question.get("attempt")
        if not isinstance(box, str):
            return None
        if not isinstance(attempt, str) or not _ATTEMPT.fullmatch(attempt):
            raise RefusedError("this attempt has no proper name")
        digest = hashlib.sha256(box.encode()).hexdigest()
        if digest in talk.used:
            raise RefusedError("this was sent twice; look at the page again")
        talk.used.add(digest)
        return self._opener.open(box, IntakeBinding(user=user, field=name, attempt=attempt))

    def _require_idle(self, talk: _Talk) -> None:
        if talk.task is not None:
            raise RefusedError("an account is being connected; wait for it, or start over")


def _text(question: Plain, name: str) -> str:
    value = question.get(name)
    return value.strip()[:100] if isinstance(value, str) else ""


def _offered(offer: Offer) -> dict[str, object]:
    accounts = [
        {
            "id": one.account_id,
            "name": one.name,
            "server": one.server,
            "login": one.login or "",
            "region": one.region,
            "state": one.state,
        }
        for one in offer.accounts[:100]
    ]
    return {"step": "choose", "accounts": accounts, "regions": list(offer.regions)}


def _shown(progress: Progress) -> Mapping[str, object]:
    return {
        "step": progress.step,
        "state": progress.state,
        "connection": progress.connection,
        "address": progress.address,
    }


def _done(connected: Connected) -> dict[str, object]:
    return {
        "step": "done",
        "is_token_narrow": connected.is_token_narrow,
        "report": plain_report(connected.report),
    }


def plain_report(report: AccountReport) -> dict[str, object]:
    """Return a report as plain values, for the bus."""
    return {
        "server": report.server,
        "broker": report.broker,
        "is_real": report.is_real,
        "currency": report.currency,
        "balance": f"{report.balance:.2f}",
        "leverage": report.leverage,
        "margin_mode": report.margin_mode,
        "trade_allowed": report.trade_allowed,
        "investor": report.investor,
        "foreign": list(report.foreign),
        "ours": list(report.ours),
        "missing": list(report.missing),
        "complete": report.complete,
    }
