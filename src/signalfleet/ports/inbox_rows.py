"""A revision as stores keep it that hold objects, not columns."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from signalfleet.domain.ids import ChannelId, MessageId
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


def protective_of(new: Sequence[StoredMessage]) -> Iterator[StoredMessage]:
    """Return of all NEW revisions, in order of arrival, what `Inbox.protective` is asked for."""
    oldest: dict[ChannelId, MessageId] = {}
    for one in new:
        if not one.may_protect:
            chat, message = one.key.chat, one.key.message
            oldest[chat] = min(oldest.get(chat, message), message)
    behind: set[ChannelId] = set()
    for one in new:
        chat, answered = one.key.chat, one.message.reply_to
        if not one.may_protect:
            behind.add(chat)
        elif chat not in behind or (answered is not None and answered < oldest[chat]):
            yield one
