"""NoticeDesk: people connect the places that their notices go to. What they type comes sealed."""

import hashlib
import re
import secrets
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import structlog

from signalfleet.app.messenger_line import MessengerLine
from signalfleet.app.notice_targets import NoticeTargets, OneUse
from signalfleet.bots.notice_links import TELEGRAM_WORD, word_for
from signalfleet.domain.accounts.delivery import TargetKind
from signalfleet.domain.accounts.notices import NoticeLevel
from signalfleet.domain.errors import DomainError
from signalfleet.domain.ids import UserId
from signalfleet.ports.bus import Bus, LiveEvent, Plain
from signalfleet.ports.clock import Clock
from signalfleet.ports.errors import RefusedError, TemporaryError
from signalfleet.ports.fleet_rows import AttemptLimit
from signalfleet.ports.messenger import Delivered, LinkBot, Message, TargetGone
from signalfleet.ports.secrets import CredentialStore, IntakeBinding, Opener, Secret
from signalfleet.ports.store import Store

log = structlog.get_logger()

NEW_EMAIL: Final = "notify_email_new"
EMAIL_CODE: Final = OneUse(scope="notify:email-code", life=timedelta(minutes=30), tries=5)
CODE_LETTERS: Final = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
CODE_CHARS: Final = 8
LETTERS: Final = (AttemptLimit(count=5, within=timedelta(hours=1)),)
"""Letters with a code: they go to an address that nobody has confirmed."""
TESTS: Final = (AttemptLimit(count=10, within=timedelta(hours=1)),)
USED: Final = 2000
_ATTEMPT: Final = re.compile(r"[A-Za-z0-9_-]{20,50}")
NOT_SET_UP: Final = "this server has no such messenger; ask whoever runs it"
TYPE_IT: Final = (
    "Type it on the page of SignalFleet within 30 minutes. If you did not ask for it, do nothing: "
    "nothing more is sent to this address."
)
TEST_LINE: Final = "This is a test. Notices of SignalFleet arrive here."


@dataclass(frozen=True, slots=True, kw_only=True)
class Outside:
    """What the operator has set up. `push_key`: the public half that browsers subscribe for.

    Without an `opener` for what users type only Telegram can be connected.
    """

    lines: Mapping[TargetKind, MessengerLine]
    bot: LinkBot | None = None
    push_key: str = ""
    opener: Opener | None = None


