"""Comparing two revisions of a message (pure)."""

from signalfleet.domain.ids import content_hash
from signalfleet.domain.signals.model import ChannelMessage


def is_same(one: ChannelMessage, other: ChannelMessage) -> bool:
    """Tell whether two revisions say the same, whatever Telegram calls them."""
    return _content(one) == _content(other)


def is_older(one: ChannelMessage, other: ChannelMessage) -> bool:
    return (one.edited_at or one.posted_at) < (other.edited_at or other.posted_at)


def _content(message: ChannelMessage) -> tuple[str, object]:
    digest = content_hash(message.text, message.reply_to, message.media)
    return digest, [(span.start, span.end) for span in message.struck]
