"""A revision as stores keep it that hold objects, not columns."""

from dataclasses import dataclass

from signalfleet.domain.signals.revisions import KnownRevision
from signalfleet.ports.inbox import StoredMessage


@dataclass(slots=True)
class InboxRow:
    """`arrival` counts the revisions of a user in the order in which they came."""

    stored: StoredMessage
    content: str
    arrival: int

    @property
    def known(self) -> KnownRevision:
        message = self.stored.message
        return KnownRevision(
            rev=self.stored.rev,
            edited_at=message.edited_at,
            content=self.content,
            posted_at=message.posted_at,
            deleted_at=self.stored.deleted_at,
        )
