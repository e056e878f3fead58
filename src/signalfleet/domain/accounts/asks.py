"""Questions to the user: a signal that is held, what would be done with it, and the answer."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from signalfleet.domain.errors import DomainError
from signalfleet.domain.ids import ChannelId, MessageId

KEPT: Final = timedelta(hours=6)
MOST: Final = 50
KEY_PARTS: Final = 4


class Answer(StrEnum):
    APPROVE = "approve"
    SKIP = "skip"


class Answered(StrEnum):
    """What became of a tap: only the first one in time counts."""

    TAKEN = "taken"
    ALREADY = "already"
    TOO_LATE = "too_late"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class AskKey:
    """One signal of one revision of a message; an edit is another question."""

    chat: ChannelId
    message: MessageId
    rev: int
    part: int

    def __str__(self) -> str:
        return f"{self.chat}.{self.message}.{self.rev}.{self.part}"

    @classmethod
    def of_text(cls, text: str) -> "AskKey":
        numbers = text.split(".")
        if len(numbers) != KEY_PARTS or not all(
            one.removeprefix("-").isdecimal() and one.isascii() for one in numbers
        ):
            raise DomainError("not the key of a question")
        chat, message, rev, part = (int(one) for one in numbers)
        return cls(chat=ChannelId(chat), message=MessageId(message), rev=rev, part=part)


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedPlan:
    """What would be sent on one account, in words, with the money that it may lose."""

    account: str
    lots: str
    risk: str
    orders: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """`why` is the code of what made it a question; the answer counts until `until`."""

    key: AskKey
    text: str
    why: str
    asked_at: datetime
    until: datetime
    plans: tuple[AskedPlan, ...] = ()
    answer: Answer | None = None
    answered_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Asks:
    """All questions of a user that are kept, the oldest first."""

    asks: tuple[Ask, ...] = ()

    def get(self, key: AskKey) -> Ask | None:
        return next((ask for ask in self.asks if ask.key == key), None)

    def added(self, ask: Ask, now: datetime) -> "Asks":
        """Add a question unless it is there; what is long over goes."""
        if self.get(ask.key) is not None:
            return self
        kept = [one for one in self.asks if now - one.until < KEPT]
        return Asks((*kept[-(MOST - 1) :], ask))

    def answered(self, key: AskKey, answer: Answer, now: datetime) -> tuple["Asks", Answered]:
        ask = self.get(key)
        if ask is None:
            return self, Answered.UNKNOWN
        if ask.answer is not None:
            return self, Answered.ALREADY
        if now >= ask.until:
            return self, Answered.TOO_LATE
        done = replace(ask, answer=answer, answered_at=now)
        return Asks(tuple(done if one is ask else one for one in self.asks)), Answered.TAKEN

    def document(self) -> dict[str, object]:
        return {"asks": [_written(ask) for ask in self.asks]}

    @classmethod
    def of_document(cls, doc: Mapping[str, object]) -> "Asks":
        """Read the stored questions; one that cannot be read is as if it was never asked."""
        found = doc.get("asks", [])
        rows: list[Any] = list(found) if isinstance(found, list | tuple) else []
        return cls(tuple(ask for row in rows if (ask := _read(row)) is not None))


def _written(ask: Ask) -> dict[str, object]:
    return {
        "key": str(ask.key),
        "text": ask.text,
        "why": ask.why,
        "asked_at": ask.asked_at.isoformat(),
        "until": ask.until.isoformat(),
        "plans": [
            {"account": one.account, "lots": one.lots, "risk": one.risk, "orders": [*one.orders]}
            for one in ask.plans
        ],
        "answer": ask.answer.value if ask.answer is not None else None,
        "answered_at": ask.answered_at.isoformat() if ask.answered_at is not None else None,
    }


def _read(row: Any) -> Ask | None:  # noqa: ANN401 - what JSON held
    try:
        answer, answered_at = row["answer"], row["answered_at"]
        return Ask(
            key=AskKey.of_text(row["key"]),
            text=str(row["text"]),
            why=str(row["why"]),
            asked_at=datetime.fromisoformat(row["asked_at"]),
            until=datetime.fromisoformat(row["until"]),
            plans=tuple(
                AskedPlan(
                    account=str(one["account"]),
                    lots=str(one["lots"]),
                    risk=str(one["risk"]),
                    orders=tuple(str(order) for order in one["orders"]),
                )
                for one in row["plans"]
            ),
            answer=Answer(answer) if answer is not None else None,
            answered_at=datetime.fromisoformat(answered_at) if answered_at is not None else None,
        )
    except (KeyError, TypeError, ValueError, AttributeError, DomainError):
        return None
