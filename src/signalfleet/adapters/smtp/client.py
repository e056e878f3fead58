"""SMTP by the standard library, in a few threads: TLS first, then the password, one letter."""

import asyncio
import smtplib
import ssl
from dataclasses import dataclass, field
from typing import Final, Literal

from signalfleet.adapters.smtp.mapping import letter_of, masked
from signalfleet.domain.accounts.delivery import TargetKind
from signalfleet.ports.clock import Clock
from signalfleet.ports.messenger import (
    Delivered,
    DeliveryOutcome,
    Message,
    RetryLater,
    TargetGone,
)
from signalfleet.ports.secrets import Secret

AT_ONCE: Final = 2
STEP_TIMEOUT_S: Final = 10.0
OK: Final = (250, 251)
GOOD_BYE: Final = 421
REFUSED: Final = 500
NO_SUCH_BOX: Final = frozenset({550, 551, 553, 556})


@dataclass(frozen=True, slots=True, kw_only=True)
class SmtpSettings:
    """`security`: starttls, tls from the first byte, or none (on this machine only)."""

    host: str
    port: int
    security: Literal["starttls", "tls", "none"]
    sender: str
    user: str = ""
    password: Secret = field(default_factory=lambda: Secret(""))
    ca_file: str | None = None
    step_timeout_s: float = STEP_TIMEOUT_S


class SmtpMessenger:
    """Letters are few and far between, so each has a connection of its own."""

    def __init__(self, settings: SmtpSettings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._places = asyncio.Semaphore(AT_ONCE)

    @property
    def kind(self) -> TargetKind:
        return TargetKind.EMAIL

    def describe(self, target: Secret) -> str:
        return masked(target.reveal())

    async def deliver(self, target: Secret, message: Message) -> DeliveryOutcome:
        receiver = target.reveal()
        letter = letter_of(
            message, sender=self._settings.sender, receiver=receiver, at=self._clock.now()
        )
        async with self._places:
            return await asyncio.to_thread(self._send, receiver, letter.as_bytes())

    def _send(self, receiver: str, letter: bytes) -> DeliveryOutcome:
        try:
            client = self._connected()
        except (smtplib.SMTPException, OSError, ValueError) as error:
            return RetryLater(reason=type(error).__name__)
        try:
            return self._hand_over(client, receiver, letter)
        finally:
            _leave(client)

    def _connected(self) -> smtplib.SMTP:
        """Connect, prove the server and ourselves; nothing is sent in the clear before that."""
        known = self._settings
        own_name = known.sender.rpartition("@")[2]
        context = ssl.create_default_context(cafile=known.ca_file)
        client: smtplib.SMTP
        if known.security == "tls":
            client = smtplib.SMTP_SSL(
                known.host, known.port, own_name, timeout=known.step_timeout_s, context=context
            )
        else:
            client = smtplib.SMTP(known.host, known.port, own_name, timeout=known.step_timeout_s)
        try:
            if known.security == "starttls":
                client.starttls(context=context)
            if known.user:
                client.login(known.user, known.password.reveal())
        except BaseException:
            client.close()
            raise
        return client

    def _hand_over(self, client: smtplib.SMTP, receiver: str, letter: bytes) -> DeliveryOutcome:
        try:
            client.ehlo_or_helo_if_needed()
            code, _ = client.mail(self._settings.sender)
            if code not in OK:
                return RetryLater(reason=f"sender_{code}")
            code, _ = client.rcpt(receiver)
        except (smtplib.SMTPException, OSError) as error:
            return RetryLater(reason=type(error).__name__)
        if code in NO_SUCH_BOX:
            return TargetGone(reason="no_such_box")
        if code not in OK:
            return RetryLater(reason=f"receiver_{code}", is_theirs=code == GOOD_BYE)
        try:
            code, _ = client.data(letter)
        except smtplib.SMTPDataError as error:
            return RetryLater(reason=f"data_{error.smtp_code}")
        except (smtplib.SMTPException, OSError) as error:
            return RetryLater(reason=type(error).__name__, is_unsure=True)
        if code in OK:
            return Delivered()
        return RetryLater(reason=f"data_{code}", is_theirs=code < REFUSED)

    def __repr__(self) -> str:
        return f"SmtpMessenger({self._settings.host})"


def _leave(client: smtplib.SMTP) -> None:
    """Say goodbye; a server that does not answer it has the letter all the same."""
    try:
        client.quit()
    except (smtplib.SMTPException, OSError):
        client.close()
