"""Intents: commands that were decided, written down before anything is sent."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TypeAlias, assert_never

from signalfleet.domain.ids import AccountId, ClientId, IntentId, TradeId
from signalfleet.domain.instruments.model import Side
from signalfleet.domain.money import Lots, Price
from signalfleet.domain.signals.model import OrderKind
from signalfleet.domain.trading.care import Care
from signalfleet.domain.trading.orders import TrailingStop


class Lane(StrEnum):
    """Protective intents go before entries in every queue."""

    PROTECTIVE = "PROTECTIVE"
    ENTRY = "ENTRY"


class Action(StrEnum):
    OPEN = "OPEN"
    CLOSE = "CLOSE"
    REDUCE = "REDUCE"
    PROTECT = "PROTECT"
    CANCEL = "CANCEL"
    AMEND = "AMEND"


class IntentState(StrEnum):
    HELD = "HELD"
    SENDING = "SENDING"
    UNKNOWN = "UNKNOWN"
    ACCEPTED = "ACCEPTED"
    REJECTED = "REJECTED"
    EXPIRED = "EXPIRED"
    CANCELLED = "CANCELLED"

    @property
    def is_final(self) -> bool:
        return self not in (IntentState.HELD, IntentState.SENDING, IntentState.UNKNOWN)


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetStep:
    """Where one position has several targets: at `price`, close until `remaining` is left."""

    price: Price
    remaining: Lots


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenLeg:
    """Open one leg. An order at market goes out at `worst` or better, never beyond it.

    `first_target` is the copy's nearest one. `steps` are targets before `take_profit` that we
    close at ourselves, on accounts that hold one position for each symbol. `care` is what we do for
    the leg once it is open.
    """

    symbol: str
    side: Side
    kind: OrderKind
    lots: Lots
    price: Price | None
    stop_loss: Price | None
    take_profit: Price | None
    magic: int
    expires_at: datetime | None = None
    worst: Price | None = None
    first_target: Price | None = None
    steps: tuple[TargetStep, ...] = ()
    care: Care | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseLeg:
    """Close all that is left of the leg; or the position named, which should not exist."""

    position_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReduceLeg:
    """Close until `remaining` is left: a target and not a step, so a repeat does nothing."""

    remaining: Lots


@dataclass(frozen=True, slots=True, kw_only=True)
class ProtectLeg:
    """Set stop and target together: brokers may clear the one that is left out.

    A tighter stop that the position has by then stays, unless it `widens`. `trailing` is what the
    broker's side does from now on; `care` and `steps`, where given, replace what the entry said.
    """

    stop_loss: Price | None
    take_profit: Price | None
    trailing: TrailingStop | None = None
    care: Care | None = None
    steps: tuple[TargetStep, ...] | None = None
    widens: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelLeg:
    """Cancel the leg's pending order; or the order named, which should not exist."""

    order_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AmendLeg:
    """Move a pending order."""

    price: Price
    stop_loss: Price | None
    take_profit: Price | None


Command: TypeAlias = OpenLeg | CloseLeg | ReduceLeg | ProtectLeg | CancelLeg | AmendLeg


def action_of(command: Command) -> Action:
    match command:
        case OpenLeg():
            return Action.OPEN
        case CloseLeg():
            return Action.CLOSE
        case ReduceLeg():
            return Action.REDUCE
        case ProtectLeg():
            return Action.PROTECT
        case CancelLeg():
            return Action.CANCEL
        case AmendLeg():
            return Action.AMEND
        case _:
            assert_never(command)


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """One command to the broker and how far it has come.

    `evidence` names what settled it: a reply code or the look that found it. An entry may be sent
    until `valid_until`; `waits_for` names the trade whose entry must be accepted first.
    `sending_at` is the latest moment at which it can have left, known once its call is over; for
    an order of an owner who is gone it is the moment of the takeover.
    """

    intent_id: IntentId
    account: AccountId
    trade: TradeId
    cause: str
    client_id: ClientId
    command: Command
    state: IntentState
    created_at: datetime
    attempt: int = 0
    reason: str | None = None
    valid_until: datetime | None = None
    waits_for: TradeId | None = None
    cancel_wanted: bool = False
    sending_at: datetime | None = None
    settled_at: datetime | None = None
    order_id: str | None = None
    position_id: str | None = None
    evidence: str | None = None

    @property
    def action(self) -> Action:
        return action_of(self.command)

    @property
    def is_extra(self) -> bool:
        """Tell whether it is about an order or position beside the leg, opened twice."""
        match self.command:
            case CloseLeg(position_id=str()) | CancelLeg(order_id=str()):
                return True
            case _:
                return False

    @property
    def lane(self) -> Lane:
        return Lane.ENTRY if self.action is Action.OPEN else Lane.PROTECTIVE
