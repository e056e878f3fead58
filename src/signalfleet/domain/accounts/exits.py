"""Exits: the source of trades ended, and what is still open follows the user's wish."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from signalfleet.domain.settings.choices import ExitPolicy


class ExitCause(StrEnum):
    TELEGRAM = "telegram"
    CHANNEL = "channel"
    ACCOUNT = "account"
    PLAN = "plan"
    DELETION = "deletion"

    @property
    def words(self) -> str:
        """Say what happened, as the reason of an order."""
        match self:
            case ExitCause.TELEGRAM:
                return "you signed out of Telegram"
            case ExitCause.CHANNEL:
                return "you took the channel away"
            case ExitCause.ACCOUNT:
                return "you take the account away"
            case ExitCause.PLAN:
                return "your plan ended"
            case ExitCause.DELETION:
                return "you delete your account"


@dataclass(frozen=True, slots=True, kw_only=True)
class Exit:
    """`policy` None: what the setting `exit_policy` says for each account."""

    cause: ExitCause
    at: datetime
    policy: ExitPolicy | None = None

    def document(self) -> dict[str, object]:
        policy = None if self.policy is None else self.policy.value
        return {"cause": self.cause.value, "at": self.at.isoformat(), "policy": policy}

    @classmethod
    def of_document(cls, doc: Mapping[str, Any]) -> "Exit":
        """Read what `document` wrote; KeyError, TypeError or ValueError otherwise."""
        policy = doc["policy"]
        return cls(
            cause=ExitCause(doc["cause"]),
            at=datetime.fromisoformat(doc["at"]),
            policy=None if policy is None else ExitPolicy(policy),
        )


POLICY_WORDS: Final[Mapping[ExitPolicy, str]] = {
    ExitPolicy.CLOSE_ONLY: "they are managed to their end",
    ExitPolicy.KEEP: "orders that wait are cancelled; positions keep stop and target",
    ExitPolicy.BREAK_EVEN: (
        "orders that wait are cancelled; stops go to the entry as soon as the price allows it"
    ),
    ExitPolicy.CLOSE_WINNERS: (
        "orders that wait are cancelled; a position is closed once it is in profit"
    ),
    ExitPolicy.FLATTEN: "orders that wait are cancelled, positions are closed",
}
"""What each wish means for open trades, for pages and commands."""
