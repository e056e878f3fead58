"""How each bot of a worker is, for operators: its state and why, what it uses, how Telegram is."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final

import structlog

from signalfleet.bots.budgets import Budgets
from signalfleet.bots.seats import Seat
from signalfleet.domain.accounts.bot_state import BotState
from signalfleet.domain.errors import DomainError
from signalfleet.domain.ids import UserId
from signalfleet.ports.bus import Plain
from signalfleet.ports.errors import RefusedError

log = structlog.get_logger()

DESK: Final = "bots"
LIST: Final = "list"
RELEASE: Final = "release"


class HealthDesk:
    """Answers what operators ask about the bots of a slot, by the slot's owner."""

    def __init__(self, seats: Callable[[], Mapping[UserId, Seat]], budgets: Budgets) -> None:
        self._seats = seats
        self._budgets = budgets

    async def answer(self, question: Plain) -> Plain:
        """Answer `list` with a slot, or `release` with a user."""
        match question.get("op"):
            case "list":
                number = question.get("slot")
                seats = [seat for seat in self._seats().values() if seat.slot == number]
                return {"bots": [self.report(seat) for seat in seats]}
            case "release":
                return {"state": self._release(question.get("user"))}
            case _:
                raise RefusedError("this can not be asked about bots")

    def report(self, seat: Seat) -> Plain:
        """Say how one bot is. `cpu` is the share of a core over the last ten seconds."""
        budget = self._budgets.of(seat.user)
        link = seat.bot.link if seat.bot is not None else None
        return {
            "user": seat.user,
            "state": seat.state.value,
            "reason": seat.reason,
            "since": _time(seat.since),
            "cpu": round(budget.cpu_ratio, 5),
            "worst_step_ms": round(budget.meter.worst_ns / 1e6, 1),
            "memory_bytes": budget.memory_bytes,
            "messages": budget.messages,
            "recycles": budget.recycles.count,
            "link": link.state.value if link is not None else None,
            "link_reason": link.reason if link is not None else None,
            "last_pong_at": _time(link.last_pong_at) if link is not None else None,
            "last_update_at": _time(link.last_update_at) if link is not None else None,
        }

    def _release(self, given: object) -> str:
        """Let a bot that is held start again, with nothing held against it."""
        try:
            seat = self._seats().get(UserId(str(given)))
        except DomainError:
            seat = None
        if seat is None:
            raise RefusedError("this user has no bot here; it is off, or was never started")
        if seat.state is not BotState.QUARANTINED:
            raise RefusedError(f"this bot is not held, it is {seat.state.value}")
        self._budgets.of(seat.user).let_go()
        seat.poked.set()
        log.info("bot_released", user_id=seat.user)
        return seat.state.value


def _time(at: datetime | None) -> str | None:
    return at.isoformat() if at is not None else None
