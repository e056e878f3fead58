"""A place outside that takes, refuses or keeps silent as it is told."""

from dataclasses import dataclass, field

from signalfleet.domain.accounts.delivery import TargetKind
from signalfleet.ports.errors import RefusedError
from signalfleet.ports.messenger import Delivered, DeliveryOutcome, Message
from signalfleet.ports.secrets import Secret


@dataclass(kw_only=True)
class ScriptedMessenger:
    """`outcomes` are used up one by one; then everything is taken."""

    kind: TargetKind = TargetKind.TELEGRAM
    outcomes: list[DeliveryOutcome] = field(default_factory=list)
    asked: list[Message] = field(default_factory=list)
    taken: list[Message] = field(default_factory=list)

    def describe(self, target: Secret) -> str:
        if "@" not in target.reveal():
            raise RefusedError("this is not an address")
        return "s...@example.org"

    async def deliver(self, target: Secret, message: Message) -> DeliveryOutcome:
        self.asked.append(message)
        outcome = self.outcomes.pop(0) if self.outcomes else Delivered()
        if isinstance(outcome, Delivered):
            self.taken.append(message)
        return outcome

    @property
    def lines(self) -> list[str]:
        return [line for message in self.taken for line in message.lines]
