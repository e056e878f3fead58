"""What a user is told of a chat."""

from collections.abc import Mapping
from typing import Final

from signalfleet.domain.accounts.notices import NoticeKind
from signalfleet.ports.chat_source import ChatNotice, ChatNoticeKind

_KINDS: Final[Mapping[ChatNoticeKind, NoticeKind]] = {
    ChatNoticeKind.LOST: NoticeKind.CHAT_LOST,
    ChatNoticeKind.BACK: NoticeKind.CHAT_BACK,
    ChatNoticeKind.HOLE: NoticeKind.POSTS_MISSED,
    ChatNoticeKind.UNREADABLE: NoticeKind.POSTS_UNREADABLE,
    ChatNoticeKind.MOVED: NoticeKind.CHAT_MOVED,
}


def told_of(notice: ChatNotice) -> tuple[NoticeKind, str, dict[str, object]]:
    """Return kind, object and facts of the user's notice."""
    facts: dict[str, object] = {"chat": notice.chat}
    if notice.first is not None:
        facts["first"] = notice.first
    if notice.count:
        facts["count"] = notice.count
    return _KINDS[notice.kind], f"chat:{notice.chat}", facts
