"""Questions to the user: a signal that is held, what would be done with it, and the answer."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from signalfleet.domain.errors import DomainError
from signalfleet.domain.ids import ChannelId, MessageId, SignalId

KEPT: Final = timedelta(hours=6)
MOST: Final = 50
KEY_PARTS: Final = 4
FOLLOW_UP: Final = "f"


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
    """One signal of one revision of a message; an edit is another question.

    `is_follow_up`: the part is the number of an instruction about open trades.
    """

    chat: ChannelId
    message: MessageId
    rev: int
    part: int
    is_follow_up: bool = False

    def __str__(self) -> str:
        kind = FOLLOW_UP if self.is_follow_up else ""
        return f"{self.chat}.{self.message}.{self.rev}.{kind}{self.part}"

    @classmethod
    def of_text(cls, text: str) -> "AskKey":
        *others, last = text.split(".")
        is_follow_up = last.startswith(FOLLOW_UP)
        numbers = [*others, last.removeprefix(FOLLOW_UP)]
        if len(numbers) != KEY_PARTS or not all(
            one.removeprefix("-").isdecimal() and one.isascii() for one in numbers
        ):
            raise DomainError("not the key of a question")
        chat, message, rev, part = (int(one) for one in numbers)
        return cls(
            chat=ChannelId(chat),
            message=MessageId(message),
            rev=rev,
            part=part,
            is_follow_up=is_follow_up,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedPlan:
    """What would be sent on one account, in words, with the money that it may lose."""

    account: str
    lots: str
    risk: str
    orders: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """`why` is the code of what made it a question; the answer counts until `until`.

    An instruction that was not carried out names the signals that it was about; `is_done` once it
    was carried out after all.
    """

    key: AskKey
    text: str
    why: str
    asked_at: datetime
    until: datetime
    plans: tuple[AskedPlan, ...] = ()
    answer: Answer | None = None
    answered_at: datetime | None = None
    signals: tuple[SignalId, ...] = ()
    is_done: bool = False


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

    def done(self, key: AskKey) -> "Asks":
        return Asks(
            tuple(replace(one, is_done=True) if one.key == key else one for one in self.asks)
        )

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
        "signals": [*ask.signals],
        "is_done": ask.is_done,
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
            signals=tuple(SignalId(str(one)) for one in row.get("signals", ())),
            is_done=row.get("is_done") is True,
        )
    except (KeyError, TypeError, ValueError, AttributeError, DomainError):
        return None
