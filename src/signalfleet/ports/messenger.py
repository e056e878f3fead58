"""Ways out of the house: each delivers a rendered notice to one place of a user."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol, TypeAlias

from signalfleet.domain.accounts.delivery import TargetKind
from signalfleet.domain.accounts.notices import NoticeLevel
from signalfleet.ports.secrets import Secret


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One or several notices in words. `title` is ours alone and holds nothing of a user's.

    `key` is the same for each try, `unsubscribe` an address that ends these messages.
    """

    key: str
    level: NoticeLevel
    title: str
    lines: tuple[str, ...]
    link: str = ""
    unsubscribe: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivered:
    """The other side has taken it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryLater:
    """It was not taken. `is_unsure`: it may have been, the answer is missing.

    `is_theirs`: the whole messenger is in trouble, not this one place.
    """

    reason: str
    after: timedelta | None = None
    is_unsure: bool = False
    is_theirs: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetGone:
    """Nothing will ever arrive there again; `reason` is a constant word."""

    reason: str


DeliveryOutcome: TypeAlias = Delivered | RetryLater | TargetGone


class Messenger(Protocol):
    @property
    def kind(self) -> TargetKind: ...

    def describe(self, target: Secret) -> str:
        """Return how a target is shown, never whole; RefusedError, in words, if it can be none."""
        ...

    async def deliver(self, target: Secret, message: Message) -> DeliveryOutcome:
        """Hand the message over, once, in a bounded time; never raises for the other side."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """Somebody pressed Start at the bot, in a private chat, with the word of a link or without."""

    chat: int
    name: str
    word: str


class LinkBot(Protocol):
    """The operator's bot as users meet it; never an account of a user."""

    async def username(self) -> str:
        """Return the bot's public name; TemporaryError if it cannot be asked."""
        ...

    async def starts(self) -> tuple[Started, ...]:
        """Wait for a while for people who press Start; TemporaryError if it cannot be asked.

        Those returned count as seen with the next call.
        """
        ...

    async def answer(self, chat: int, text: str) -> None:
        """Say a sentence there; what does not arrive is no matter."""
        ...
