"""LoginWorker: people sign in to Telegram here, beside the bots and never in the web process."""

import asyncio
import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import structlog

from signalfleet.app.audit import note
from signalfleet.app.exits import begin_exit, end_exit
from signalfleet.app.sign_in import Consent, Settled, SignIn, WhoSignsIn
from signalfleet.bots.login_attempt import LIFE, AttemptOrder, LoginAttempt
from signalfleet.bots.picker import Picker
from signalfleet.bots.session_use import SessionUse
from signalfleet.domain.accounts.copy_states import USER
from signalfleet.domain.accounts.exits import ExitCause
from signalfleet.domain.errors import DomainError
from signalfleet.domain.ids import UserId, tag
from signalfleet.domain.settings.choices import ExitPolicy
from signalfleet.ports.bus import Bus, LiveEvent, Plain, WorkItem
from signalfleet.ports.chat_sign_in import ChatSignIn, SignedIn
from signalfleet.ports.clock import Clock
from signalfleet.ports.errors import PortError, RefusedError, TemporaryError
from signalfleet.ports.fleet_rows import AttemptLimit
from signalfleet.ports.metrics import Metrics
from signalfleet.ports.secrets import IntakeBinding, Opener, Secret
from signalfleet.ports.store import Store, UserProfile

log = structlog.get_logger()

HOUR: Final = timedelta(hours=1)
DAY: Final = timedelta(days=1)
QR_LIMITS: Final = (AttemptLimit(count=3, within=HOUR),)
CODE_LIMITS: Final = (AttemptLimit(count=3, within=HOUR), AttemptLimit(count=5, within=DAY))
"""Telegram answered about ten code requests with waits of 20 hours."""
CODES_FROM_LIMITS: Final = (AttemptLimit(count=6, within=HOUR),)
"""One visitor must not have codes sent to many people."""
PASSWORD_LIMITS: Final = (AttemptLimit(count=3, within=HOUR),)
AT_ONCE: Final = 50
LINGER: Final = timedelta(minutes=1)
"""How long a page that was slow can still read how its attempt ended."""
SIGN_OUT_AGAIN: Final = timedelta(minutes=1)
PICKING: Final = frozenset({"chats", "find", "join", "topics", "choose_topics", "latest", "choose"})
MOVING: Final = "your bot is moving to another server process; try again in a moment"
SERVE_AGAIN: Final = timedelta(seconds=1)
_ATTEMPT: Final = re.compile(r"[A-Za-z0-9_-]{20,50}")
_CONSENT: Final = re.compile(r"[0-9A-Za-z.-]{1,20}")


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginServices:
    """What the login worker is given at start."""

    cell: str
    store: Store
    bus: Bus
    clock: Clock
    metrics: Metrics
    opener: Opener
    sign_in: SignIn
    use: SessionUse
    picker: Picker
    make_sign_in: Callable[[], ChatSignIn]
    life: timedelta = LIFE