class NoticeDesk:
    """Answers the pages: what there is, connect, confirm, test, take away."""

    def __init__(
        self,
        *,
        store: Store,
        bus: Bus,
        clock: Clock,
        credentials: CredentialStore,
        targets: NoticeTargets,
        outside: Outside,
        changed: Callable[[UserId], None],
    ) -> None:
        self._store = store
        self._bus = bus
        self._clock = clock
        self._credentials = credentials
        self._targets = targets
        self._outside = outside
        self._changed = changed
        self._used: OrderedDict[str, None] = OrderedDict()

    async def answer(self, question: Plain) -> Plain:
        """Answer the web: state, telegram, email, code, push, test, off or changed."""
        try:
            user = UserId(str(question.get("user")))
        except DomainError:
            raise RefusedError("whose this is was not said") from None
        match question.get("op"):
            case "state":
                return self._state()
            case "telegram":
                return await self._telegram(user)
            case "email":
                await self._email(user, question)
            case "code":
                await self._code(user, str(question.get("code", "")))
            case "push":
                await self._push(user, question)
            case "test":
                await self._test(user, _kind(question))
            case "off":
                await self._targets.unlink(user, _kind(question))
                await self._show(user)
            case "changed":
                self._changed(user)
            case _:
                raise RefusedError("the notice desk cannot do this")
        return self._state()

    def _state(self) -> Plain:
        offered = [kind.value for kind in TargetKind if kind in self._outside.lines]
        return {"offered": offered, "push_key": self._outside.push_key}

    def _line(self, kind: TargetKind) -> MessengerLine:
        line = self._outside.lines.get(kind)
        if line is None:
            raise RefusedError(NOT_SET_UP)
        return line

    async def _telegram(self, user: UserId) -> Plain:
        """Make a link to the bot: it works once, for a quarter of an hour."""
        self._line(TargetKind.TELEGRAM)
        if self._outside.bot is None:
            raise RefusedError(NOT_SET_UP)
        name = await self._outside.bot.username()
        proof = secrets.token_urlsafe(18)
        await TELEGRAM_WORD.give(self._store.user(user), proof, self._clock.now())
        return {**self._state(), "link": f"https://t.me/{name}?start={word_for(user, proof)}"}

    async def _email(self, user: UserId, question: Plain) -> None:
        """Send a code to the address: only who reads there may have notices sent there."""
        line = self._line(TargetKind.EMAIL)
        address = self._opened(user, question, NEW_EMAIL)
        line.messenger.describe(address)
        await self._allow(user, "notice_letter", LETTERS)
        code = "".join(secrets.choice(CODE_LETTERS) for _ in range(CODE_CHARS))
        await EMAIL_CODE.give(self._store.user(user), code, self._clock.now())
        await self._credentials.put(user, NEW_EMAIL, address)
        message = Message(
            key=f"code-{secrets.token_hex(8)}",
            level=NoticeLevel.ATTENTION,
            title="Your code",
            lines=(
                f"Your code is {code[:4]}-{code[4:]}.",
                TYPE_IT,
            ),
        )
        if not isinstance(await line.deliver(address, message), Delivered):
            raise TemporaryError("the letter could not be handed over; try again in a minute")

    async def _code(self, user: UserId, typed: str) -> None:
        code = "".join(c for c in typed.upper() if c.isalnum())
        if not await EMAIL_CODE.take(self._store.user(user), code, self._clock.now()):
            raise RefusedError("this is not the code, or it is too old; have a new one sent")
        address = await self._credentials.get(user, NEW_EMAIL)
        if address is None:
            raise RefusedError("type the address again")
        name = self._line(TargetKind.EMAIL).messenger.describe(address)
        await self._targets.link(user, TargetKind.EMAIL, address, name, self._clock.now())
        await self._credentials.delete(user, NEW_EMAIL)
        await self._show(user)

    async def _push(self, user: UserId, question: Plain) -> None:
        line = self._line(TargetKind.PUSH)
        subscription = self._opened(user, question, "notify_push")
        name = line.messenger.describe(subscription)
        await self._targets.link(user, TargetKind.PUSH, subscription, name, self._clock.now())
        await self._show(user)

    async def _test(self, user: UserId, kind: TargetKind) -> None:
        line = self._line(kind)
        target = await self._targets.secret_of(user, kind)
        if target is None:
            raise RefusedError("this is not connected")
        await self._allow(user, "notice_test", TESTS)
        message = Message(
            key=f"test-{secrets.token_hex(8)}",
            level=NoticeLevel.INFO,
            title="A test",
            lines=(TEST_LINE,),
        )
        outcome = await line.deliver(target, message)
        if isinstance(outcome, TargetGone):
            await self._targets.give_up(user, kind, outcome.reason)
            await self._show(user)
            raise RefusedError("nothing arrives there any more; connect it again")
        if not isinstance(outcome, Delivered):
            raise TemporaryError("the other side did not take it; notices are tried again")

    async def _show(self, user: UserId) -> None:
        self._changed(user)
        await self._bus.publish_event(
            LiveEvent(user=user, kind="notice", payload={"targets": "changed"})
        )

    async def _allow(self, user: UserId, what: str, limits: tuple[AttemptLimit, ...]) -> None:
        now = self._clock.now()
        free = await self._store.fleet.count_attempt(what, str(user), now, limits)
        if free is not None:
            wait = max((free - now).total_seconds(), 1.0)
            raise TemporaryError("too many within an hour", retry_after=wait)

    def _opened(self, user: UserId, question: Plain, name: str) -> Secret:
        """Open what was typed, once: the same box again is nobody's doing."""
        box, attempt = question.get("box"), question.get("attempt")
        opener = self._outside.opener
        if opener is None or not isinstance(box, str):
            raise RefusedError("type it first")
        if not isinstance(attempt, str) or not _ATTEMPT.fullmatch(attempt):
            raise RefusedError("this attempt has no proper name")
        digest = hashlib.sha256(box.encode()).hexdigest()
        if digest in self._used:
            raise RefusedError("this was sent twice; look at the page again")
        self._used[digest] = None
        while len(self._used) > USED:
            self._used.popitem(last=False)
        return opener.open(box, IntakeBinding(user=user, field=name, attempt=attempt))


def _kind(question: Plain) -> TargetKind:
    try:
        return TargetKind(str(question.get("kind")))
    except ValueError:
        raise RefusedError("this is not a place for notices") from None
