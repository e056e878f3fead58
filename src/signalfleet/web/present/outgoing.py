"""Notices in words for what leaves the house: the same sentences as on the page."""

from collections.abc import Sequence
from typing import Final
from urllib.parse import quote

from signalfleet.domain.accounts.delivery import Numbered
from signalfleet.domain.accounts.notices import NoticeLevel
from signalfleet.ports.messenger import Message
from signalfleet.ports.notices import StoredNotice
from signalfleet.ports.store import UserStore
from signalfleet.web.present.formats import Times
from signalfleet.web.present.notices import notice_rows
from signalfleet.web.present.words import Words

UNSUBSCRIBE: Final = "/notifications/unsubscribe"
_RANKS: Final = (NoticeLevel.MONEY, NoticeLevel.ATTENTION, NoticeLevel.INFO)


class OutgoingWords:
    """Writes several notices as one message; `home` is where its links lead to."""

    def __init__(self, words: Words, home: str) -> None:
        self._words = words
        self._home = home

    @classmethod
    def english(cls, home: str) -> "OutgoingWords":
        return cls(Words.english(), home)

    async def write(
        self, store: UserStore, times: Times, rows: Sequence[Numbered], word: str
    ) -> Message:
        """Write the message; a title is ours alone, a line may hold a channel's name."""
        stored = [StoredNotice(number=row.number, notice=row.notice) for row in rows]
        shown = await notice_rows(store, stored, times, self._words)
        levels = {row.notice.level for row in rows}
        first = min(rows, key=lambda row: _RANKS.index(row.notice.level))
        title = self._words.say("notice", first.notice.kind.value).rstrip(".")
        if len(rows) > 1:
            title = f"{title} and {len(rows) - 1} more"
        lines = [f"{one.at.shown}  {one.sentence}" for one in shown]
        address = shown[0].address if len(shown) == 1 and shown[0].address else "/notices"
        unsubscribe = ""
        if word:
            unsubscribe = f"{self._home}{UNSUBSCRIBE}/{store.user_id}/{quote(word, safe='')}"
        return Message(
            key=f"{rows[0].number}-{rows[-1].number}",
            level=next(level for level in _RANKS if level in levels),
            title=title,
            lines=tuple(lines),
            link=f"{self._home}{address}",
            unsubscribe=unsubscribe,
        )
