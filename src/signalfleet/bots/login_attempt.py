"""One sign-in under way: what its page shows, and what the page hands in."""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

import structlog

from signalfleet.app.sign_in import Consent, Settled, WhoSignsIn
from signalfleet.ports.bus import Plain
from signalfleet.ports.chat_sign_in import (
    ChatSignIn,
    PasswordNeeded,
    QrShown,
    SignedIn,
    WrongInputError,
)
from signalfleet.ports.clock import Clock
from signalfleet.ports.errors import PortError, RefusedError, TemporaryError
from signalfleet.ports.secrets import IntakeBinding, Opener, Secret

log = structlog.get_logger()

LIFE: Final = timedelta(minutes=5)
TOO_LATE: Final = "the five minutes for signing in are over; start again"
OUR_FAULT: Final = "something went wrong on our side; start again"

Finish = Callable[[WhoSignsIn, SignedIn, Consent | None], Awaitable[Settled]]
AllowPassword = Callable[[str], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptOrder:
    """What a page asked for. `phone` is None for a QR code."""

    attempt: str
    who: WhoSignsIn
    phone: Secret | None
    consent: Consent | None = None


@dataclass(slots=True, kw_only=True)
class LoginAttempt:
    """Runs to its end by itself; `state` says how far it is.

    It holds plain values for the page, and no secret but the QR code's address, which it must show.
    """

    order: AttemptOrder
    sign_in: ChatSignIn
    opener: Opener
    clock: Clock
    finish: Finish
    allow_password: AllowPassword
    life: timedelta = LIFE
    state: dict[str, object] = field(default_factory=lambda: {"step": "starting"})
    is_over: bool = False
    _inputs: asyncio.Queue[Secret] = field(default_factory=lambda: asyncio.Queue(maxsize=1))
    _used: set[str] = field(default_factory=set)
    _claimed: bool = False

    async def run(self) -> None:
        """Go through the steps; whatever happens ends as a state, and with no connection left."""
        try:
            async with asyncio.timeout(self.life.total_seconds()):
                settled = await self._go()
        except TimeoutError:
            self._fail(TOO_LATE)
        except PortError as error:
            wait = error.retry_after if isinstance(error, TemporaryError) else None
            self._fail(str(error), wait)
        except Exception as error:  # noqa: BLE001 - others sign in beside this one
            # Its text could quote what was typed.
            log.error("sign_in_crashed", kind=type(error).__name__)  # noqa: TRY400
            self._fail(OUR_FAULT)
        else:
            self.state = {
                "step": "done",
                "user": str(settled.profile.user_id),
                "name": settled.profile.display_name,
            }
        finally:
            self.is_over = True
            await self.sign_in.aclose()

    async def answer(self, question: Plain) -> Plain:
        """Answer the page that has this attempt: its state, after what it brings."""
        match question.get("op"):
            case "state":
                return dict(self.state)
            case "code" | "password" as name:
                self._take(str(name), question.get("box"))
                return dict(self.state)
            case "claim":
                return self._claim()
            case _:
                raise RefusedError("this is no step of signing in")

    def fail(self, words: str) -> None:
        """End the attempt from outside, before its task is cancelled."""
        if not self.is_over:
            self._fail(words)

    def _claim(self) -> Plain:
        """Hand a finished sign-in over, once: a second browser must not get a session by it."""
        if self.state.get("step") != "done" or self._claimed:
            raise RefusedError("this sign-in is not finished, or was used already")
        self._claimed = True
        return dict(self.state)

    def _take(self, name: str, box: object) -> None:
        if self.state.get("step") != name or not isinstance(box, str):
            return  # Pressed twice, or too late: the state that goes back says what is asked now.
        digest = hashlib.sha256(box.encode()).hexdigest()
        if digest in self._used or self._inputs.full():
            return
        self._used.add(digest)
        binding = IntakeBinding(user=self.order.who.user, field=name, attempt=self.order.attempt)
        self._inputs.put_nowait(self.opener.open(box, binding))
        self.state = {**self.state, "step": "checking", "error": None}

    async def _go(self) -> Settled:
        signed_in = await (self._by_qr() if self.order.phone is None else self._by_code())
        self.state = {"step": "checking"}
        return await self.finish(self.order.who, signed_in, self.order.consent)

    async def _by_qr(self) -> SignedIn:
        async with aclosing(self.sign_in.start_qr()) as events:
            async for event in events:
                match event:
                    case QrShown():
                        self._show_qr(event)
                    case PasswordNeeded():
                        return await self._by_password(event)
                    case SignedIn():
                        return event
        raise RefusedError("nobody scanned the QR code; show a new one")

    def _show_qr(self, shown: QrShown) -> None:
        until = self.clock.now() + timedelta(seconds=shown.lives_s)
        self.state = {
            "step": "qr",
            "address": shown.address,
            "until": until.isoformat(),
            "number": shown.number,
            "of": shown.of,
        }

    async def _by_code(self) -> SignedIn:
        phone = self.order.phone or Secret("")
        sent = await self.sign_in.send_code(phone)
        asked: dict[str, object] = {"step": "code", "delivery": sent.delivery, "error": None}
        answer = await self._until_right(asked, self.sign_in.enter_code)
        return answer if isinstance(answer, SignedIn) else await self._by_password(answer)

    async def _by_password(self, needed: PasswordNeeded) -> SignedIn:
        asked: dict[str, object] = {"step": "password", "hint": needed.hint, "error": None}

        async def enter(password: Secret) -> SignedIn | PasswordNeeded:
            await self.allow_password(self.order.attempt)
            return await self.sign_in.enter_password(password)

        answer = await self._until_right(asked, enter)
        if isinstance(answer, PasswordNeeded):
            raise RefusedError("Telegram asks for a second password; sign in with the QR code")
        return answer

    async def _until_right(
        self,
        asked: dict[str, object],
        enter: Callable[[Secret], Awaitable[SignedIn | PasswordNeeded]],
    ) -> SignedIn | PasswordNeeded:
        """Ask until what is typed is right, the tries are used up, or Telegram refuses."""
        self.state = asked
        while True:
            typed = await self._inputs.get()
            try:
                return await enter(typed)
            except WrongInputError as error:
                if error.tries_left == 0:
                    raise
                self.state = {**asked, "error": str(error), "tries_left": error.tries_left}
            except TemporaryError as error:
                if error.retry_after is not None:
                    raise
                self.state = {**asked, "error": str(error)}

    def _fail(self, words: str, wait_s: float | None = None) -> None:
        until: datetime | None = None
        if wait_s is not None:
            until = self.clock.now() + timedelta(seconds=wait_s)
        self.state = {
            "step": "failed",
            "words": words,
            "until": until.isoformat() if until is not None else None,
        }