class LoginWorker:
    """Holds the attempts under way: one for each user, each gone after five minutes."""

    def __init__(self, services: LoginServices) -> None:
        self._services = services
        self._store = services.store
        self._bus = services.bus
        self._attempts: dict[str, tuple[LoginAttempt, asyncio.Task[None]]] = {}
        self._tasks: asyncio.TaskGroup | None = None
        self.ready = asyncio.Event()

    async def run(self) -> None:
        """Serve until cancelled; a bus that is away is waited for."""
        address = f"{self._services.cell}.login"
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            while True:
                try:
                    await self._bus.serve(address, self.answer_visitor, ready=self.ready)
                except PortError as error:
                    log.warning("sign_in_unreachable", cause=type(error).__name__)
                await self._services.clock.sleep(SERVE_AGAIN)

    async def answer_visitor(self, question: Plain) -> Plain:
        """Begin an attempt for somebody who is not known yet, whichever worker this is."""
        if question.get("op") != "start" or question.get("visitor") is not True:
            raise RefusedError("the login worker cannot do this for a visitor")
        return await self._start(question)

    async def answer(self, question: Plain) -> Plain:
        """Answer about an own user: begin an attempt, sign out, or look at the user's chats."""
        user = _user(question)
        if question.get("op") == "start":
            return await self._start(question)
        if await self._services.use.elsewhere(user) is not None:
            # Only the process that has the connection may use it.
            raise TemporaryError(MOVING)
        match question.get("op"):
            case "sign_out":
                return await self._sign_out(user, _policy(question))
            case op if op in PICKING:
                return await self._services.picker.answer(user, question)
            case _:
                raise RefusedError("the login worker cannot do this")

    # Signing in

    async def _start(self, question: Plain) -> Plain:
        order = self._order(question)
        running = self._attempts.get(order.attempt)
        if running is not None:
            raise RefusedError("this attempt has begun already")
        await self._end_others(order.who.user)
        if len(self._attempts) >= AT_ONCE or self._tasks is None:
            raise TemporaryError("too many people sign in just now; try again in a minute")
        await self._count(order, str(question.get("origin", "")))
        attempt = LoginAttempt(
            order=order,
            sign_in=self._services.make_sign_in(),
            opener=self._services.opener,
            clock=self._services.clock,
            finish=self._finish,
            allow_password=self._allow_password,
            life=self._services.life,
        )
        ready = asyncio.Event()
        task = self._tasks.create_task(self._keep(attempt, ready), name=f"sign_in:{order.who.user}")
        self._attempts[order.attempt] = (attempt, task)
        await ready.wait()
        return dict(attempt.state)

    async def _keep(self, attempt: LoginAttempt, ready: asyncio.Event) -> None:
        """Run an attempt and answer its page, also for a while after its end."""
        name = attempt.order.attempt
        serving: asyncio.Task[None] | None = None
        try:
            async with asyncio.TaskGroup() as tasks:
                serving = tasks.create_task(self._serve(attempt, ready), name="sign_in_page")
                await attempt.run()
                log.info("sign_in_ended", step=attempt.state.get("step"))
                await self._services.clock.sleep(LINGER)
                serving.cancel()
        finally:
            ready.set()
            self._attempts.pop(name, None)

    async def _serve(self, attempt: LoginAttempt, ready: asyncio.Event) -> None:
        address = f"{self._services.cell}.login.{attempt.order.attempt}"
        while True:
            try:
                await self._bus.serve(address, attempt.answer, ready=ready)
            except PortError as error:
                log.warning("sign_in_unreachable", cause=type(error).__name__)
                ready.set()
            await self._services.clock.sleep(SERVE_AGAIN)

    async def _end_others(self, user: UserId) -> None:
        """End an earlier attempt of this user: who starts again has given that one up."""
        for attempt, task in list(self._attempts.values()):
            if attempt.order.who.user == user:
                attempt.fail("another sign-in was started")
                task.cancel()
                await asyncio.wait([task])

    def _order(self, question: Plain) -> AttemptOrder:
        attempt = question.get("attempt")
        if not isinstance(attempt, str) or not _ATTEMPT.fullmatch(attempt):
            raise RefusedError("this attempt has no proper name")
        user = _user(question)
        who = WhoSignsIn(user=user, is_visitor=question.get("visitor") is True)
        phone: Secret | None = None
        box = question.get("phone")
        if isinstance(box, str):
            binding = IntakeBinding(user=user, field="phone", attempt=attempt)
            phone = self._services.opener.open(box, binding)
        version = question.get("consent")
        if not isinstance(version, str) or not _CONSENT.fullmatch(version):
            raise RefusedError("agree to what is read and stored first")
        consent = Consent(version=version, at=self._services.clock.now())
        return AttemptOrder(attempt=attempt, who=who, phone=phone, consent=consent)

    async def _count(self, order: AttemptOrder, origin: str) -> None:
        """Count the attempt in the store; RefusedError says until when there is no other."""
        key = origin if order.who.is_visitor else str(order.who.user)
        if order.phone is None:
            await self._allow("sign_in_qr", key, QR_LIMITS, "QR codes")
            return
        digits = "".join(filter(str.isdigit, order.phone.reveal()))
        secret = await self._store.fleet.installation()
        number = tag(b"sf-phone-1", 15, secret, digits)
        await self._allow("sign_in_codes_from", key, CODES_FROM_LIMITS, "codes")
        await self._allow("sign_in_code", number, CODE_LIMITS, "codes for this number")

    async def _allow_password(self, attempt: str) -> None:
        key = hashlib.sha256(attempt.encode()).hexdigest()
        await self._allow("sign_in_password", key, PASSWORD_LIMITS, "passwords")

    async def _allow(
        self, kind: str, key: str, limits: tuple[AttemptLimit, ...], what: str
    ) -> None:
        now = self._services.clock.now()
        free = await self._store.fleet.count_attempt(kind, key, now, limits)
        if free is None:
            return
        log.warning("sign_in_limited", kind=kind)
        wait = max((free - now).total_seconds(), 1.0)
        raise TemporaryError(f"too many {what} were asked for", retry_after=wait)

    async def _finish(
        self, who: WhoSignsIn, signed_in: SignedIn, consent: Consent | None
    ) -> Settled:
        """Settle a sign-in while no bot uses the user's session, then wake the bot."""
        profile = await self._services.sign_in.owner(who, signed_in)
        user = profile.user_id
        try:
            settled = await self._settle(profile, signed_in, consent)
        except PortError:
            # Nobody keeps it: it must not stay behind at Telegram.
            await self._services.sign_in.leave(signed_in.session)
            raise
        if settled.is_kept:
            mine = self._store.user(user)
            await note(mine, self._services.clock, "user", "telegram_connected")
            await end_exit(mine, USER, ExitCause.TELEGRAM)
            await self._renew_chats(user)
            await self._wake(user)
        return settled

    async def _renew_chats(self, user: UserId) -> None:
        try:
            await self._services.picker.renew(user)
        except PortError as error:
            # The bot finds out by itself which chat it cannot read.
            log.warning("chats_not_renewed", cause=type(error).__name__)

    async def _settle(
        self, profile: UserProfile, signed_in: SignedIn, consent: Consent | None
    ) -> Settled:
        sign_in, use = self._services.sign_in, self._services.use
        user = profile.user_id
        if use.directory(user) is not None or await use.elsewhere(user) is not None:
            return await sign_in.settle(profile, signed_in, consent, is_in_use=True)
        async with use.alone(user):
            return await sign_in.settle(profile, signed_in, consent, is_in_use=False)

    async def _wake(self, user: UserId) -> None:
        """Leave the wish as it is under a new number: the owner looks, and finds the session."""
        bot = self._store.user(user).bot
        await bot.set_wish(on=(await bot.status()).wish_on, by="sign_in")
        await self._tell_owner(user)
        event = LiveEvent(user=user, kind="bot", payload={"telegram": "connected"})
        await self._bus.publish_event(event)

    async def _tell_owner(self, user: UserId) -> None:
        rev = (await self._store.user(user).bot.status()).wish_rev
        try:
            await self._bus.publish_work(WorkItem(user=user, kind="cmd", key=f"wish:{rev}"))
        except PortError as error:
            # The owner also looks by itself every few seconds.
            log.warning("wish_wake_failed", cause=type(error).__name__)

    # Signing out

    async def _sign_out(self, user: UserId, policy: ExitPolicy | None) -> Plain:
        """Take the session from the bot, end it at Telegram, and only then delete it.

        The bot goes on without it: what is open at the broker stays managed.
        """
        self._services.picker.forget(user)
        now, mine = self._services.clock.now(), self._store.user(user)
        await begin_exit(mine, USER, ExitCause.TELEGRAM, now, policy)
        await self._services.sign_in.set_aside(user)
        await self._services.use.evict(user)
        try:
            await self._end_session(user)
        except TemporaryError:
            if self._tasks is not None:
                since = self._services.clock.now()
                self._tasks.create_task(self._sign_out_later(user, since), name=f"sign_out:{user}")
            raise TemporaryError(
                "Telegram could not be told yet; this is tried again. You can also end it in "
                "Telegram, under Settings, Devices."
            ) from None
        return {}

    async def _end_session(self, user: UserId) -> None:
        async with self._services.use.alone(user):
            await self._services.sign_in.end_session(user)

    async def _sign_out_later(self, user: UserId, since: datetime) -> None:
        while self._services.clock.now() - since < DAY:
            await self._services.clock.sleep(SIGN_OUT_AGAIN)
            try:
                await self._end_session(user)
            except PortError as error:
                log.warning("sign_out_failed", user_id=user, cause=type(error).__name__)
            else:
                return


def _user(question: Plain) -> UserId:
    try:
        return UserId(str(question.get("user")))
    except DomainError:
        raise RefusedError("whose this is was not said") from None


def _policy(question: Plain) -> ExitPolicy | None:
    """Return what the user chose for this once; None leaves it to the setting."""
    chosen = question.get("exit_policy")
    if not chosen:
        return None
    try:
        return ExitPolicy(str(chosen))
    except ValueError:
        raise RefusedError("choose what happens to open trades") from None
