"""Which revisions of a message are not read at all, and why."""

from collections.abc import Sequence

from signalfleet.ports.inbox import StoredMessage
from signalfleet.ports.store import Channel, CopyMode


def not_to_be_read(
    stored: StoredMessage, channel: Channel | None, revisions: Sequence[StoredMessage]
) -> str | None:
    """Return why a revision, one of these, is not read at all; None if it is."""
    if channel is None or channel.mode is CopyMode.OFF:
        return "channel_off"
    if stored.deleted_at is None and any(r.deleted_at for r in revisions):
        return "deleted"
    # The text that the channel has replaced is not acted on; its newer one is in the inbox too.
    mine = stored.message.edited_at or stored.message.posted_at
    if any(
        r.rev > stored.rev and r.message.edited_at and r.message.edited_at >= mine
        for r in revisions
        if r.deleted_at is None
    ):
        return "superseded"
    return None
